/** Whose connections they are, as far as shares of memory and time go: a tenant, or those of whom that is not known yet. Front's thread. */
import type { KafkaConnection } from './connection.ts'
import { OWNER_COUNTS, OwnerCount } from './owner-counts.ts'
import { READ_BYTES } from './receive.ts'

/** A single read takes this at least, however many connections its owner has, … */
const READ_BYTES_MIN = 4 * 1024
/** … and what the connections of one owner can read at once, before they are stopped, is about this. */
const READ_AHEAD_BYTES = 32 * 2 ** 20

/** One of a front's {@link Owners}. What others store in it is theirs: see where it is set. */
export class Owner {
  /** Of requests that are coming in or being worked on: stored by `InFlightBudget`. */
  requestBytes = 0
  /** Of replies that have not left user space: stored by `ReplyBudget`. */
  replyBytes = 0
  /** Time that it has had and not yet paid back by waiting, below 0 when it has some to spend: stored by `ReadTurns`. */
  debtMs = 0
  /** Until when that is worked out: monotonic milliseconds. */
  settledAtMs = 0
  /** Of the time that it had, what is not shared out yet: stored by `ReadTurns`. */
  countedMs = 0
  /** Connections with more to hand over, whose turn is over, in the order of their turns: stored by `ReadTurns`. */
  readonly yielded = new Set<KafkaConnection>()
  /** Its last turn went to connections that had come in, and not to those that had yielded: stored by `ReadTurns`. */
  hasOpened = false
  /** What one of its connections reads at most in one go. */
  readBytes = READ_BYTES
  /** By {@link OwnerCount}; others' as well, perhaps. */
  counts: Float64Array
  /** For the log: the tenant's name; null where that is not known. */
  readonly name: string | null
  readonly #owners: Owners
  #connections = 0

  constructor(owners: Owners, counts: Float64Array, name: string | null) {
    this.name = name
    this.#owners = owners
    this.counts = counts
  }

  /** As much of `buffer` as one read may take. Asked for at each read: a view of its own only where that is not all. */
  shareOf(buffer: Uint8Array): Uint8Array {
    return this.readBytes < buffer.length ? buffer.subarray(0, this.readBytes) : buffer
  }

  get connections(): number {
    return this.#connections
  }

  /** Nothing is open or held on its behalf. */
  get isIdle(): boolean {
    return this.#connections === 0 && this.requestBytes === 0 && this.replyBytes === 0
  }

  /** Somebody else is connected, too. */
  get isBeside(): boolean {
    return this.#owners.connected > (this.#connections > 0 ? 1 : 0)
  }

  /** The same, or somebody else may come: there is to be room for whoever that is. */
  get hasCompany(): boolean {
    return this.isBeside || this.#owners.mayCome()
  }

  /** What it counted in may be another's: what comes late, of connections that have gone, is counted nowhere. */
  letGo(): void {
    this.counts = new Float64Array(OWNER_COUNTS)
  }

  joined(): void {
    if (this.#connections++ === 0) this.#owners.connected++
    this.counts[OwnerCount.CONNECTIONS_NOW]!++
    this.counts[OwnerCount.CONNECTIONS]!++
    this.#sizeReads()
  }

  left(): void {
    if (--this.#connections === 0) this.#owners.connected--
    this.counts[OwnerCount.CONNECTIONS_NOW]!--
    this.#sizeReads()
  }

  /** More or fewer bytes are held on its behalf. */
  addRequestBytes(bytes: number): void {
    this.requestBytes += bytes
    this.counts[OwnerCount.IN_FLIGHT_BYTES_NOW]! += bytes
  }

  addReplyBytes(bytes: number): void {
    this.replyBytes += bytes
    this.counts[OwnerCount.IN_FLIGHT_BYTES_NOW]! += bytes
  }

  #sizeReads(): void {
    const share = READ_AHEAD_BYTES / Math.max(1, this.#connections)
    const power = 2 ** Math.floor(Math.log2(share))
    this.readBytes = Math.max(READ_BYTES_MIN, Math.min(READ_BYTES, power))
  }
}

/** All owners of one front's connections. */
export class Owners {
  /** Those that have connections: stored by them. */
  connected = 0
  /** There are others, though they may not be connected. */
  readonly mayCome: () => boolean
  /** Of connections that have not said whose they are. */
  readonly strangers: Owner

  /** `counts`: those of strangers. */
  constructor(mayCome: () => boolean = () => false, counts?: Float64Array) {
    this.mayCome = mayCome
    this.strangers = this.create(counts)
  }

  create(counts: Float64Array = new Float64Array(OWNER_COUNTS), name: string | null = null): Owner {
    return new Owner(this, counts, name)
  }
}
