/** Producers: idempotent ones, which send again until they are answered, and plain ones, which never do. */
import { ErrorCode, errorName } from '../../../src/base/error-code.ts'
import type { ProduceSink } from '../../../src/cell/broker-proxy.ts'
import type { ProducedReply } from '../../../src/link/replies.ts'
import { buildBatch } from '../../../src/record/builder.ts'
import { CELL } from '../../broker/world.ts'
import type { PartitionHistory } from '../checkers/history.ts'
import type { SimCluster } from '../sim-cluster.ts'
import { safe } from '../sim-error.ts'
import type { SimClient } from './client.ts'

const IN_FLIGHT_MAX = 5
const encoder = new TextEncoder()

/** Answers upon which a client sends the same again. */
const RETRIABLE: ReadonlySet<number> = new Set([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
])

interface Produce {
  readonly token: number
  readonly label: string
  readonly batch: Uint8Array
  isSent: boolean
}

export interface ProducerOptions {
  readonly cluster: SimCluster
  readonly history: PartitionHistory
  readonly producerId: number
  /** Chance of a new batch per step. */
  readonly rate: number
  readonly onAcknowledged: () => void
}

function batchOf(
  cluster: SimCluster,
  label: string,
  idempotence: { readonly producerId: number; readonly baseSequence: number } | null,
): Uint8Array {
  const { random, clock } = cluster
  const count = random.chance(0.3) ? 1 + random.below(4) : 1
  const valueBytes = random.chance(0.02) ? 20_000 : 16 + random.below(300)
  const records = Array.from({ length: count }, () => ({
    timestampMs: clock.wallMs(),
    key: null,
    value: encoder.encode(label.padEnd(valueBytes, '.')),
  }))
  if (idempotence === null) return buildBatch(records)
  return buildBatch(records, { ...idempotence, producerEpoch: 0 })
}

const countOf = (batch: Uint8Array): number =>
  new DataView(batch.buffer, batch.byteOffset).getInt32(57)

export class IdempotentProducer implements SimClient, ProduceSink {
  readonly #options: ProducerOptions
  #waiting: Produce[] = []
  #sequence = 0
  #token = 0
  #isFinishing = false
  /** Of the connection. */
  #epoch = 0
  #pauseUntilMs = 0
  acknowledged = 0
  readonly errors = new Map<string, number>()

  constructor(options: ProducerOptions) {
    this.#options = options
  }

  get isDone(): boolean {
    return this.#isFinishing && this.#waiting.length === 0
  }

