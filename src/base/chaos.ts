/** Faults on demand: what can be asked of an engine that was started with `--chaos`, checked once for all ways in. */

export type DiskFaultCode = 'EIO' | 'ENOSPC'

/** Brokers by number, from 1. `forMs` null: until it is mended. */
export type ChaosRequest =
  | { readonly action: 'kill-broker'; readonly broker: number }
  | { readonly action: 'pause-broker'; readonly broker: number; readonly forMs: number }
  | {
      readonly action: 'fail-disk'
      readonly broker: number
      readonly code: DiskFaultCode
      readonly forMs: number | null
    }
  | {
      readonly action: 'slow-disk'
      readonly broker: number
      readonly byMs: number
      readonly forMs: number | null
    }
  | { readonly action: 'heal-disk'; readonly broker: number }
  | {
      readonly action: 'partition'
      readonly broker: number
      readonly other: number
      readonly forMs: number | null
    }
  | { readonly action: 'heal' }

/** `off`: the engine takes no such orders. `invalid`: it cannot be meant. `conflict`: not as things are now. */
export type ChaosRefusalReason = 'off' | 'invalid' | 'conflict'

export interface ChaosRefusal {
  readonly reason: ChaosRefusalReason
  readonly detail: string
}

export interface ChaosAnswer {
  /** null: it was done. */
  readonly refused: ChaosRefusal | null
  /** What is at fault on demand now, a sentence each. */
  readonly faults: readonly string[]
}

export class ChaosError extends Error {
  override name = 'ChaosError'
  readonly reason: ChaosRefusalReason

  constructor(reason: ChaosRefusalReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/** Longer ones are no faults any more. */
export const CHAOS_FOR_MS_MAX = 3_600_000
export const CHAOS_SLOW_MS_MAX = 10_000
/** As many as there can be. */
const BROKER_MAX = 65_535

/** Which fields each action takes, besides `action`. */
const FIELDS: Readonly<Record<ChaosRequest['action'], readonly string[]>> = {
  'kill-broker': ['broker'],
  'pause-broker': ['broker', 'forMs'],
  'fail-disk': ['broker', 'code', 'forMs'],
  'slow-disk': ['broker', 'byMs', 'forMs'],
  'heal-disk': ['broker'],
  partition: ['broker', 'other', 'forMs'],
  heal: [],
}

/** Throws {@link ChaosError} that names the field. Whether there are such brokers is the engine's to say. */
export function parseChaos(value: unknown): ChaosRequest {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(
      'an object with an action is wanted, such as {"action": "kill-broker", "broker": 2}',
    )
  }
  const given = value as Readonly<Record<string, unknown>>
  const action = Object.keys(FIELDS).find((name) => name === given.action)
  if (action === undefined) {
    throw invalid(`action: ${shown(given.action)} is refused, it wants one of ${names()}`)
  }
  const known = action as ChaosRequest['action']
  for (const name of Object.keys(given)) {
    if (name === 'action' || FIELDS[known].includes(name)) continue
    const wanted = FIELDS[known].length === 0 ? 'no more' : FIELDS[known].join(', ')
    throw invalid(`${name}: ${known} takes ${wanted}`)
  }
  const broker = () => count(given, 'broker', 1, BROKER_MAX)
  const forMs = () =>
    given.forMs === undefined || given.forMs === null
      ? null
      : count(given, 'forMs', 1, CHAOS_FOR_MS_MAX)
  switch (known) {
    case 'kill-broker':
    case 'heal-disk':
      return { action: known, broker: broker() }
    case 'pause-broker':
      return { action: known, broker: broker(), forMs: count(given, 'forMs', 1, CHAOS_FOR_MS_MAX) }
    case 'fail-disk':
      return { action: known, broker: broker(), code: codeOf(given.code), forMs: forMs() }
    case 'slow-disk': {
      const byMs = count(given, 'byMs', 1, CHAOS_SLOW_MS_MAX)
      return { action: known, broker: broker(), byMs, forMs: forMs() }
    }
    case 'partition': {
      const other = count(given, 'other', 1, BROKER_MAX)
      if (other === given.broker) throw invalid('other: a broker always reaches itself')
      return { action: known, broker: broker(), other, forMs: forMs() }
    }
    case 'heal':
      return { action: known }
    default:
      return known satisfies never
  }
}

const names = (): string => Object.keys(FIELDS).join(', ')

function codeOf(value: unknown): DiskFaultCode {
  if (value === undefined) return 'EIO'
  if (value === 'EIO' || value === 'ENOSPC') return value
  throw invalid(`code: ${shown(value)} is refused, it wants EIO or ENOSPC`)
}

function count(
  given: Readonly<Record<string, unknown>>,
  name: string,
  min: number,
  max: number,
): number {
  const value = given[name]
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) {
    return value as number
  }
  throw invalid(
    `${name}: ${shown(value)} is refused, it wants a whole number from ${min} to ${max}`,
  )
}

/** Of what somebody sent, no more than a line. */
const shown = (value: unknown): string =>
  value === undefined ? 'nothing' : String(JSON.stringify(value)).slice(0, 100)

const invalid = (detail: string): ChaosError => new ChaosError('invalid', detail)
