/** Brokers that answer when a test says so, and what a front knows of who leads. */
import { ErrorCode } from '../../src/base/error-code.ts'
import { asBrokerId, asCellId, type BrokerId, type PartitionNumber } from '../../src/base/ids.ts'
import type {
  BrokerProxy,
  CoordinateSink,
  DeleteSink,
  EpochEndSink,
  LocateSink,
  OffsetsSink,
  ProduceSink,
} from '../../src/cell/broker-proxy.ts'
import {
  failedDeleted,
  failedEpochEnd,
  failedLocated,
  failedOffsets,
  failedProduced,
} from '../../src/cell/failed-replies.ts'
import type { Waiter } from '../../src/cell/watch-table.ts'
import type { MetadataView } from '../../src/image/view.ts'
import { ProduceReason } from '../../src/link/produce-reason.ts'
import type { ProducedReply } from '../../src/link/replies.ts'

const NAME_AT = 64

/** As much of a batch as a front looks at, with a name behind it. */
export function batch(name: string, producerId: number): Uint8Array {
  const text = new TextEncoder().encode(name)
  // within a larger buffer, as frames are
  const bytes = new Uint8Array(NAME_AT + text.length + 5).subarray(5)
  new DataView(bytes.buffer, bytes.byteOffset).setBigInt64(43, BigInt(producerId))
  bytes.set(text, NAME_AT)
  return bytes
}

export interface Sent {
  readonly name: string
  readonly producerId: number
  readonly sink: ProduceSink
  readonly token: number
  isAppended: boolean
}

interface Asked {
  readonly kind: string
  readonly name: string
  /** `wasHandled`: of a call that is refused, whether somebody has looked at it. */
  readonly answer: (error: number, wasHandled?: boolean) => void
}

export class FakeBroker implements BrokerProxy {
  readonly cellId = asCellId(1)
  readonly brokerId: BrokerId
  alive = true
  readonly answersDue = 0
  readonly hasReplies = false
  readonly parkedCommands = 0
  readonly hasWork = false
  /** What it has not answered, oldest first. */
  produces: Sent[] = []
  asks: Asked[] = []

  constructor(id: number) {
    this.brokerId = asBrokerId(id)
  }

  produce(
    _at: PartitionNumber,
    _acks: number,
    bytes: Uint8Array,
    sink: ProduceSink,
    token: number,
  ) {
    const { buffer, byteOffset } = bytes
    const producerId = Number(new DataView(buffer, byteOffset).getBigInt64(43))
    const name = new TextDecoder().decode(bytes.subarray(NAME_AT))
    this.produces.push({ name, producerId, sink, token, isAppended: false })
  }

  answer(name: string, of: Partial<ProducedReply> = {}): void {
    this.#reply(name, { ...failedProduced(0), reason: ProduceReason.NONE, ...of })
  }

  refuse(name: string, error: number, reason: number): void {
    this.#reply(name, { ...failedProduced(error), reason })
  }

  answerAsks(): void {
    for (const ask of this.asks.splice(0)) ask.answer(0)
  }

  refuseAsks(error: number, wasHandled = false): void {
    for (const ask of this.asks.splice(0)) ask.answer(error, wasHandled)
  }

  /** As `markGone` of a real one does it. */
  die(
    error: number = ErrorCode.NOT_LEADER_OR_FOLLOWER,
    reason: number = ProduceReason.brokerGone,
  ): void {
    this.alive = false
    // in no order
    for (const { sink, token } of this.produces.splice(0).reverse()) {
      sink.onProduced(token, { ...failedProduced(error), reason })
    }
    for (const { kind, answer } of this.asks.splice(0)) {
      answer(kind === 'call' ? ErrorCode.NOT_COORDINATOR : error, true)
    }
  }

  locate(_p: PartitionNumber, _o: number, _m: number, _e: number, sink: LocateSink, token: number) {
    this.#ask('locate', (error) => sink.onLocated(token, failedLocated(error)))
  }

  listOffsets(_p: PartitionNumber, _t: number, _e: number, sink: OffsetsSink, token: number) {
    this.#ask('offsets', (error) => sink.onOffsets(token, failedOffsets(error)))
  }

  coordinate(
    _p: PartitionNumber,
    _h: string,
    frame: Uint8Array,
    sink: CoordinateSink,
    token: number,
  ) {
    const name = new TextDecoder().decode(frame)
    const told = (error: number, wasHandled = false) =>
      sink.onCoordinated(token, error, error === 0 ? frame : null, wasHandled)
    this.#ask('call', told, name)
  }

  onCoordinated(): void {}

  deleteRecords(_p: PartitionNumber, _o: number, sink: DeleteSink, token: number) {
    this.#ask('delete', (error) => sink.onDeleted(token, failedDeleted(error)))
  }

  epochEnd(_p: PartitionNumber, _l: number, _e: number, sink: EpochEndSink, token: number) {
    this.#ask('epoch', (error) => sink.onEpochEnd(token, failedEpochEnd(error)))
  }

  watch(_partition: PartitionNumber, _offset: number, _waiter: Waiter): void {}
  unwatch(): void {}
  dismiss(): void {}
  watchedAt = () => -1
  doWork = () => 0
  flush(): void {}
  markGone(): void {}

  #ask(kind: string, answer: Asked['answer'], name = ''): void {
    this.asks.push({ kind, name, answer })
  }

  #reply(name: string, reply: ProducedReply): void {
    const at = this.produces.findIndex((one) => one.name === name)
    const [{ sink, token }] = this.produces.splice(at, 1) as [Sent]
    sink.onProduced(token, reply)
  }
}

/** Of one partition. */
export class FakeImage {
  leader = 0
  epoch = 0
  replicas = [1, 2, 3].map(asBrokerId)

  get view(): MetadataView {
    return {
      leaderOf: () => this.leader,
      leaderEpochOf: () => this.epoch,
      replicasOf: () => this.replicas,
    } as unknown as MetadataView
  }
}

/** What clients are told, by the names of what they asked. */
export class Answers
  implements ProduceSink, LocateSink, OffsetsSink, DeleteSink, EpochEndSink, CoordinateSink
{
  readonly of: Record<string, number[]> = {}
  /** Batches whose frames are kept. */
  retained = 0
  isOver = false
  readonly #names: string[] = []

  /** The token of a question. */
  expect(name: string): number {
    return this.#names.push(name) - 1
  }

  retainBatch(): void {
    this.retained++
  }

  releaseBatch(): void {
    this.retained--
  }

  onProduced = (token: number, { error }: { error: number }) => this.#told(token, error)
  onLocated = (token: number, { error }: { error: number }) => this.#told(token, error)
  onOffsets = (token: number, { error }: { error: number }) => this.#told(token, error)
  onDeleted = (token: number, { error }: { error: number }) => this.#told(token, error)
  onEpochEnd = (token: number, { error }: { error: number }) => this.#told(token, error)
  onCoordinated = (token: number, error: number) => this.#told(token, error)

  #told(token: number, error: number): void {
    const name = this.#names[token]!
    this.of[name] = [...(this.of[name] ?? []), error]
  }
}