  /** After one more batch: what nobody touches may stay as the last fault has left it. */
  finish(): void {
    if (!this.#isFinishing) this.#add()
    this.#isFinishing = true
  }

  onFrontGone(): void {
    this.#epoch++
    for (const one of this.#waiting) one.isSent = false
  }

  describe(): string {
    const { history, producerId } = this.#options
    const waiting = this.#waiting.map(({ label, isSent }) => `${label} ${isSent ? 'sent' : 'held'}`)
    const errors = JSON.stringify([...this.errors])
    return `producer ${producerId} of ${history.number}: ${this.acknowledged} acknowledged, waiting ${waiting}, errors ${errors}`
  }

  turn(): void {
    const { cluster, rate } = this.#options
    const { random } = cluster
    if (!this.#isFinishing && this.#waiting.length < IN_FLIGHT_MAX && random.chance(rate)) {
      this.#add()
    }
    if (cluster.nowMs < this.#pauseUntilMs) return
    const unsent = this.#waiting.findIndex(({ isSent }) => !isSent)
    const sent = this.#waiting.findLastIndex(({ isSent }) => isSent)
    // what was refused goes again only when nothing behind it is under way
    if (unsent < 0 || sent > unsent) return
    for (const produce of this.#waiting.slice(unsent)) if (!this.#send(produce)) break
  }

  onProduced(token: number, { error, baseOffset }: Readonly<ProducedReply>): void {
    const at = this.#waiting.findIndex((one) => one.token === token && one.isSent)
    if (at < 0) return
    const produce = this.#waiting[at]!
    const { history, onAcknowledged, cluster } = this.#options
    if (error === ErrorCode.NONE) {
      this.#waiting.splice(at, 1)
      this.acknowledged++
      history.acknowledged(baseOffset, produce.label)
      onAcknowledged()
      return
    }
    const name = errorName(error)
    this.errors.set(name, (this.errors.get(name) ?? 0) + 1)
    if (error === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER && this.#isCommitted(produce)) {
      this.#waiting.splice(at, 1)
      return
    }
    safe(
      RETRIABLE.has(error) || error === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
      () =>
        `${produce.label} of partition ${history.number} was answered with ${name}: ${this.describe()}, committed ${history.lastOf(this.#options.producerId)}`,
    )
    produce.isSent = false
    this.#pauseUntilMs = cluster.nowMs + 20
  }

  /**
   * As in Kafka, a snapshot of producers holds the last batch of each, so that a log which was opened at one does not know older ones again. What was
   * lost shows in the end all the same: nothing that follows is ever taken.
   */
  #isCommitted({ label }: Produce): boolean {
    const { history, producerId } = this.#options
    return history.hasLabel(producerId, label)
  }

  #add(): void {
    const { cluster, producerId } = this.#options
    const label = `p${producerId} s${this.#sequence}`
    const batch = batchOf(cluster, label, { producerId, baseSequence: this.#sequence })
    this.#sequence += countOf(batch)
    this.#waiting.push({ token: ++this.#token, label, batch, isSent: false })
  }

  #send(produce: Produce): boolean {
    const { cluster, history } = this.#options
    const proxy = cluster.front.dispatcher.leaderOf(CELL, history.number)
    if (proxy === undefined) return false
    produce.isSent = true
    const epoch = this.#epoch
    const sink: ProduceSink = {
      onProduced: (token, reply) => {
        if (epoch === this.#epoch) this.onProduced(token, reply)
      },
    }
    proxy.produce(history.number, -1, produce.batch, sink, produce.token)
    return true
  }
}

export class PlainProducer implements SimClient, ProduceSink {
  readonly #options: ProducerOptions
  readonly #waiting = new Map<number, { readonly label: string; readonly acks: number }>()
  #next = 0
  #isFinishing = false
  acknowledged = 0
  readonly errors = new Map<string, number>()

  constructor(options: ProducerOptions) {
    this.#options = options
  }

  get isDone(): boolean {
    return this.#isFinishing && this.#waiting.size === 0
  }

  finish(): void {
    this.#isFinishing = true
  }

  onFrontGone(): void {
    this.#waiting.clear()
  }

  describe(): string {
    const { producerId, history } = this.#options
    const waiting = [...this.#waiting.values()].map(({ label }) => label)
    return `plain producer ${producerId} of ${history.number}: ${this.acknowledged} acknowledged, waiting ${waiting}, errors ${JSON.stringify([...this.errors])}`
  }

  turn(): void {
    const { cluster, history, producerId, rate } = this.#options
    const { random } = cluster
    if (this.#isFinishing || this.#waiting.size >= IN_FLIGHT_MAX || !random.chance(rate)) return
    const proxy = cluster.front.dispatcher.leaderOf(CELL, history.number)
    if (proxy === undefined) return
    const token = ++this.#next
    const label = `q${producerId} n${token}`
    const acks = random.chance(0.7) ? -1 : 1
    const batch = batchOf(cluster, label, null)
    this.#waiting.set(token, { label, acks })
    proxy.produce(history.number, acks, batch, this, token)
  }

  onProduced(token: number, { error, baseOffset }: Readonly<ProducedReply>): void {
    const waiting = this.#waiting.get(token)
    if (waiting === undefined) return
    this.#waiting.delete(token)
    if (error === ErrorCode.NONE) {
      this.acknowledged++
      if (waiting.acks === -1) this.#options.history.acknowledged(baseOffset, waiting.label)
      this.#options.onAcknowledged()
      return
    }
    const name = errorName(error)
    this.errors.set(name, (this.errors.get(name) ?? 0) + 1)
    safe(RETRIABLE.has(error), () => `${waiting.label} was answered with ${name}`)
  }
}
