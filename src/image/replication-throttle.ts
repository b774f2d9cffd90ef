/** How fast replicas that do not keep up may be copied (KIP-73): per broker a rate, per topic the replicas that it holds for. */
import type { BrokerId } from '../base/ids.ts'
import type { BrokerConfigLayers } from './config-layers.ts'

export const LEADER_THROTTLED_RATE = 'leader.replication.throttled.rate'
export const FOLLOWER_THROTTLED_RATE = 'follower.replication.throttled.rate'

/** Bytes a second; infinite where nothing was set. */
export interface ThrottleRates {
  /** Of what others copy from this broker. */
  readonly leader: number
  /** Of what this broker copies. */
  readonly follower: number
}

const ratesOf = new WeakMap<BrokerConfigLayers, ThrottleRates>()

/** `layers` are made anew whenever something in them changes. */
export function throttleRates(layers: BrokerConfigLayers): ThrottleRates {
  let rates = ratesOf.get(layers)
  if (rates === undefined) {
    const rate = (name: string): number => {
      const value = Number(layers.broker[name] ?? layers.defaults[name] ?? Number.NaN)
      return Number.isNaN(value) ? Number.POSITIVE_INFINITY : value
    }
    rates = { leader: rate(LEADER_THROTTLED_RATE), follower: rate(FOLLOWER_THROTTLED_RATE) }
    ratesOf.set(layers, rates)
  }
  return rates
}

const setsOf = new WeakMap<readonly string[], ReadonlySet<string>>()

/** Whether a topic's list names the replica of a partition on that broker. */
export function isThrottledReplica(
  list: readonly string[],
  index: number,
  broker: BrokerId,
): boolean {
  if (list.length === 0) return false
  let set = setsOf.get(list)
  if (set === undefined) {
    set = new Set(list)
    setsOf.set(list, set)
  }
  return set.has('*') || set.has(`${index}:${broker}`)
}
