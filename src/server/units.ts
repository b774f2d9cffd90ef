/** Sizes, durations, counts and addresses as people write them; every function throws a plain sentence on what it refuses. */
import { isIPv6 } from 'node:net'
import { type HostPort, isUnspecified } from '../net/address.ts'

export {
  formatHostPort,
  type HostPort,
  isLoopback,
  isUnspecified,
  localHostOf,
} from '../net/address.ts'

/** What clients are told; without a port they are told those that are listened on. */
export interface Advertised {
  readonly host: string
  readonly port: number | null
}

/** One value of several was refused. */
export class RefusedPartError extends RangeError {
  readonly part: string

  constructor(part: string, limit: string) {
    super(limit)
    this.part = part
  }
}

const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }
const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
}

/** Bytes: `1073741824`, `512M`, `1.5G`; units are powers of 1,024, a trailing `B` or `iB` is allowed. */
export function parseBytes(value: unknown): number {
  const match = /^(\d+(?:\.\d+)?)\s*([KMG]?)(?:i?B)?$/i.exec(textOf(value))
  if (match === null) throw new RangeError('wants bytes, such as 512M or 2G')
  return Math.floor(Number(match[1]) * SIZE_UNITS[match[2]!.toUpperCase()]!)
}

/** Milliseconds: `500ms`, `8s`, `2m`, `1h`. The unit is required, so that nobody means seconds and gets milliseconds. */
export function parseDurationMs(value: unknown): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$/.exec(textOf(value))
  if (match === null) throw new RangeError('wants a duration with its unit, such as 8s or 500ms')
  return Math.round(Number(match[1]) * DURATION_UNITS[match[2]!]!)
}

/** A whole number within `min` and `max`, both included. */
export function parseCount(value: unknown, min: number, max: number): number {
  const text = textOf(value)
  const count = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(count >= min && count <= max)) {
    throw new RangeError(`wants a whole number from ${min} to ${max}`)
  }
  return count
}

export function parseSwitch(value: unknown): boolean {
  const text = textOf(value).toLowerCase()
  if (['true', 'yes', 'on', '1'].includes(text)) return true
  if (['false', 'no', 'off', '0'].includes(text)) return false
  throw new RangeError('wants true or false')
}

export function parseOneOf<Name extends string>(value: unknown, names: readonly Name[]): Name {
  const text = textOf(value)
  const found = names.find((name) => name === text)
  if (found === undefined) throw new RangeError(`wants one of ${names.join(', ')}`)
  return found
}

export function parseText(value: unknown): string {
  const text = textOf(value)
  if (text === '' || text.includes('\0')) throw new RangeError('wants text that is not empty')
  return text
}

/** `HOST:PORT`, `[IPv6]:PORT`; port 0 asks the system for a free one. */
export function parseHostPort(value: unknown): HostPort {
  const { host, port } = splitHostPort(value, 'wants HOST:PORT, such as 127.0.0.1:9092')
  if (port === null) throw new RangeError('wants HOST:PORT, such as 127.0.0.1:9092')
  return { host, port }
}

/** `HOST` or `HOST:PORT`; a port, where given, is from 1. */
export function parseAdvertised(value: unknown): Advertised {
  const wanted = 'wants HOST or HOST:PORT, such as kafka.example.org:9092'
  const advertised = splitHostPort(value, wanted)
  if (advertised.port === 0) throw new RangeError(`${wanted}, with a port from 1 to 65535`)
  if (isUnspecified(advertised.host)) {
    throw new RangeError(`${wanted}: no client can connect to ${advertised.host}`)
  }
  return advertised
}

/** The values of an option that may be given more than once, joined by commas, or as a list in a file. */
export function parseList<Item>(
  value: unknown,
  itemsMax: number,
  parse: (part: string) => Item,
): Item[] {
  const parts = (Array.isArray(value) ? value : [value]).flatMap((item) => textOf(item).split(','))
  if (parts.length > itemsMax) throw new RangeError(`wants at most ${itemsMax} values`)
  return parts.map((part) => {
    try {
      return parse(part.trim())
    } catch (error) {
      throw new RefusedPartError(part.trim(), (error as Error).message)
    }
  })
}

/** Bytes for people: `512 MB`, `1.5 GB`, in the powers of 1,024 that {@link parseBytes} reads. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ['GB', 2 ** 30],
    ['MB', 2 ** 20],
    ['KB', 2 ** 10],
  ] as const) {
    if (bytes >= size) return `${Number((bytes / size).toFixed(1))} ${unit}`
  }
  return `${bytes} bytes`
}

function splitHostPort(value: unknown, wanted: string): { host: string; port: number | null } {
  const text = textOf(value)
  const match = /^(?:\[([^\s[\]]+)\]|([^\s:/[\],=]+))(?::(\d{1,5}))?$/.exec(text)
  if (match === null || (match[1] !== undefined && !isIPv6(match[1]))) {
    // an IPv6 address as it is written elsewhere
    throw new RangeError(isIPv6(text) ? `${wanted}; IPv6 goes in brackets: [${text}]` : wanted)
  }
  const port = match[3] === undefined ? null : Number(match[3])
  if (port !== null && port > 65_535) throw new RangeError(`${wanted}, with a port up to 65535`)
  return { host: (match[1] ?? match[2])!, port }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value.trim()
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new RangeError('wants a plain value')
}
