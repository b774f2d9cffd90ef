import { expect, test } from 'vitest'
import { shareFigures } from '../../native-bench/quick/command.ts'
import type { Round } from '../../native-bench/quick/shares.ts'

const row = {
  ...{ seconds: 1, requests: 1_000, bytes: 1e9, brokerCpuSeconds: 0.5 },
  latencyUs: { count: 1, p50: 100, p90: 1, p99: 1, p999: 1, max: 1, mean: 1 },
}
const limit = (value: number) => ({ name: 'x', unit: 'B/s', value, p50Us: 20, args: {} }) as const

const round = (change: Partial<Round> = {}): Round => ({
  limits: { 'loopback-1M': limit(4e9), 'round-trip-100': limit(10_000), crc32c: limit(5e9) },
  rows: { produceLarge: row, fetchLarge: row, produceSmall: row, produceSmallDeep: row },
  startMs: 100,
  microBytesPerSecond: {},
  ...change,
})
const FETCH = 'fetch, from the beginning ÷ loopback-1M'
const unmeasured = round({
  rows: { ...round().rows, fetchLarge: { ...row, bytes: Number.NaN } },
})

test('a share is of the limit of its own round, and there is none without a limit', () => {
  const { figures, dropped, missing } = shareFigures([round(), round()])
  expect(figures.find(({ name }) => name === FETCH)!.values).toEqual([0.25, 0.25])
  expect(figures.some(({ name }) => name.includes('write'))).toBe(false)
  expect(dropped).toEqual([])
  expect(missing).toEqual([])
})

test('a round that could not be measured is left out of its figure, and said', () => {
  const { figures, dropped, missing } = shareFigures([round(), unmeasured, round()])
  expect(figures.find(({ name }) => name === FETCH)!.values).toEqual([0.25, 0.25])
  expect(dropped).toEqual([`${FETCH}: 1 of 3 rounds could not be measured`])
  expect(missing).toEqual([])
})

test('a figure that no round has, though there is a limit for it, is a fault', () => {
  expect(shareFigures([unmeasured, unmeasured]).missing).toEqual([FETCH])
  // a micro case that is called otherwise now
  const limits = { ...round().limits, 'crc32c-cached': limit(8e9) }
  expect(shareFigures([round({ limits })]).missing).toContain('micro: crc32c 16 KB ÷ crc32c-cached')
})
