/** `-o`: where to begin to read, and where to stop, as rpk and kcat users write it. */
import { parseSpanMs, parseTimeMs } from './time-text.ts'

export type StartPoint =
  /** `plus` records behind the first that is there. */
  | { readonly kind: 'start'; readonly plus: number }
  /** `minus` records before the end as it is now. */
  | { readonly kind: 'end'; readonly minus: number }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'time'; readonly timeMs: number }
  /** What the group has committed. */
  | { readonly kind: 'stored' }

export type StopPoint =
  /** The end as it is when reading begins. */
  | { readonly kind: 'end' }
  /** The first offset that is not read. */
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'time'; readonly timeMs: number }

export interface OffsetRange {
  readonly from: StartPoint
  readonly until: StopPoint | null
}

const START: StartPoint = { kind: 'start', plus: 0 }
const START_WORDS = ['start', 'beginning', 'earliest', 'oldest']
const END_WORDS = ['end', 'latest', 'newest']

/**
 * Parses
 *
 *     start, end, +N, -N      N behind the start, N before the end
 *     N, N:, N:M, :M, :end    from offset N, until before M
 *     N-M                     from N to M, both read
 *     @T, @T:, @T:U, @:U      by time; U may also be `end`, or a span after T (`1h`)
 *     s@T, e@T                kcat's way to give the two ends
 *     stored                  where the group stands
 *
 * Throws a RangeError with a plain sentence.
 */
export function parseOffsetRange(text: string, nowMs: number): OffsetRange {
  if (text.startsWith('@')) return parseTimes(text.slice(1), nowMs)
  const kcat = /^([se])@(.+)$/.exec(text)
  if (kcat !== null) {
    const timeMs = parseTimeMs(kcat[2]!, nowMs)
    if (kcat[1] === 's') return { from: { kind: 'time', timeMs }, until: null }
    return { from: START, until: { kind: 'time', timeMs } }
  }
  const closed = /^(\d+)-(\d+)$/.exec(text)
  if (closed !== null) return between(Number(closed[1]), Number(closed[2]) + 1, text)
  const open = /^(\d*):(\d*|end)$/.exec(text)
  if (open !== null && text !== ':') return parseOpen(open[1]!, open[2]!, text)
  return { from: parsePoint(text), until: null }
}

/** Two `-o` taken together, as kcat's `-o s@… -o e@…` are: the first that says where to begin, the first that says where to stop. */
export function parseOffsetRanges(texts: readonly string[], nowMs: number): OffsetRange {
  const ranges = texts.map((text) => parseOffsetRange(text, nowMs))
  const from = ranges.find(({ from }) => from !== START)?.from ?? START
  return { from, until: ranges.find(({ until }) => until !== null)?.until ?? null }
}

function parsePoint(text: string): StartPoint {
  if (START_WORDS.includes(text)) return START
  if (END_WORDS.includes(text)) return { kind: 'end', minus: 0 }
  if (text === 'stored') return { kind: 'stored' }
  const number = /^([+-]?)(\d+)$/.exec(text)
  if (number === null) throw refused(text)
  const count = Number(number[2])
  if (number[1] === '+') return { kind: 'start', plus: count }
  return number[1] === '-' ? { kind: 'end', minus: count } : { kind: 'offset', offset: count }
}

function parseOpen(from: string, until: string, text: string): OffsetRange {
  const start: StartPoint = from === '' ? START : { kind: 'offset', offset: Number(from) }
  if (until === '') return { from: start, until: null }
  if (until === 'end') return { from: start, until: { kind: 'end' } }
  return from === ''
    ? { from: START, until: { kind: 'offset', offset: Number(until) } }
    : between(Number(from), Number(until), text)
}

function between(from: number, until: number, text: string): OffsetRange {
  if (until < from) throw new RangeError(`"${text}" ends before it begins`)
  return { from: { kind: 'offset', offset: from }, until: { kind: 'offset', offset: until } }
}

/** `T`, `T:U`, `:U`; times hold colons themselves, so that every colon is tried. */
function parseTimes(text: string, nowMs: number): OffsetRange {
  const whole = attempt(() => parseTimeMs(text, nowMs))
  if (whole !== null) return { from: { kind: 'time', timeMs: whole }, until: null }
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) {
    const [first, second] = [text.slice(0, at), text.slice(at + 1)]
    const fromMs = first === '' ? null : attempt(() => parseTimeMs(first, nowMs))
    if (first !== '' && fromMs === null) continue
    const until = second === '' ? null : parseStop(second, fromMs, nowMs)
    if (second !== '' && until === null) continue
    if (until?.kind === 'time' && fromMs !== null && until.timeMs < fromMs) {
      throw new RangeError(`"@${text}" ends before it begins`)
    }
    return { from: fromMs === null ? START : { kind: 'time', timeMs: fromMs }, until }
  }
  // says what a time looks like
  parseTimeMs(text, nowMs)
  throw refused(`@${text}`)
}

function parseStop(text: string, fromMs: number | null, nowMs: number): StopPoint | null {
  if (text === 'end') return { kind: 'end' }
  const span = fromMs === null ? null : attempt(() => parseSpanMs(text))
  if (span !== null) return { kind: 'time', timeMs: fromMs! + span }
  const timeMs = attempt(() => parseTimeMs(text, nowMs))
  return timeMs === null ? null : { kind: 'time', timeMs }
}

function attempt(parse: () => number): number | null {
  try {
    return parse()
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

const refused = (text: string) =>
  new RangeError(
    `"${text}" is no offset: start, end, +N, -N, N, N:M, N-M, :end, @TIME, @TIME:TIME or stored`,
  )
