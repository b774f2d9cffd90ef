/** A consumer: asks where its offset is, reads what lies there in the leader's file, and goes on behind it. */
import { ErrorCode } from '../../../src/base/error-code.ts'
import { partitionPath } from '../../../src/base/paths.ts'
import type { LocateSink } from '../../../src/cell/broker-proxy.ts'
import type { LocatedReply } from '../../../src/link/replies.ts'
import { BATCH_HEADER_BYTES, baseOffsetOf, sizeInBytesOf } from '../../../src/record/batch.ts'
import { CELL } from '../../broker/world.ts'
import type { PartitionHistory } from '../checkers/history.ts'
import type { SimCluster } from '../sim-cluster.ts'
import { rootOf } from '../sim-disk.ts'
import { safe } from '../sim-error.ts'
import type { SimClient } from './client.ts'

const MAX_BYTES = 4_096

export interface ReaderOptions {
  readonly cluster: SimCluster
  readonly history: PartitionHistory
  readonly name: string
  /** What this broker's files hold may be damaged: its readers find that out by themselves. */
  readonly isRotten: (broker: number) => boolean
}

export class Reader implements SimClient {
  readonly #options: ReaderOptions
  #offset = 0
  #highWatermark = 0
  #isAsking = false
  #askAtMs = 0
  #epoch = 0
  read = 0

  constructor(options: ReaderOptions) {
    this.#options = options
  }

  /** It reads for ever, and nobody waits for it. */
  get isDone(): boolean {
    return true
  }

  finish(): void {}

  onFrontGone(): void {
    this.#epoch++
    this.#isAsking = false
  }

  describe(): string {
    const { name, history } = this.#options
    return `reader ${name} of ${history.number}: at ${this.#offset} of ${this.#highWatermark}, asking ${this.#isAsking}`
  }

  turn(): void {
    const { cluster, history } = this.#options
    if (this.#isAsking || cluster.nowMs < this.#askAtMs) return
    const proxy = cluster.front.dispatcher.leaderOf(CELL, history.number)
    if (proxy === undefined) return
    this.#isAsking = true
    this.#askAtMs = cluster.nowMs + 10
    const epoch = this.#epoch
    const sink: LocateSink = {
      onLocated: (_token, reply) => {
        if (epoch === this.#epoch) this.#onLocated(reply)
      },
    }
    proxy.locate(history.number, this.#offset, MAX_BYTES, -1, sink, 0)
  }

  #onLocated(reply: Readonly<LocatedReply>): void {
    this.#isAsking = false
    const { error, highWatermark, logStartOffset } = reply
    if (error === ErrorCode.OFFSET_OUT_OF_RANGE) this.#onOutOfRange(logStartOffset)
    if (error !== ErrorCode.NONE) return
    safe(
      highWatermark >= this.#highWatermark,
      () =>
        `${this.describe()}: broker ${reply.brokerId} of epoch ${reply.leaderEpoch} says that its high watermark is ${highWatermark}`,
    )
    this.#highWatermark = highWatermark
    if (reply.byteLength > 0 && this.#offset < highWatermark) this.#readFile(reply)
  }

  #onOutOfRange(logStartOffset: number): void {
    safe(
      this.#offset < logStartOffset,
      () => `${this.describe()}: its offset is out of range, the log starts at ${logStartOffset}`,
    )
    this.#offset = logStartOffset
  }

  #readFile({ brokerId, segmentBaseOffset, position, byteLength }: Readonly<LocatedReply>): void {
    const { cluster, history, isRotten } = this.#options
    if (isRotten(brokerId!)) return
    const partition = cluster.front.image.partition(history.number)
    if (partition === undefined) return
    const { topic, index } = partition
    const directory = partitionPath(rootOf(brokerId!), topic.tenantId, topic.topicId, index)
    const name = `${segmentBaseOffset}`.padStart(20, '0')
    const bytes = this.#bytesOf(`${directory}/${name}.log`, position, byteLength)
    for (let at = 0; at + BATCH_HEADER_BYTES <= bytes.length; ) {
      const size = sizeInBytesOf(bytes, at)
      if (at + size > bytes.length) break
      const base = baseOffsetOf(bytes, at)
      // what a broker that died with its answer has not shown to the checker
      if (base > history.end) break
      const batch = history.see(this.describe(), bytes, at)
      if (batch.last >= this.#offset) {
        const isNext = batch.base <= this.#offset
        safe(isNext, () => `${this.describe()}: it is given ${batch.base} next`)
        this.#offset = batch.last + 1
        this.read++
      }
      at += size
    }
  }

  /** Nothing where the file is gone meanwhile. */
  #bytesOf(path: string, position: number, byteLength: number): Uint8Array {
    const { disk } = this.#options.cluster.disk
    if (!disk.exists(path)) return new Uint8Array(0)
    const bytes = new Uint8Array(byteLength)
    const read = disk.open(path, 'read').read(bytes, 0, byteLength, position)
    return bytes.subarray(0, read)
  }
}
