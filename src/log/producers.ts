import { ErrorCode } from '../base/error-code.ts'
import { addToSequence } from '../record/batch.ts'
import type { SequenceFault } from './outcomes.ts'
import { RefusedProducers } from './refused-producers.ts'

/** Batches remembered per producer, as Kafka: with more requests in flight duplicates cannot be told. */
const BATCHES_KEPT = 5
/** Numbers kept per batch: last sequence, last offset, offset delta, timestamp. */
const FIELDS = 4

/** Remembered per partition, but for those of open transactions. Kafka has no bound but time. */
export const PRODUCERS_MAX = 20_000
/** This share is forgotten at a time, so that the way to the longest idle is not gone for each one. */
const FORGOTTEN_SHARE = 1 / 64

/** A producer as a snapshot holds it: the state after its last batch. */
export interface ProducerSnapshotEntry {
  readonly producerId: number
  readonly epoch: number
  readonly lastSequence: number
  readonly lastOffset: number
  readonly offsetDelta: number
  readonly timestampMs: number
  readonly coordinatorEpoch: number
  readonly txnFirstOffset: number
}

const NO_BATCHES: number[] = []

/** What is known of one producer in one partition: its epoch and its last batches, newest at {@link newest}. */
class Producer {
  readonly producerId: number
  epoch = -1
  count = 0
  newest = 0
  /** When it last wrote, on our own clock: CreateTime would let a writer of old records be forgotten at once. */
  lastSeenMs = 0
  coordinatorEpoch = -1
  txnFirstOffset = -1
  /** The turn in which {@link Undo} last saved it. */
  savedInTurn = -1
  /** It has written again since it was put in its place of the table's order. */
  wroteAgain = false
  /** Room for none, for one, and with the second for all that are kept: of many ids there is one batch. */
  batches: number[] = NO_BATCHES

  constructor(producerId: number) {
    this.producerId = producerId
  }

  get lastSequence(): number {
    return this.count === 0 ? -1 : this.batches[this.newest * FIELDS]!
  }

  get lastOffset(): number {
    return this.count === 0 ? -1 : this.batches[this.newest * FIELDS + 1]!
  }

  add(lastSequence: number, lastOffset: number, delta: number, timestampMs: number): void {
    this.newest = this.count === 0 ? 0 : (this.newest + 1) % BATCHES_KEPT
    if (this.count < BATCHES_KEPT) this.count++
    if (this.batches.length === 0) {
      this.batches = [lastSequence, lastOffset, delta, timestampMs]
      return
    }
    const at = this.newest * FIELDS
    this.batches[at] = lastSequence
    this.batches[at + 1] = lastOffset
    this.batches[at + 2] = delta
    this.batches[at + 3] = timestampMs
  }

  /** As of its batch before the `age` newest ones. */
  entry(age: number): ProducerSnapshotEntry {
    const some = this.count > 0
    const at = ((this.newest - age + BATCHES_KEPT) % BATCHES_KEPT) * FIELDS
    return {
      producerId: this.producerId,
      epoch: this.epoch,
      lastSequence: some ? this.batches[at]! : -1,
      lastOffset: some ? this.batches[at + 1]! : -1,
      offsetDelta: some ? this.batches[at + 2]! : 0,
      timestampMs: this.lastSeenMs,
      coordinatorEpoch: this.coordinatorEpoch,
      txnFirstOffset: this.txnFirstOffset,
    }
  }

  /** So that {@link copyFrom} has room for whatever comes. */
  withRoom(): this {
    this.batches = new Array<number>(BATCHES_KEPT * FIELDS).fill(-1)
    return this
  }

  copyFrom(other: Producer): void {
    this.epoch = other.epoch
    this.count = other.count
    this.newest = other.newest
    this.lastSeenMs = other.lastSeenMs
    this.coordinatorEpoch = other.coordinatorEpoch
    this.txnFirstOffset = other.txnFirstOffset
    // what is beyond the count in either says nothing
    const length = Math.min(this.batches.length, other.batches.length)
    for (let i = 0; i < length; i++) this.batches[i] = other.batches[i]!
  }
}

/** A producer as it was before the turn. */
interface Saved {
  producer: Producer
  readonly before: Producer
  isNew: boolean
  /** Of its first batch of the turn. */
  epoch: number
  baseSequence: number
}

/** A batch of an idempotent producer, as its header has it. */
export interface ProducerBatch {
  producerId: number
  epoch: number
  baseSequence: number
  lastOffsetDelta: number
}

/** What {@link ProducerTable.check} found. */
export interface SequenceVerdict {
  error: ErrorCode
  fault: SequenceFault | null
  /** The batch is there already, with these offsets and that timestamp. */
  duplicate: boolean
  baseOffset: number
  lastOffset: number
  timestampMs: number
  message: string | null
}

