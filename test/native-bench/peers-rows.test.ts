/** Rows that are a workload, run for real, Griot against Griot, small. No figure is judged. */
import { expect, test, vi } from 'vitest'
import { compiler } from '../../native-bench/limits/compile.ts'
import { expectAll, ROW_TIMEOUT_MS, smokeRows } from './smoke-row.ts'

vi.setConfig({ testTimeout: ROW_TIMEOUT_MS })

const smoke = smokeRows()

test('an open loop, at half of what the peer can: the same topics all the time', async () => {
  const { row, measured } = await smoke('end-to-end-open-lz4')
  expectAll(row, measured)
  const [rates] = measured.notes
  const found = /top rate was (\d+) records\/s .* the open loop has (\d+)/.exec(rates!)!
  expect(Number(found[2])).toBe(Math.floor(Number(found[1]) / 2))
  for (const { wire } of Object.values(measured.rounds[0]!)) expect(wire).toBeLessThan(0.8)
})

test('a closed loop, end to end', async () => {
  const { row, measured } = await smoke('end-to-end-closed')
  expectAll(row, measured)
})

test.skipIf(compiler() === null)('the limit of loopback', async () => {
  const { row, measured } = await smoke('loopback')
  expectAll(row, measured)
})
