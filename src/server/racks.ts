/** Which rack each broker stands in (Kafka's broker.rack), as an option gives it. */
import type { EngineSettings } from './options.ts'
import { RefusedPartError } from './units.ts'

/** By broker number, in digits. */
export type Racks = Readonly<Record<string, string>>

const RACK_CHARS_MAX = 249
const WANTS = 'wants BROKER=RACK, such as 1=a,2=b,3=c'

/** A mapping, or `BROKER=RACK` once or several times, separated by commas. Throws a RangeError for anything else. */
export function parseRacks(value: unknown): Racks {
  const racks: Record<string, string> = {}
  for (const [broker, rack] of pairsOf(value)) {
    const part = `${broker}=${rack}`
    if (!/^[1-9]\d{0,4}$/.test(broker)) throw new RefusedPartError(part, WANTS)
    if (rack === '' || rack.length > RACK_CHARS_MAX) {
      throw new RefusedPartError(part, `wants a rack of 1 to ${RACK_CHARS_MAX} characters`)
    }
    if (racks[broker] !== undefined) {
      throw new RefusedPartError(part, `names broker ${broker} a second time`)
    }
    racks[broker] = rack
  }
  return racks
}

function pairsOf(value: unknown): [broker: string, rack: string][] {
  if (Array.isArray(value)) return value.flatMap(pairsOf)
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).map(([broker, rack]) => [broker, String(rack).trim()])
  }
  return String(value)
    .split(',')
    .map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new RefusedPartError(pair, WANTS)
      return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
    })
}

/** Throws an Error that names the option where it speaks of a broker that there is not. */
export function checkRacks({ racks, brokers }: Pick<EngineSettings, 'racks' | 'brokers'>): void {
  const unknown = Object.keys(racks).find((broker) => Number(broker) > brokers)
  if (unknown === undefined) return
  throw new Error(
    `option --rack names broker ${unknown}, but there ${brokers === 1 ? 'is one broker' : `are ${brokers} brokers`}`,
  )
}
