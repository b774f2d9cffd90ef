import { constants } from 'node:os'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { FlushDone } from '../../src/broker/flush-file.ts'
import { FaultyFlushFiles } from '../../src/server/flusher-chaos.ts'

let called: string[]
let files: FaultyFlushFiles
beforeEach(() => {
  vi.useFakeTimers()
  called = []
  const take = (what: string) => (path: string, done: FlushDone) => {
    called.push(`${what} ${path}`)
    done(0)
  }
  const below = {
    flush: take('flush'),
    remove: take('remove'),
    closeUnused: () => 3,
    close: () => void called.push('close'),
  }
  files = new FaultyFlushFiles(below, '/data', 12)
})
afterEach(() => vi.useRealTimers())

/** What is answered within `ms`: null for nothing. */
function outcome(what: 'flush' | 'remove', path: string, ms = 0): number | null {
  let errno: number | null = null
  files[what](path, (answer) => {
    errno = answer
  })
  vi.advanceTimersByTime(ms)
  return errno
}

test('calls go through, and fail for the broker alone whose disk fails', () => {
  expect(outcome('flush', '/data/broker-1/a')).toBe(0)
  files.onChaos(1, { fault: 'fail-disk', code: 'EIO' })
  expect(outcome('flush', '/data/broker-1/a', 1)).toBe(-constants.errno.EIO)
  expect(outcome('remove', '/data/broker-1/b', 1)).toBe(-constants.errno.EIO)
  // its directory itself
  expect(outcome('flush', '/data/broker-1', 1)).toBe(-constants.errno.EIO)
  expect(called).toEqual(['flush /data/broker-1/a'])
  for (const path of ['/data', '/data/broker-2/a', '/data/broker-12/a', '/']) {
    expect(outcome('flush', path)).toBe(0)
  }
  files.onChaos(1, { fault: 'fail-disk', code: null })
  expect(outcome('flush', '/data/broker-1/a')).toBe(0)
})

test('a full disk flushes what it has, and removes', () => {
  files.onChaos(1, { fault: 'fail-disk', code: 'ENOSPC' })
  expect([outcome('flush', '/data/broker-1/a'), outcome('remove', '/data/broker-1/a')]).toEqual([
    0, 0,
  ])
})

test('calls take longer, and fail at their end', () => {
  files.onChaos(2, { fault: 'slow-disk', byMs: 50 })
  expect(outcome('flush', '/data/broker-2/a', 49)).toBeNull()
  expect(called).toEqual([])
  vi.advanceTimersByTime(1)
  expect(called).toEqual(['flush /data/broker-2/a'])
  files.onChaos(2, { fault: 'fail-disk', code: 'EIO' })
  expect(outcome('flush', '/data/broker-2/a', 49)).toBeNull()
  expect(outcome('flush', '/data/broker-2/a', 51)).toBe(-constants.errno.EIO)
  files.onChaos(2, { fault: 'slow-disk', byMs: 0 })
  files.onChaos(2, { fault: 'fail-disk', code: null })
  expect(outcome('flush', '/data/broker-2/a')).toBe(0)
})

test('what no broker asks for goes through', () => {
  expect(files.closeUnused()).toBe(3)
  files.close()
  expect(called).toEqual(['close'])
})
