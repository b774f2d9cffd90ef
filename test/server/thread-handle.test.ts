import { EventEmitter } from 'node:events'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { ThreadData } from '../../src/server/thread.ts'
import { ThreadHandle } from '../../src/server/thread-handle.ts'

const workers: EventEmitter[] = []
vi.mock('node:worker_threads', async (original) => ({
  ...(await original<typeof import('node:worker_threads')>()),
  Worker: class extends EventEmitter {
    constructor() {
      super()
      workers.push(this)
    }
  },
}))

const data = {
  thread: { name: 'front-1', role: 'http-front' },
  channels: [],
} as never as ThreadData

/** A thread that has been spawned, and what was told of its end. */
function spawned() {
  const ends: string[] = []
  const thread = new ThreadHandle('front-1', (reason) => ends.push(reason))
  thread.spawn(data)
  return { thread, ends, worker: workers.at(-1)! }
}

const turns = async () => {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
}

beforeEach(() => {
  workers.length = 0
})

describe('a thread whose worker exits', () => {
  it('is gone for what it has said, as long as its channel may still bring that', async () => {
    const { thread, ends, worker } = spawned()
    worker.emit('exit', 1)
    await turns()
    expect([thread.isGone, ends]).toEqual([false, []])
    thread.fail('the directory is taken')
    thread.channelClosed()
    await turns()
    expect(ends).toEqual(['the directory is taken'])
    await expect(thread.ready).rejects.toThrow('the directory is taken')
  })

  it('has nothing more to say once its channel is closed', async () => {
    const { thread, ends, worker } = spawned()
    worker.emit('error', new Error('out of memory'))
    worker.emit('exit', 1)
    thread.channelClosed()
    await turns()
    expect(ends[0]).toContain('out of memory')
  })

  it('has stopped at once where that was asked of it: nothing may keep the process alive until more is heard', async () => {
    const { thread, ends, worker } = spawned()
    thread.expectEnd()
    worker.emit('exit', 0)
    await turns()
    expect([thread.isGone, ends]).toEqual([true, []])
    await thread.stopped
  })
})
