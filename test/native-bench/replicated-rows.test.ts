/** Rows of three nodes, run for real, Griot against Griot, small. No figure is judged. */
import { expect, test, vi } from 'vitest'
import { hasChaos } from '../../native-bench/peers/griot.ts'
import { expectAll, ROW_TIMEOUT_MS, smokeRows } from './smoke-row.ts'

vi.setConfig({ testTimeout: ROW_TIMEOUT_MS })

const smoke = smokeRows()

test('large batches with three replicas: every measure of both sides', async () => {
  const { row, measured } = await smoke('large-batches-rf3', 2)
  expectAll(row, measured)
})

// before brokers could be killed there was nothing to run
test.skipIf(!hasChaos())(
  'the leader’s broker is killed on both sides, and all is there',
  async () => {
    const { measured } = await smoke('kill-leader-rf3', 2)
    for (const { gapMs, rateMB, resent } of Object.values(measured.rounds[0]!)) {
      expect(gapMs).toBeGreaterThan(0)
      expect(rateMB).toBeGreaterThan(0)
      expect(resent).toBeGreaterThanOrEqual(0)
    }
    expect(measured.notes.filter((note) => note.includes('in the log'))).toEqual([])
  },
)