export const newVerdict = (): SequenceVerdict => ({
  error: ErrorCode.NONE,
  fault: null,
  duplicate: false,
  baseOffset: -1,
  lastOffset: -1,
  timestampMs: -1,
  message: null,
})

/**
 * The idempotent producers of one partition (KIP-98): which batch each one wrote last. Changes of the turn can be
 * undone until {@link commit}. On the broker's thread; allocates only for a producer not seen before, and for the second
 * batch of one. So many are remembered at most: with more, the longest idle are forgotten as if they had expired.
 */
export class ProducerTable {
  readonly #producers = new Map<number, Producer>()
  readonly #saved: Saved[] = []
  readonly #refused = new RefusedProducers()
  readonly #max: number
  /** At which those are looked for who are to be forgotten. */
  #limit: number
  #savedCount = 0
  #turn = 0
  #forgotten = 0

  constructor(max = PRODUCERS_MAX) {
    this.#max = this.#limit = max
  }

  /** Of those that were forgotten for want of room, how many so far. */
  get forgotten(): number {
    return this.#forgotten
  }

  get size(): number {
    return this.#producers.size
  }

  /** Of the producer's newest batch; −1 for none. */
  lastOffsetOf(producerId: number): number {
    const known = this.#producers.get(producerId)
    return known?.lastOffset ?? -1
  }

  /** Judges a batch before it is appended, by Kafka's rules (ProducerAppendInfo). Changes nothing. */
  check(batch: Readonly<ProducerBatch>, out: SequenceVerdict): void {
    out.error = ErrorCode.NONE
    out.fault = null
    out.duplicate = false
    out.message = null
    const known = this.#producers.get(batch.producerId)
    // Unknown, perhaps because it was forgotten: any sequence is taken, as Kafka does since 2.5 (KIP-360).
    if (known === undefined || known.epoch < 0) {
      this.#checkUnknown(batch, out)
      return
    }
    const { epoch, baseSequence } = batch
    if (epoch < known.epoch) {
      out.error = ErrorCode.INVALID_PRODUCER_EPOCH
      out.fault = 'producerFenced'
      out.message = `Producer ${batch.producerId} has epoch ${known.epoch} by now, this batch ${epoch}`
      return
    }
    if (epoch > known.epoch) {
      if (baseSequence === 0) return
      out.error = ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
      out.fault = 'epochBeginsLate'
      out.message = `Producer ${batch.producerId} begins epoch ${epoch} with sequence ${baseSequence}, not with 0`
      return
    }
    const lastSequence = addToSequence(baseSequence, batch.lastOffsetDelta)
    if (this.#findDuplicate(known, lastSequence, batch.lastOffsetDelta, out)) return
    const last = known.lastSequence
    if (last === -1 || baseSequence === addToSequence(last, 1)) return
    out.error = ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    out.fault = 'outOfSequence'
    out.message = `Producer ${batch.producerId} sent sequence ${baseSequence} after ${last}`
  }

  /** One that was refused must come before it. */
  #checkUnknown(batch: Readonly<ProducerBatch>, out: SequenceVerdict): void {
    const first = this.#refused.before(batch)
    if (first < 0) return
    out.error = ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    out.fault = 'outOfSequence'
    out.message = `Producer ${batch.producerId} has sequence ${batch.baseSequence}, and ${first} was refused before`
  }

  /** A batch was refused that its client will send again: what follows on it must not go first. */
  refused(batch: Readonly<ProducerBatch>, nowMs: number): void {
    if (!this.#producers.has(batch.producerId)) this.#refused.note(batch, nowMs)
  }

  #findDuplicate(known: Producer, lastSequence: number, delta: number, out: SequenceVerdict) {
    for (let i = 0; i < known.count; i++) {
      const at = i * FIELDS
      if (known.batches[at] !== lastSequence || known.batches[at + 2] !== delta) continue
      out.duplicate = true
      out.lastOffset = known.batches[at + 1]!
      out.baseOffset = out.lastOffset - delta
      out.timestampMs = known.batches[at + 3]!
      return true
    }
    return false
  }

  /** Takes note of a batch that was appended. */
  append(
    batch: Readonly<ProducerBatch>,
    lastOffset: number,
    timestampMs: number,
    nowMs: number,
  ): void {
    let producer = this.#producers.get(batch.producerId)
    const isNew = producer === undefined
    if (producer === undefined) {
      producer = new Producer(batch.producerId)
      this.#producers.set(batch.producerId, producer)
    }
    producer.wroteAgain = !isNew
    this.#save(producer, isNew, batch)
    this.#refused.took(batch.producerId)
    if (batch.epoch !== producer.epoch) {
      producer.epoch = batch.epoch
      producer.count = 0
    }
    const lastSequence = addToSequence(batch.baseSequence, batch.lastOffsetDelta)
    producer.add(lastSequence, lastOffset, batch.lastOffsetDelta, timestampMs)
    producer.lastSeenMs = nowMs
  }

