import { describe, expect, test } from 'vitest'
import { parseOffsetRange, parseOffsetRanges } from '../../src/cli/offset-range.ts'
import { parseSpanMs, parseTimeMs } from '../../src/cli/time-text.ts'

const NOW = Date.UTC(2026, 0, 31, 12)
const start = { kind: 'start', plus: 0 }
const time = (timeMs: number) => ({ kind: 'time', timeMs })
const offset = (n: number) => ({ kind: 'offset', offset: n })

describe('-o', () => {
  test.each<[string, object, object | null]>([
    ['start', start, null],
    ['beginning', start, null],
    ['earliest', start, null],
    ['end', { kind: 'end', minus: 0 }, null],
    ['stored', { kind: 'stored' }, null],
    ['+5', { kind: 'start', plus: 5 }, null],
    ['-5', { kind: 'end', minus: 5 }, null],
    ['5', offset(5), null],
    ['5:', offset(5), null],
    ['5:9', offset(5), offset(9)],
    ['5-9', offset(5), offset(10)],
    [':9', start, offset(9)],
    [':end', start, { kind: 'end' }],
    ['5:end', offset(5), { kind: 'end' }],
    ['@1769860800000', time(1769860800000), null],
    ['@1769860800', time(1769860800000), null],
    ['@1769860800000:', time(1769860800000), null],
    ['@1769860800000:1769860801000', time(1769860800000), time(1769860801000)],
    ['@:1769860801000', start, time(1769860801000)],
    ['@1769860800000:end', time(1769860800000), { kind: 'end' }],
    ['@-1h', time(NOW - 3_600_000), null],
    ['@-2h:30m', time(NOW - 7_200_000), time(NOW - 5_400_000)],
    ['@-2h:-1h', time(NOW - 7_200_000), time(NOW - 3_600_000)],
    ['@2026-01-31', time(Date.UTC(2026, 0, 31)), null],
    [
      '@2026-01-31T10:00:00Z:2026-01-31T11:30:00+01:00',
      time(Date.UTC(2026, 0, 31, 10)),
      time(Date.UTC(2026, 0, 31, 10, 30)),
    ],
    ['s@1769860800000', time(1769860800000), null],
    ['e@1769860801000', start, time(1769860801000)],
  ])('%s', (text, from, until) => {
    expect(parseOffsetRange(text, NOW)).toEqual({ from, until })
  })

  test("kcat's pair of times is taken together", () => {
    expect(parseOffsetRanges(['e@1769860801000', 's@1769860800000'], NOW)).toEqual({
      from: time(1769860800000),
      until: time(1769860801000),
    })
  })

  test.each([
    ['strat', '"strat" is no offset'],
    ['', '"" is no offset'],
    [':', '":" is no offset'],
    ['1.5', '"1.5" is no offset'],
    ['9:5', '"9:5" ends before it begins'],
    ['@yesterday', '"yesterday" is no time'],
    ['@-1h:-2h', 'ends before it begins'],
    ['@2026-13-45', '"2026-13-45" is no time'],
  ])('"%s" is refused', (text, message) => {
    expect(() => parseOffsetRange(text, NOW)).toThrow(message)
  })
})

test('spans and times', () => {
  expect(parseSpanMs('1h30m')).toBe(5_400_000)
  expect(parseSpanMs('250ms')).toBe(250)
  expect(parseSpanMs('1.5d')).toBe(129_600_000)
  for (const bad of ['', '5', '5x', 'h', '-5s', '1h 3m']) {
    expect(() => parseSpanMs(bad)).toThrow('is no duration')
  }
  expect(parseTimeMs('now', NOW)).toBe(NOW)
  // UTC unless it says otherwise, whatever the machine's zone
  expect(parseTimeMs('2026-01-31 12:00:00', NOW)).toBe(NOW)
  expect(parseTimeMs('2026-01-31T12:00', NOW)).toBe(NOW)
})
