import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Figure, type Report, readReport } from '../../native-bench/common/report.ts'
import { format, median, spread } from '../../native-bench/common/statistics.ts'
import { isWorse } from '../../native-bench/compare/command.ts'
import { changeOf, compare } from '../../native-bench/compare/compare.ts'
import { rankSumP, smallestP } from '../../native-bench/compare/rank-test.ts'

const figure = (values: number[], more: Partial<Figure> = {}): Figure => ({
  ...{ name: 'f', unit: 'op/s', better: 'higher', values },
  ...more,
})
const report = (...figures: Figure[]): Report =>
  ({ command: 'micro', circumstances: {}, figures }) as unknown as Report

describe('chance', () => {
  test('is the share of splits that are as uneven, as counted by hand', () => {
    // 2 of 20 ways to choose 3 of 6 ranks are the lowest or the highest three
    expect(rankSumP([1, 2, 3], [4, 5, 6])).toBeCloseTo(2 / 20)
    // sums of 7 or less, or 14 or more: {1,2,3}, {1,2,4} and their mirrors
    expect(rankSumP([1, 2, 4], [3, 5, 6])).toBeCloseTo(4 / 20)
    expect(rankSumP([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])).toBeCloseTo(2 / 252)
    expect(smallestP(5, 5)).toBeCloseTo(2 / 252)
    expect(smallestP(3, 3)).toBeCloseTo(2 / 20)
  })

  test('is even where nothing tells the two apart, ties and all', () => {
    expect(rankSumP([5, 5, 5], [5, 5, 5])).toBe(1)
    expect(rankSumP([1, 4], [2, 3])).toBe(1)
  })

  test('does not depend on which lot comes first, nor on the scale', () => {
    const [a, b] = [
      [3, 1, 4, 1, 5],
      [9, 2, 6, 5, 3],
    ]
    expect(rankSumP(a!, b!)).toBeCloseTo(rankSumP(b!, a!))
    expect(rankSumP(a!.map(Math.exp), b!.map(Math.exp))).toBeCloseTo(rankSumP(a!, b!))
  })

  test('of many rounds follows the normal law', () => {
    const lot = (from: number) => Array.from({ length: 15 }, (_, i) => from + 2 * i)
    // ranks 1, 3, 5 … against 2, 4, 6 …: sum 225, mean 232.5, deviation √(15 · 15 · 31 / 12)
    expect(rankSumP(lot(1), lot(2))).toBeCloseTo(0.7716, 3)
    expect(rankSumP(lot(1), lot(1001))).toBeLessThan(1e-5)
  })
})

describe('a change', () => {
  test('is told with its share of the medians, and is better or worse by its kind', () => {
    const slow = figure([100, 101, 99, 100, 102])
    const fast = figure([120, 121, 119, 122, 118])
    expect(changeOf(slow, fast)).toMatchObject({ verdict: 'better', share: 0.2 })
    expect(changeOf(fast, slow)).toMatchObject({ verdict: 'worse' })
    expect(changeOf(fast, slow).share).toBeCloseTo(-1 / 6)
    const lower = { unit: 'ms', better: 'lower' } as const
    expect(
      changeOf(figure(slow.values as number[], lower), figure(fast.values as number[], lower))
        .verdict,
    ).toBe('worse')
  })

  test('is noise where the rounds overlap, and where it is small', () => {
    expect(
      changeOf(figure([90, 110, 95, 105, 100]), figure([101, 99, 108, 112, 104])).verdict,
    ).toBe('noise')
    expect(
      changeOf(figure([100, 100, 100, 100, 100]), figure([101, 101, 101, 101, 101])).verdict,
    ).toBe('noise')
    const bytes = { unit: 'B/op', better: 'lower' } as const
    expect(
      changeOf(figure([16, 16, 16, 16, 16], bytes), figure([20, 20, 20, 20, 20], bytes)).verdict,
    ).toBe('noise')
    expect(
      changeOf(figure([16, 16, 16, 16, 16], bytes), figure([32, 32, 32, 32, 32], bytes)).verdict,
    ).toBe('worse')
  })

  test('from nothing to something is a change without a bound', () => {
    const bytes = { unit: 'B/op', better: 'lower' } as const
    const [none, some] = [figure([0, 0, 0, 0, 0], bytes), figure([64, 64, 64, 64, 64], bytes)]
    expect(changeOf(none, some)).toMatchObject({
      verdict: 'worse',
      share: Number.POSITIVE_INFINITY,
    })
    expect(changeOf(none, none)).toMatchObject({ verdict: 'noise', share: 0 })
  })

  test('cannot be told of three rounds', () => {
    expect(changeOf(figure([1, 2, 3]), figure([10, 20, 30])).verdict).toBe('too few rounds')
  })
})

describe('reports', () => {
  test('of one side count together, and what only one has is named', () => {
    const before = [report(figure([1, 2]), figure([1], { name: 'old' })), report(figure([3]))]
    const after = [report(figure([4]), figure([1], { name: 'new' }))]
    const { changes, onlyBefore, onlyAfter } = compare(before, after)
    expect(changes).toHaveLength(1)
    expect(changes[0]!.before).toEqual({ median: 2, min: 1, max: 3, rounds: 3 })
    expect([onlyBefore, onlyAfter]).toEqual([['old'], ['new']])
  })

  test('are worse where a figure became worse, or is gone', () => {
    const [slow, fast] = [
      [1, 1.1, 1.2, 1.3, 1.4],
      [2, 2.1, 2.2, 2.3, 2.4],
    ]
    const between = (before: Report, after: Report) => isWorse(compare([before], [after]))
    expect(between(report(figure(slow)), report(figure(fast)))).toBe(false)
    expect(between(report(figure(fast)), report(figure(slow)))).toBe(true)
    const more = figure([1], { name: 'more' })
    expect(between(report(figure(slow), more), report(figure(slow)))).toBe(true)
    expect(between(report(figure(slow)), report(figure(slow), more))).toBe(false)
  })

  test('in different units are not compared', () => {
    expect(() => compare([report(figure([1]))], [report(figure([1], { unit: 'ms' }))])).toThrow(
      'f is in op/s before and in ms after',
    )
  })

  test('that are none are refused by name', () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'griot-compare-'))
    const file = path.join(directory, 'a.json')
    try {
      for (const wrong of [
        '{',
        '{}',
        '{"figures":[{}]}',
        '{"figures":[{"name":"x","values":[]}]}',
      ]) {
        writeFileSync(file, wrong)
        expect(() => readReport(file)).toThrow(file)
      }
      writeFileSync(file, JSON.stringify(report(figure([1]))))
      expect(readReport(file).figures).toHaveLength(1)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
})

test('medians and what is printed of them', () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5])
  expect(median([])).toBeNaN()
  expect([0, 0.1234, 1.234, 12.34, 123.4, 1234567, 123456789].map(format)).toEqual([
    ...['0', '0.123', '1.23', '12.3', '123', '1.23 M', '123 M'],
  ])
  expect(spread([2, 1, 3])).toBe('2.00 (1.00–3.00)')
})
