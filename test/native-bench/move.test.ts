/** A small move under load, as `npm run bench -- move` does it. */
import { expect, test } from 'vitest'
import { Sandbox } from '../../native-bench/common/sandbox.ts'
import { measureMove } from '../../native-bench/move/measure.ts'
import { moveText } from '../../native-bench/move/text.ts'
import { startGriot } from '../../native-bench/peers/griot.ts'
import { workloadFile } from '../../native-bench/peers/variants.ts'

const PRELOAD_BYTES = 30_000_000

test('a partition moves to other brokers under load; time, latencies and what is there are told', async () => {
  const sandbox = new Sandbox(undefined, 'griot-move-test-')
  try {
    const broker = await startGriot(sandbox, sandbox.directory(), { brokers: 6 })
    const workload = workloadFile('move-replicas')
    const topics = workload.topics.map((set) => ({ ...set, preloadBytes: PRELOAD_BYTES }))
    const found = await measureMove({
      ...{ workload: { ...workload, topics }, broker, brokers: 6 },
      ...{ seconds: 3, warmupSeconds: 0.5, print: () => {} },
    })
    expect([...found.from, ...found.to].sort()).toEqual([1, 2, 3, 4, 5, 6])
    expect(found.bytes).toBeGreaterThanOrEqual(PRELOAD_BYTES)
    expect(found.moveMs).toBeGreaterThan(0)
    expect(found.lost).toBe(null)
    expect(found.moving.produced!.total.records).toBeGreaterThan(100)
    const text = moveText(found)
    expect(text).toContain('All that was acknowledged is there.')
    expect(text).toContain(`moved from brokers ${found.from.join(', ')}`)
    expect(moveText({ ...found, lost: '3 records are gone' })).toContain('**3 records are gone**')
    await broker.stop('SIGKILL')
  } finally {
    await sandbox.close()
  }
}, 60_000)
