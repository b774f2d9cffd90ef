/**
 * A producer that goes on when a leader is gone, as Kafka's own do: what has no answer is sent again, in sequence, to whoever leads
 * then. For runs in which brokers fail; copies of batches and a list of them are what that costs.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { ErrorCode, errorName } from '../../src/base/error-code.ts'
import { isRetriableCode, KafkaError } from '../../src/kafka-client/errors.ts'
import { HeaderBytes } from './batch-header.ts'
import { nowUs } from './clock.ts'
import type { LoadConnection } from './load-connection.ts'
import type { LoadProducer, ProducerEvents, ProducerOptions } from './load-producer.ts'
import type { Due, Leader, Times, TopicPartition } from './messages.ts'
import { ProducePrefix } from './produce-batches.ts'
import { Rotation, type Turn } from './rotation.ts'

/** As Kafka's producer at first; it then doubles its patience up to a second, which this one does not. */
const RETRY_BACKOFF_MS = 100

export interface ResendingOptions extends ProducerOptions {
  /** Asks who leads now. Rejects where nobody answers. */
  findLeader(at: TopicPartition): Promise<Leader>
}

interface Batch {
  readonly target: Target
  readonly intendedUs: number
  readonly wireBytes: number
  /** The whole request, to be sent again as it is. */
  readonly frame: Buffer
  wasSent: boolean
}

/** A connection, and what was sent over it and has no answer. */
interface Wire {
  readonly connection: LoadConnection
  readonly sent: Batch[]
}

interface Target extends Turn {
  readonly prefix: ProducePrefix
  sequence: number
  /** Without an answer that lasts, in sequence. */
  readonly pending: Batch[]
  /** Null while its leader is looked for. */
  wire: Wire | null
  /** Of `pending`, on their way. */
  underway: number
  /** One of `pending` was refused: nothing more is sent until the rest is answered, and then all again. */
  isFailed: boolean
}

export class ResendingProducer implements LoadProducer {
  readonly #options: ResendingOptions
  readonly #events: ProducerEvents
  readonly #targets = new Rotation<Target>()
  readonly #wires = new Map<string, Wire>()
  readonly #header: HeaderBytes
  #nextTemplate: number
  readonly index: number
  outstanding = 0
  resent = 0
  scheduled = 0
  answeredUs = 0

  private constructor(options: ResendingOptions, events: ProducerEvents) {
    this.#options = options
    this.#events = events
    this.#header = new HeaderBytes(options.templates[0]!.batch)
    const { id, epoch } = options.producerId!
    this.#header.setProducer(id, epoch)
    this.index = options.share.index
    this.#nextTemplate = this.index
  }

  static async open(options: ResendingOptions, events: ProducerEvents): Promise<ResendingProducer> {
    const producer = new ResendingProducer(options, events)
    for (const at of options.share.partitions) {
      const wire = await producer.#wireTo(options.leaderOf(at))
      const prefix = new ProducePrefix(options.version, options.group.acks, at)
      const state = { sequence: 0, pending: [], underway: 0, isFailed: false }
      producer.#targets.all.push({ at, due: 0, prefix, wire, ...state })
    }
    return producer
  }

  begin(times: Times): void {
    this.#targets.begin(times)
  }

  send(intendedUs: number): void {
    const { group, templates, isStamped } = this.#options
    const target = this.#targets.next(intendedUs)
    const { batch, patcher } = templates[this.#nextTemplate++ % templates.length]!
    const { prefix } = target
    const frame = Buffer.allocUnsafe(prefix.length + batch.length)
    prefix.writeTo(frame, batch.length)
    batch.copy(frame, prefix.length)
    if (isStamped) this.#header.setTimestamp(this.#targets.timestampOf(intendedUs))
    this.#header.setSequence(target.sequence)
    target.sequence = (target.sequence + group.recordsPerBatch) % 2 ** 31
    patcher!.patch(frame, prefix.length, this.#header.bytes)
    this.outstanding++
    const made: Batch = { target, intendedUs, wireBytes: batch.length, frame, wasSent: false }
    target.pending.push(made)
    if (target.wire !== null && !target.isFailed) this.#put(target.wire, made)
  }

  flush(): void {
    for (const { connection } of this.#wires.values()) connection.flush()
  }

  leaveOut(intendedUs: number): void {
    this.#targets.next(intendedUs)
  }

  due(): Due {
    return this.#targets.due()
  }

  open(): number[] {
    return this.#targets.all.flatMap(({ pending }) => pending.map(({ intendedUs }) => intendedUs))
  }

  async #wireTo(leader: Leader): Promise<Wire> {
    const key = `${leader.host}:${leader.port}`
    const known = this.#wires.get(key)
    if (known !== undefined) return known
    const sent: Batch[] = []
    const connection = await this.#options.connect(leader, {
      onAnswer: (memory, at) => this.#answered(memory, at, sent),
      onFailure: () => this.#lost(key),
    })
    const wire: Wire = { connection, sent }
    // another partition may have been as quick
    const other = this.#wires.get(key)
    if (other !== undefined) {
      connection.close()
      return other
    }
    this.#wires.set(key, wire)
    return wire
  }

  #put(wire: Wire, batch: Batch): void {
    wire.connection.send(batch.frame)
    wire.sent.push(batch)
    batch.target.underway++
    if (batch.wasSent) this.resent++
    batch.wasSent = true
  }

  /** Nobody knows what became of what was underway. */
  #lost(key: string): void {
    const wire = this.#wires.get(key)
    if (wire === undefined) return
    this.#wires.delete(key)
    wire.sent.length = 0
    for (const target of this.#targets.all) {
      if (target.wire !== wire) continue
      target.underway = 0
      this.#recover(target)
    }
  }

  #answered(memory: Buffer, at: number, sent: Batch[]): void {
    const batch = sent.shift()
    if (batch === undefined) {
      this.#events.onFailure(new Error('an answer came to no request'))
      return
    }
    const { target } = batch
    target.underway--
    const error = memory.readInt16BE(at + target.prefix.errorAt)
    // one that was there already is as good as one that was written now
    if (error === 0 || error === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) this.#done(batch)
    else if (this.#passes(error, target)) target.isFailed = true
    else {
      const { topic, partition } = target.at
      const what = `Produce to ${topic}-${partition} was answered with ${errorName(error)}`
      this.#events.onFailure(new Error(what))
      return
    }
    if (target.isFailed && target.underway === 0) this.#recover(target)
  }

  /** What comes behind a batch that was refused is out of order, and no fault of its own. */
  #passes(error: number, { isFailed }: Target): boolean {
    const isBehind = isFailed && error === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    return isBehind || isRetriableCode(error)
  }

  #done(batch: Batch): void {
    const { pending } = batch.target
    pending.splice(pending.indexOf(batch), 1)
    this.outstanding--
    this.#events.onDone(this, batch.intendedUs, nowUs(), batch.wireBytes)
  }

  #recover(target: Target): void {
    target.wire = null
    target.isFailed = false
    this.#findAgain(target).catch(this.#events.onFailure)
  }

  async #findAgain(target: Target): Promise<void> {
    let wire: Wire | null = null
    while (wire === null) {
      await sleep(RETRY_BACKOFF_MS)
      try {
        wire = await this.#wireTo(await this.#options.findLeader(target.at))
      } catch (error) {
        // nobody there, or nobody that leads: again
        if (error instanceof KafkaError && !isRetriableCode(error.code)) throw error
      }
    }
    target.wire = wire
    for (const batch of target.pending) this.#put(wire, batch)
    wire.connection.flush()
  }
}
