/** What tenants use, as it is told to operators. HTTP front's thread. */
import type { TenantId } from '../base/ids.ts'

/** At one broker. Counts only grow, from where the tenant's row begins. */
export interface TenantUseAtBroker {
  readonly brokerId: number
  /** Of batches that came, and of calls to coordinators. */
  readonly bytesIn: number
  /** Of batches in answers, read from what this broker leads. */
  readonly bytesOut: number
  /** Batches, looks for fetches, calls to coordinators and the like. */
  readonly commands: number
  /** Partitions in answers to fetches. */
  readonly fetches: number
  /** Of its thread. */
  readonly seconds: number
  /** Of batches that wait for their acknowledgement. */
  readonly inFlightBytes: number
}

/** Counts only grow, from where the tenant's row begins. */
export interface TenantUse {
  readonly connections: number
  readonly connectionsLetIn: number
  readonly connectionsRefused: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly requests: number
  readonly errors: number
  /** Of requests and replies. */
  readonly inFlightBytes: number
  /** Of the front's thread. */
  readonly frontSeconds: number
  readonly partitionChanges: number
  /** Those that have done something for it, by id. */
  readonly brokers: readonly TenantUseAtBroker[]
}

/** As it was when it was read. */
export interface TenantUses {
  of(tenantId: TenantId): TenantUse
  has(tenantId: TenantId): boolean
  /** Of all that have no row of their own, all brokers together. */
  readonly others: TenantUse
}

/** A walk over shared memory: once for each answer. */
export type ReadTenantUses = () => TenantUses

/** As the API tells it. */
export function useBody({ brokers, connections: _now, frontSeconds, ...use }: TenantUse) {
  const brokerSeconds = brokers.reduce((sum, { seconds }) => sum + seconds, 0)
  const ms = (seconds: number) => Math.round(seconds * 1_000)
  return { ...use, frontMs: ms(frontSeconds), brokerMs: ms(brokerSeconds) }
}
