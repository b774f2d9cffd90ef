/** Points in time and spans as people write them on the command line. Throws a RangeError with a plain sentence. */

const SPAN_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

const SPAN = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/

/** Milliseconds of `90s`, `1.5h`, `7d`, `1h30m`. */
export function parseSpanMs(text: string): number {
  const parts = text.match(/\d+(?:\.\d+)?(?:ms|s|m|h|d|w)/g) ?? []
  if (parts.length === 0 || parts.join('') !== text) {
    throw new RangeError(`"${text}" is no duration, such as 90s, 15m, 1h30m or 7d`)
  }
  return parts.reduce((sum, part) => {
    const [, count, unit] = SPAN.exec(part)!
    return sum + Number(count) * SPAN_UNITS[unit!]!
  }, 0)
}

/**
 * Unix milliseconds of: 13 digits (milliseconds), 9 or 10 digits (seconds), a date or a date with time (ISO 8601; UTC unless
 * it says otherwise), `now`, or a span ago (`-1h`).
 */
export function parseTimeMs(text: string, nowMs: number): number {
  if (text === 'now') return nowMs
  if (/^\d{13}$/.test(text)) return Number(text)
  if (/^\d{9,10}$/.test(text)) return Number(text) * 1_000
  if (text.startsWith('-')) return nowMs - parseSpanMs(text.slice(1))
  if (/^\d{4}-\d\d-\d\d([T ].+)?$/.test(text)) {
    const isLocal = /T|\s/.test(text) && !/(Z|[+-]\d\d:?\d\d)$/i.test(text)
    const timeMs = Date.parse(isLocal ? `${text.replace(' ', 'T')}Z` : text)
    if (!Number.isNaN(timeMs)) return timeMs
  }
  throw new RangeError(
    `"${text}" is no time: milliseconds (13 digits), seconds (10), 2026-01-31, 2026-01-31T12:00:00Z, or -1h`,
  )
}
