/**
 * What a broker uses on behalf of each tenant: its thread's time, and what is counted beside that. One reading of the clock for each change from one tenant to
 * another, none for several commands of one tenant in a row: a command's time begins when it is known whose it is. Whatever takes this thread's core away
 * meanwhile counts, too. On the broker's thread.
 */
import type { Clock } from '../base/clock.ts'
import type { BrokerId, TenantId } from '../base/ids.ts'
import type { MetadataView } from '../image/view.ts'
import { TenantUse, type UseRows } from '../link/tenant-use.ts'
import { USE_KINDS, UseKind } from '../link/use-kinds.ts'

/** Rows are short, and a tenant has done nothing for so long: its row is another's. */
const IDLE_MS = 60_000

/** One tenant's, as long as it has not been released. */
export interface Used {
  readonly tenantId: TenantId
  /** Its row, or that of all that have none. */
  readonly values: Float64Array
  /** Of batches that are not acknowledged: as long as there are any, no other row is used for it. */
  inFlightBytes: number
  /** Commands and time as it was last looked whether it is idle. */
  seen: number
  /** Its row may be another's. */
  isReleased: boolean
}

/** What a tenant's work is done on: keeps at hand where it is counted. */
export interface Worked {
  readonly topic: { readonly tenantId: TenantId }
  /** Stored by {@link BrokerUse}. */
  used: Used | null
}

export interface BrokerUseOptions {
  /** null: nobody reads it. */
  readonly rows: UseRows | null
  readonly brokerId: BrokerId
  readonly clock: Clock
  readonly image: MetadataView
}

export class BrokerUse {
  readonly #options: BrokerUseOptions
  readonly #rows: TenantUse
  readonly #used = new Map<TenantId, Used>()
  /** Whose time runs; null: nobody's. */
  #current: Used | null = null
  #sinceMs = 0
  /** Somebody's time has begun, or gone on, since the last command. */
  #isKnown = false
  #lookedOffset = -1
  #idleAtMs = 0

  constructor(options: BrokerUseOptions) {
    this.#options = options
    this.#rows = new TenantUse(options.rows)
    // what a thread before this one had in flight went with it
    for (const tenantId of this.#rows.tenants())
      this.#of(tenantId).values[UseKind.IN_FLIGHT_BYTES_NOW] = 0
    const shared = options.rows?.shared[options.brokerId]
    if (shared !== undefined) shared[UseKind.IN_FLIGHT_BYTES_NOW] = 0
  }

  /** What this thread does from now on is on behalf of that replica's tenant. */
  turnTo(replica: Worked): void {
    this.#isKnown = true
    if (this.#options.rows !== null) this.#begin(this.#usedOf(replica))
  }

  /** The same, where no replica is at hand. */
  turnToTenant(tenantId: TenantId): void {
    this.#isKnown = true
    if (this.#options.rows !== null) this.#begin(this.#of(tenantId))
  }

  /** Nobody's from now on. */
  rest(): void {
    this.#isKnown = false
    if (this.#current === null) return
    this.#charge(this.#options.clock.monotonicMs())
    this.#current = null
  }

  /** With a command, on behalf of whoever it is. */
  came(bytes: number): void {
    if (this.#isKnown && this.#current !== null) this.#current.values[UseKind.BYTES_IN]! += bytes
  }

  /** A front's command is done: it was on behalf of whoever's time has run. */
  commandDone(): void {
    if (this.#isKnown && this.#current !== null) this.#current.values[UseKind.REQUESTS]!++
    this.#isKnown = false
  }

  /** More bytes of that replica's tenant wait for their acknowledgement, or, below 0, fewer. */
  hold(replica: Worked, bytes: number): void {
    if (this.#options.rows === null) return
    const used = this.#usedOf(replica)
    used.inFlightBytes += bytes
    used.values[UseKind.IN_FLIGHT_BYTES_NOW]! += bytes
  }

  /** Of what is decided on this thread, whoever's time runs. */
  partitionsChanged(tenantId: TenantId, partitions: number): void {
    if (this.#options.rows === null) return
    this.#of(tenantId).values[UseKind.PARTITION_CHANGES]! += partitions
  }

  /** Rows of tenants that are gone, and, where they are short, of those that do nothing, are another's. Now and then. */
  sweep(nowMs: number): void {
    const { image } = this.#options
    if (image.offset !== this.#lookedOffset) {
      this.#lookedOffset = image.offset
      for (const used of this.#used.values()) {
        if (image.tenant(used.tenantId) === undefined) this.#release(used)
      }
    }
    if (nowMs < this.#idleAtMs) return
    this.#idleAtMs = nowMs + IDLE_MS
    const isShort = this.#rows.isShort
    for (const used of this.#used.values()) {
      const seen = used.values[UseKind.REQUESTS]! + used.values[UseKind.BROKER_NS]!
      const isIdle = seen === used.seen
      used.seen = seen
      // those that share a row try again for one of their own
      if (!this.#rows.has(used.tenantId) || (isShort && isIdle)) this.#release(used)
    }
  }

  #begin(used: Used): void {
    if (used === this.#current) return
    const nowMs = this.#options.clock.monotonicMs()
    this.#charge(nowMs)
    this.#sinceMs = nowMs
    this.#current = used
  }

  #usedOf(replica: Worked): Used {
    const known = replica.used
    if (known !== null && !known.isReleased) return known
    const used = this.#of(replica.topic.tenantId)
    replica.used = used
    return used
  }

  #charge(nowMs: number): void {
    if (this.#current === null) return
    this.#current.values[UseKind.BROKER_NS]! += (nowMs - this.#sinceMs) * 1e6
  }

  #of(tenantId: TenantId): Used {
    const known = this.#used.get(tenantId)
    if (known !== undefined) return known
    const values = this.#rows.take(tenantId, this.#options.brokerId) ?? NOWHERE
    const used = { tenantId, values, inFlightBytes: 0, seen: 0, isReleased: false }
    this.#used.set(tenantId, used)
    return used
  }

  #release(used: Used): void {
    if (used.inFlightBytes !== 0) {
      this.#lookedOffset = -1
      return
    }
    if (used === this.#current) this.rest()
    used.isReleased = true
    this.#used.delete(used.tenantId)
    this.#rows.release(used.tenantId)
  }
}

const NOWHERE = new Float64Array(USE_KINDS)