  #save(producer: Producer, isNew: boolean, batch: Readonly<ProducerBatch>): void {
    if (producer.savedInTurn === this.#turn) return
    producer.savedInTurn = this.#turn
    let saved = this.#saved[this.#savedCount]
    if (saved === undefined) {
      saved = { producer, before: new Producer(-1).withRoom(), isNew, epoch: -1, baseSequence: -1 }
      this.#saved.push(saved)
    }
    saved.producer = producer
    saved.isNew = isNew
    saved.epoch = batch.epoch
    saved.baseSequence = batch.baseSequence
    saved.before.copyFrom(producer)
    this.#savedCount++
  }

  /** What was appended since the last commit is in the log. */
  commit(): void {
    if (this.#savedCount === 0) return
    this.#savedCount = 0
    this.#turn++
    if (this.#producers.size > this.#limit) this.#forgetIdle()
  }

  /**
   * From those that came first on: whoever has written since goes to the end of the order instead, once; that is nearly the
   * order of their last writes, and costs an append nothing.
   */
  #forgetIdle(): void {
    const producers = this.#producers
    const wanted = Math.floor(this.#max * (1 - FORGOTTEN_SHARE))
    let looks = 2 * producers.size
    for (const producer of producers.values()) {
      if (producers.size <= wanted || looks-- === 0) break
      producers.delete(producer.producerId)
      if (producer.wroteAgain || producer.txnFirstOffset >= 0) {
        producer.wroteAgain = false
        producers.set(producer.producerId, producer)
      } else this.#forgotten++
    }
    // with too many open transactions it is not looked again at each append
    const isEnough = producers.size <= wanted
    this.#limit = isEnough ? this.#max : Math.max(this.#max, producers.size + this.#max - wanted)
  }

  /** What was appended since the last commit is not in the log. */
  undo(): void {
    for (let i = this.#savedCount - 1; i >= 0; i--) {
      const { producer, before, isNew, epoch, baseSequence } = this.#saved[i]!
      if (isNew) {
        const { producerId, lastSeenMs } = producer
        this.#producers.delete(producerId)
        this.#refused.note({ producerId, epoch, baseSequence, lastOffsetDelta: 0 }, lastSeenMs)
      } else producer.copyFrom(before)
    }
    this.commit()
  }

  /** Forgets producers that have not written for `expirationMs`. Returns how many. */
  expire(nowMs: number, expirationMs: number): number {
    let gone = 0
    this.#refused.expire(nowMs)
    for (const producer of this.#producers.values()) {
      if (producer.txnFirstOffset >= 0 || nowMs - producer.lastSeenMs < expirationMs) continue
      this.#producers.delete(producer.producerId)
      gone++
    }
    return gone
  }

  clear(): void {
    this.commit()
    this.#producers.clear()
  }

  /** As {@link entries}, with the time of the newest batch instead of ours; −1 for none. */
  described() {
    return this.entries(Number.POSITIVE_INFINITY).map((entry) => {
      const { batches, newest, count } = this.#producers.get(entry.producerId)!
      const lastTimestampMs = count === 0 ? -1 : batches[newest * FIELDS + 3]!
      return { ...entry, lastTimestampMs }
    })
  }

  /**
   * The state as a snapshot keeps it: an entry for the newest batch of each producer, and before it, for those that have written since `recentMs`, one for each
   * batch that may be sent again. Whoever keeps the last entry of a producer only, as Kafka does, knows its newest batch.
   */
  entries(recentMs = Number.NEGATIVE_INFINITY): ProducerSnapshotEntry[] {
    const entries: ProducerSnapshotEntry[] = []
    for (const producer of this.#producers.values()) {
      const isRecent = producer.lastSeenMs >= recentMs
      const older = isRecent ? Math.max(0, producer.count - 1) : 0
      for (let age = older; age >= 0; age--) entries.push(producer.entry(age))
    }
    return entries
  }

  /** Takes up what a snapshot has, but for producers that have expired. */
  load(entries: readonly ProducerSnapshotEntry[], nowMs: number, expirationMs: number): void {
    this.clear()
    for (const entry of entries) {
      if (entry.txnFirstOffset < 0 && nowMs - entry.timestampMs >= expirationMs) continue
      const known = this.#producers.get(entry.producerId)
      const isSame = known !== undefined && known.epoch === entry.epoch
      const producer = isSame ? known : new Producer(entry.producerId)
      producer.epoch = entry.epoch
      producer.lastSeenMs = entry.timestampMs
      producer.coordinatorEpoch = entry.coordinatorEpoch
      producer.txnFirstOffset = entry.txnFirstOffset
      if (entry.lastSequence >= 0) {
        producer.add(entry.lastSequence, entry.lastOffset, entry.offsetDelta, entry.timestampMs)
      }
      this.#producers.set(entry.producerId, producer)
    }
    if (this.#producers.size > this.#limit) this.#forgetIdle()
  }
}
