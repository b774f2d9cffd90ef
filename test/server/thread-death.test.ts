/** What happens when threads of an engine die: real workers, killed one by one. */
import { syncBuiltinESMExports } from 'node:module'
import workerThreads, { type Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { Griot } from '../../dist/index.js'
import { apiVersionsFrame, ask, open } from './wire.ts'

const workers: { name: string; worker: Worker }[] = []
const RealWorker = workerThreads.Worker

beforeAll(() => {
  workerThreads.Worker = class extends RealWorker {
    constructor(...args: ConstructorParameters<typeof RealWorker>) {
      super(...args)
      workers.push({ name: args[1]?.name ?? '', worker: this })
    }
  }
  syncBuiltinESMExports()
})
afterAll(() => {
  workerThreads.Worker = RealWorker
  syncBuiltinESMExports()
})

let griot: Griot
afterEach(async () => {
  await griot.close()
  workers.length = 0
})

async function start(brokers: number): Promise<void> {
  griot = await Griot.start({ brokers, httpListen: '127.0.0.1:0', logLevel: 'silent' })
}

const kill = (thread: string) =>
  workers.findLast(({ name }) => name === `griot ${thread}`)!.worker.terminate()

async function health(): Promise<unknown[]> {
  const response = await fetch(`${griot.url}/health`)
  const { status, reasons } = (await response.json()) as { status: string; reasons: string[] }
  return [response.status, status, ...reasons]
}

test('a dead broker degrades the engine, the last one that lives ends its service', async () => {
  await start(2)
  expect(await health()).toEqual([200, 'serving'])
  await kill('broker-1-2')
  const reason =
    'broker 2 died: until it is started anew, partitions that it alone has are not served; those with most of their replicas elsewhere are led there'
  const degraded = [200, 'degraded', reason]
  await vi.waitFor(async () => expect(await health()).toEqual(degraded), { interval: 5 })
  await vi.waitFor(async () => expect(await health()).toEqual([200, 'serving']), 10_000)
  const socket = await open(griot.brokers[1]!)
  expect(await ask(socket, apiVersionsFrame(3))).toEqual({ correlationId: 3, error: 0 })
  socket.destroy()
  await Promise.all([kill('broker-1-1'), kill('broker-1-2')])
  await vi.waitFor(async () =>
    expect(await health()).toEqual([
      503,
      'failed',
      expect.stringContaining('the last broker died'),
    ]),
  )
})

test.each(['front-0', 'flusher'])(
  'without its %s the engine serves nobody, says so, and closes',
  async (thread) => {
    await start(1)
    await kill(thread)
    await vi.waitFor(async () => expect(await health()).toEqual([503, 'failed', `${thread} died`]))
    const before = performance.now()
    await griot.close()
    expect(performance.now() - before).toBeLessThan(20_000)
  },
)

test('without its HTTP front the engine serves Kafka clients as before', async () => {
  await start(1)
  await kill('front-1')
  const socket = await open(griot.bootstrapServers)
  expect(await ask(socket, apiVersionsFrame(4))).toEqual({ correlationId: 4, error: 0 })
  socket.destroy()
})
