/** What all threads have counted of each tenant, put together. HTTP front's thread. */
import type { TenantUse, TenantUseAtBroker, TenantUses } from '../admin/tenant-use.ts'
import type { TenantId } from '../base/ids.ts'
import { USE_KINDS, UseKind } from '../link/use-kinds.ts'
import { UseTableReader } from '../shared/use-table.ts'
import type { EngineWiring } from './wiring.ts'

/** Of one tenant, by the threads that have counted: sums over rows of the same kind. */
class Counted {
  readonly front = new Float64Array(USE_KINDS)
  /** Of fronts, for what a broker leads; by its id. */
  readonly read = new Map<number, Float64Array>()
  readonly brokers = new Map<number, Float64Array>()

  add(isBroker: boolean, brokerId: number, values: Float64Array): void {
    const sums = this.#sums(isBroker, brokerId)
    for (let kind = 0; kind < values.length; kind++) sums[kind]! += values[kind]!
  }

  #sums(isBroker: boolean, brokerId: number): Float64Array {
    if (brokerId === 0) return this.front
    const byBroker = isBroker ? this.brokers : this.read
    let sums = byBroker.get(brokerId)
    if (sums === undefined) {
      sums = new Float64Array(USE_KINDS)
      byBroker.set(brokerId, sums)
    }
    return sums
  }

  told(): TenantUse {
    const { front, read, brokers } = this
    const ids = [...new Set([...read.keys(), ...brokers.keys()])].sort((a, b) => a - b)
    let partitionChanges = 0
    for (const values of brokers.values()) partitionChanges += values[UseKind.PARTITION_CHANGES]!
    return {
      connections: front[UseKind.CONNECTIONS_NOW]!,
      connectionsLetIn: front[UseKind.CONNECTIONS]!,
      connectionsRefused: front[UseKind.CONNECTIONS_REFUSED]!,
      bytesIn: front[UseKind.BYTES_IN]!,
      bytesOut: front[UseKind.BYTES_OUT]!,
      requests: front[UseKind.REQUESTS]!,
      errors: front[UseKind.ERRORS]!,
      inFlightBytes: front[UseKind.IN_FLIGHT_BYTES_NOW]!,
      frontSeconds: front[UseKind.FRONT_NS]! / 1e9,
      partitionChanges,
      brokers: ids.map((id) => atBroker(id, read.get(id) ?? NOTHING, brokers.get(id) ?? NOTHING)),
    }
  }
}

const NOTHING = new Float64Array(USE_KINDS)

const atBroker = (
  brokerId: number,
  read: Float64Array,
  values: Float64Array,
): TenantUseAtBroker => ({
  brokerId,
  bytesIn: values[UseKind.BYTES_IN]!,
  bytesOut: read[UseKind.BYTES_OUT]!,
  commands: values[UseKind.REQUESTS]!,
  fetches: read[UseKind.REQUESTS]!,
  seconds: values[UseKind.BROKER_NS]! / 1e9,
  inFlightBytes: values[UseKind.IN_FLIGHT_BYTES_NOW]!,
})

export class TenantUseReader {
  readonly #reader: UseTableReader
  readonly #threads: EngineWiring['threads']

  constructor({ use, threads }: Pick<EngineWiring, 'use' | 'threads'>) {
    this.#reader = new UseTableReader(use)
    this.#threads = threads
  }

  /** All tenants that have rows, a walk over them: a quarter of a millisecond for each thousand. */
  readonly read = (): TenantUses => {
    const byTenant = new Map<TenantId, Counted>()
    const others = new Counted()
    this.#reader.each(({ tenantId, brokerId }, values, thread) => {
      let counted = tenantId === null ? others : byTenant.get(tenantId)
      if (counted === undefined) {
        counted = new Counted()
        byTenant.set(tenantId!, counted)
      }
      counted.add(this.#threads[thread]!.role === 'broker', brokerId, values)
    })
    return {
      of: (tenantId) => (byTenant.get(tenantId) ?? new Counted()).told(),
      has: (tenantId) => byTenant.has(tenantId),
      others: others.told(),
    }
  }
}
