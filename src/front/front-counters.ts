import type { Clock } from '../base/clock.ts'
import type { TenantId } from '../base/ids.ts'
import {
  COUNTER_KINDS,
  LATENCY_BOUNDS_US,
  LATENCY_FROM,
  NET_COUNTS,
  NET_COUNTS_FROM,
  RequestCounter,
  requestKind,
} from '../link/counters.ts'
import { errorClassOf } from '../link/error-class.ts'
import type { Api } from '../protocol/api.ts'
import { errorWalkOf, type OnError } from './response-errors.ts'

/** Where a front's counters go: this thread's own slots of a row, by kind. Rows are given out by another thread. */
export interface FrontCounterRows {
  /** Of the front as a whole. */
  readonly own: Float64Array
  /** Of (tenant, broker), broker 0 for what is no broker's; null for none, and then it is not counted. */
  of(tenantId: TenantId, brokerId: number): Float64Array | null
}

/** One tenant's slots, at hand wherever something of the tenant's is counted. */
export interface TenantCounts {
  /** Requests by API. */
  readonly requests: Float64Array
  /** By broker id; index 0 is nobody's. */
  readonly brokers: readonly Float64Array[]
}

interface CountedApi {
  readonly kind: number
  /** Of the latency buckets; −1 for none. */
  readonly buckets: number
  readonly eachError: (response: unknown, onError: OnError) => void
}

/** Within a turn the clock is read for every so many answers: reading it costs more than all that is counted. */
const ANSWERS_PER_CLOCK = 16

/** For what is not counted: written to and never read. */
const nowhere: Float64Array = new Float64Array(COUNTER_KINDS)

/** What a front counts: additions to slots that only this thread stores. Nothing is allocated or looked up per request. */
export class FrontCounters {
  /** Of the front as a whole. */
  readonly own: Float64Array
  /** Of those, the slots of `net`. */
  readonly net: Float64Array
  readonly #rows: FrontCounterRows | null
  readonly #brokersMax: number
  readonly #apis: readonly (CountedApi | undefined)[]
  readonly #tenants = new Map<TenantId, TenantCounts>()
  readonly #clock: Clock
  #inTurn = false
  /** Microseconds, as of the turn's beginning or later. */
  #turnUs = 0
  #answersTimed = 0
  // what `#onError` counts for
  #values: Float64Array = nowhere
  #errorsFrom = 0
  /** … and of the same answer. */
  #errors = 0

  constructor(
    rows: FrontCounterRows | null,
    apis: readonly Api[],
    brokersMax: number,
    clock: Clock,
  ) {
    this.#rows = rows
    this.#clock = clock
    this.#brokersMax = brokersMax
    this.own = rows?.own ?? new Float64Array(COUNTER_KINDS)
    this.net = this.own.subarray(NET_COUNTS_FROM, NET_COUNTS_FROM + NET_COUNTS)
    const byKey: CountedApi[] = []
    for (const api of apis) {
      const kind = requestKind(api.key)
      const buckets = LATENCY_FROM[api.key] ?? -1
      if (kind >= 0) byKey[api.key] = { kind, buckets, eachError: errorWalkOf(api) }
    }
    this.#apis = byKey
  }

  /** The slots of a tenant: asked for when a connection becomes that tenant's. */
  ofTenant(tenantId: TenantId): TenantCounts {
    const known = this.#tenants.get(tenantId)
    if (known !== undefined) return known
    const of = (brokerId: number) => this.#rows?.of(tenantId, brokerId) ?? nowhere
    const brokers = Array.from({ length: this.#brokersMax + 1 }, (_, id) => of(id))
    const counts = { requests: brokers[0]!, brokers }
    this.#tenants.set(tenantId, counts)
    return counts
  }

  /** Of connections that have slots these stay. */
  forgetTenants(isGone: (tenantId: TenantId) => boolean): void {
    for (const tenantId of this.#tenants.keys())
      if (isGone(tenantId)) this.#tenants.delete(tenantId)
  }

  /** A turn of the front begins: until it ends, answers are timed by its clock. */
  beginTurn(nowMs: number): void {
    this.#inTurn = true
    this.#turnUs = (nowMs * 1000) | 0
    this.#answersTimed = 0
  }

  endTurn(): void {
    this.#inTurn = false
  }

  /** Microseconds since `atUs`, an int32 that wraps; 0 for what is more than half an hour ago. */
  since(atUs: number): number {
    if (!this.#inTurn || ++this.#answersTimed >= ANSWERS_PER_CLOCK) {
      this.#answersTimed = 0
      this.#turnUs = (this.#clock.monotonicMs() * 1000) | 0
    }
    return Math.max(0, (this.#turnUs - atUs) | 0)
  }

  /** A request has its answer; `responseBytes` 0 and `response` null where none is sent. Returns how many errors it has. */
  answered(
    { requests }: TenantCounts,
    apiKey: number,
    timeUs: number,
    requestBytes: number,
    responseBytes: number,
    response: unknown,
  ): number {
    const api = this.#apis[apiKey]
    if (api === undefined) return 0
    const { kind, buckets } = api
    requests[kind + RequestCounter.REQUESTS]!++
    requests[kind + RequestCounter.TIME_US]! += timeUs
    requests[kind + RequestCounter.REQUEST_BYTES]! += requestBytes
    requests[kind + RequestCounter.RESPONSE_BYTES]! += responseBytes
    if (buckets >= 0) requests[buckets + bucketOf(timeUs)]!++
    if (response === null) return 0
    this.#errors = 0
    this.#values = requests
    this.#errorsFrom = kind + RequestCounter.ERRORS
    api.eachError(response, this.#onError)
    return this.#errors
  }

  /** An error of a request that gets no answer. */
  failed({ requests }: TenantCounts, apiKey: number, error: number): void {
    const api = this.#apis[apiKey]
    if (api !== undefined) requests[api.kind + RequestCounter.ERRORS + errorClassOf(error)]!++
  }

  readonly #onError = (error: number): void => {
    this.#values[this.#errorsFrom + errorClassOf(error)]!++
    this.#errors++
  }
}

function bucketOf(us: number): number {
  let at = 0
  while (at < LATENCY_BOUNDS_US.length && us > LATENCY_BOUNDS_US[at]!) at++
  return at
}
