import { expect, test } from 'vitest'
import type { FloodName } from '../../native-bench/flood/floods.ts'
import type { FloodSeen } from '../../native-bench/flood/measure.ts'
import { floodText, ratioOf } from '../../native-bench/flood/text.ts'

const look = (p99Ms: number) => ({ p50Ms: 0.1, p99Ms, maxMs: 9, bytesPerSecond: 1e6 })

const seen = (flood: FloodName, before: number, during: number): FloodSeen => ({
  flood,
  before: look(before),
  during: look(during),
  report: { connects: 2000, refused: 0, sentBytes: 5e6, receivedBytes: 0 },
})

const all = [
  ...[seen('spin', 1, 4), seen('tiny', 2, 5), seen('churn', 30, 6)],
  ...[seen('spin', 1, 2), seen('tiny', 2, 7), seen('churn', 3, 9)],
]

test('a flood is told by its median and that of all looks before any, and by that beside a process that spins', () => {
  // before: 1 1 2 2 3 30
  expect(ratioOf('tiny', all)).toBe(3)
  expect(ratioOf('churn', all)).toBe(3.75)
  const lines = floodText(all).split('\n')
  const cells = (name: string) =>
    lines
      .find((line) => line.startsWith(`| ${name}`))!
      .split('|')
      .map((cell) => cell.trim())
  expect(cells('tiny').slice(5, 7)).toEqual(['**3.00**', '2.00'])
  expect(cells('spin').slice(5, 7)).toEqual(['1.50', '1.00'])
  expect(floodText([seen('tiny', 2, 5)])).toContain('| 2.50         | –       |')
})
