import { ErrorCode } from '../base/error-code.ts'
import {
  BatchIn,
  PRODUCE_HEADER_BYTES,
  type ProduceCommand,
  readProduce,
} from '../link/commands.ts'
import { BrokerCounter } from '../link/counters.ts'
import { frontPeer } from '../link/ports.ts'
import { ProduceReason } from '../link/produce-reason.ts'
import { faultOfWrite } from '../log/batch-stager.ts'
import type { DiskError } from '../log/disk.ts'
import { type AppendOutcome, newAppendOutcome } from '../log/outcomes.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { RingReader } from '../shared/ring-reader.ts'
import type { BatchBuffers } from './batch-buffers.ts'
import type { FrontLink } from './front-link.ts'
import type { LeaderPartitions } from './leader-partitions.ts'
import type { Replica } from './replica.ts'
import { newWaitingProduce } from './waiting-produces.ts'

const newCommand = (): ProduceCommand => ({
  correlation: 0,
  partition: 0 as ProduceCommand['partition'],
  nowMs: 0,
  acks: 0,
  batchIn: 0,
  bufferId: 0,
  byteLength: 0,
})

/** Refusals upon which a client sends the same batch again. */
const RETRIED: ReadonlySet<number> = new Set([
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.KAFKA_STORAGE_ERROR,
])

/**
 * PRODUCE: batches are staged as their commands come, written with one write per partition at the end of the turn, and
 * answered once the log acknowledges them. acks=0 and acks=1 differ for the front only: it needs the answer to give back
 * the room that it reserved.
 */
export class ProduceHandler {
  readonly #partitions: LeaderPartitions
  readonly #buffers: BatchBuffers
  readonly #drainControl: () => void
  readonly #command = newCommand()
  readonly #outcome = newAppendOutcome()
  readonly #waiting = newWaitingProduce()
  #staged: Replica[] = []
  #writing: Replica[] = []
  #stagedBytes = 0
  /** Leaders whose disks have refused something in this turn. */
  readonly #failing: Replica[] = []
  /** Why the last batch was refused, of ProduceReason. */
  #reason: number = ProduceReason.NONE
  #refusal: number = ErrorCode.NONE

  constructor(partitions: LeaderPartitions, buffers: BatchBuffers, drainControl: () => void) {
    this.#partitions = partitions
    this.#buffers = buffers
    this.#drainControl = drainControl
  }

  /** Bytes staged since the last write. */
  get stagedBytes(): number {
    return this.#stagedBytes
  }

  onProduce(link: FrontLink, reader: RingReader, at: number): void {
    const command = this.#command
    readProduce(reader.view, at, command)
    const batch = this.#batchOf(link, reader, at)
    const replica = this.#partitions.admit(command.partition, -1)
    if (replica === null) {
      this.#noteRefused(batch, this.#partitions.error)
      link.produceRefused(command.correlation, this.#partitions.error, this.#partitions.reason)
      return
    }
    const { counters, use } = this.#partitions
    const { tenantId } = replica.topic
    counters.add(tenantId, BrokerCounter.PRODUCES, 1)
    use.came(command.byteLength)
    const error = batch === null ? this.#refuseMissing() : this.#stage(link, replica, batch)
    if (error === ErrorCode.NONE) return
    this.#noteRefused(batch, error)
    counters.refused(tenantId, error)
    link.produceRefused(command.correlation, error, this.#reason)
  }

  /** Its client will send it again, and may have sent more behind it. */
  #noteRefused(batch: Uint8Array | null, error: number): void {
    if (batch === null || !RETRIED.has(error)) return
    const log = this.#partitions.table.get(this.#command.partition)?.log ?? null
    log?.producers.refused(batch)
  }

  /** Writes and settles every partition that has something staged; returns how many. */
  writeStaged(): number {
    const count = this.#writeAll()
    const { stepping } = this.#partitions.replication
    for (const replica of this.#failing.splice(0)) stepping.giveUp(replica, this.#partitions.nowMs)
    return count
  }

  #writeAll(): number {
    if (this.#staged.length === 0) return 0
    const staged = this.#staged
    this.#staged = this.#writing
    this.#writing = staged
    this.#stagedBytes = 0
    for (const replica of staged) this.#write(replica)
    const count = staged.length
    staged.length = 0
    return count
  }

  #stage(link: FrontLink, replica: Replica, batch: Uint8Array): number {
    const partitions = this.#partitions
    const log = partitions.open(replica)
    if (log === null) {
      this.#reason = partitions.reason
      return partitions.error
    }
    if (replica.isReplicated && !this.#mayAppend(replica)) return this.#refusal
    if (replica.watches !== null && replica.watches.active > 0) log.noteReader()
    const outcome = this.#outcome
    try {
      const epoch = partitions.leaderEpochOf(replica)
      log.stage(batch, partitions.wallMs, epoch, outcome, partitions.holdings.roomOf(replica.topic))
    } catch (error) {
      partitions.table.fail(replica, partitions.nowMs, error)
      this.#reason = ProduceReason.logFailed
      return ErrorCode.KAFKA_STORAGE_ERROR
    }
    if (outcome.error !== ErrorCode.NONE) return this.#refusedBy(replica, outcome)
    const { counters } = partitions
    const { tenantId } = replica.topic
    if (outcome.duplicate) counters.add(tenantId, BrokerCounter.DUPLICATES, 1)
    else {
      partitions.holdings.grew(replica.number, replica.topic, batch.length)
      counters.add(tenantId, BrokerCounter.PRODUCE_BYTES, batch.length)
      const records = outcome.lastOffset - outcome.baseOffset + 1
      counters.add(tenantId, BrokerCounter.RECORDS, records)
      const counted = (replica.counted ??= partitions.topicCounts.of(replica.topic))
      counted.items += records
      counted.bytes += batch.length
    }
    this.#stagedBytes += batch.length
    const waiting = this.#waiting
    waiting.front = link.front
    waiting.correlation = this.#command.correlation
    waiting.isAll = this.#command.acks === -1
    waiting.lastOffset = outcome.lastOffset
    waiting.baseOffset = outcome.baseOffset
    waiting.logAppendTimeMs = outcome.logAppendTimeMs
    waiting.logStartOffset = outcome.logStartOffset
    waiting.byteLength = batch.length
    replica.waiting.push(waiting)
    partitions.use.hold(replica, batch.length)
    if (!replica.isStaged) {
      replica.isStaged = true
      this.#staged.push(replica)
    }
    return ErrorCode.NONE
  }

  /** Of several replicas another may have a disk that takes it, and the front sends it there. */
  #refusedBy(replica: Replica, { error, fault }: AppendOutcome): number {
    const { stepping } = this.#partitions.replication
    if (fault === 'overStorage') {
      const { holdings, nowMs } = this.#partitions
      holdings.tellNow(replica.topic.tenantId, nowMs)
    }
    const isOfDisk = fault === 'diskFull' || fault === 'writeFailed'
    if (fault === 'writeFailed')
      this.#partitions.counters.add(replica.topic.tenantId, BrokerCounter.WRITES_FAILED, 1)
    // that may end with the log
    const reason = reasonOfUnwritten(replica.log)
    if (replica.isReplicated && isOfDisk && stepping.refuses(replica, fault === 'diskFull')) {
      this.#reason = reason
      return ErrorCode.NOT_LEADER_OR_FOLLOWER
    }
    this.#reason = ProduceReason[fault ?? 'NONE']
    return error
  }

  /** At the end of this turn, once. */
  #giveUpAfter(replica: Replica): void {
    if (!this.#failing.includes(replica)) this.#failing.push(replica)
  }

  #write(replica: Replica): void {
    replica.isStaged = false
    const { log } = replica
    // failed, or deleted, in this very turn: everybody has been answered
    if (log === null) return
    const partitions = this.#partitions
    partitions.use.turnTo(replica)
    let error: DiskError | null
    try {
      error = log.write()
    } catch (thrown) {
      partitions.table.fail(replica, partitions.nowMs, thrown)
      return
    }
    if (error === null) {
      replica.waiting.markWritten()
      if (replica.isReplicated) partitions.replication.appended(replica)
    } else {
      // a part of the turn may have been written before, and is the group's
      if (replica.isReplicated) partitions.replication.appended(replica)
      if (replica.log !== log) return
      this.#onWriteFailed(replica, log.logEndOffset, error)
    }
    // the group may have given up
    if (replica.log !== log) return
    partitions.settle(replica)
    partitions.table.arm(replica)
  }

  /** What has not been appended: of several replicas another may, and the front sends it there. */
  #onWriteFailed(replica: Replica, logEndOffset: number, error: DiskError): void {
    const partitions = this.#partitions
    partitions.counters.add(replica.topic.tenantId, BrokerCounter.WRITES_FAILED, 1)
    if (replica.isReplicated) {
      const code = ErrorCode.NOT_LEADER_OR_FOLLOWER
      const reason = reasonOfUnwritten(replica.log)
      partitions.refuseUnwritten(replica, logEndOffset, code, reason)
      this.#giveUpAfter(replica)
      return
    }
    const reason = ProduceReason[faultOfWrite(error)]
    partitions.refuseUnwritten(replica, logEndOffset, ErrorCode.KAFKA_STORAGE_ERROR, reason)
  }

  /** Whether the group of a replica that leads takes this batch. */
  #mayAppend(replica: Replica): boolean {
    const { replication } = this.#partitions
    if (this.#command.acks === -1 && replication.hasTooFew(replica)) {
      this.#refusal = ErrorCode.NOT_ENOUGH_REPLICAS
      this.#reason = ProduceReason.notEnoughReplicas
      return false
    }
    if (replica.isStaged || replication.aboutToAppend(replica)) return true
    this.#refusal = ErrorCode.NOT_LEADER_OR_FOLLOWER
    this.#reason = ProduceReason.electing
    return false
  }

  #refuseMissing(): number {
    this.#reason = ProduceReason.batchMissing
    return ErrorCode.UNKNOWN_SERVER_ERROR
  }

  #batchOf(link: FrontLink, reader: RingReader, at: number): Uint8Array | null {
    const { batchIn, bufferId, byteLength } = this.#command
    if (batchIn === BatchIn.RING) return batchInRing(reader, at, this.#command)
    if (batchIn === BatchIn.BUFFER) return this.#take(link)
    const end = bufferId + byteLength
    return end > link.frames.length ? null : link.frames.subarray(bufferId, end)
  }

  /** The front posts the buffer before it sends the command, so at the latest it is in the port by now. */
  #take(link: FrontLink): Uint8Array | null {
    const { bufferId, byteLength } = this.#command
    const peer = frontPeer(link.front)
    let sab = this.#buffers.take(peer, bufferId)
    if (sab === undefined) {
      this.#drainControl()
      sab = this.#buffers.take(peer, bufferId)
    }
    if (sab === undefined || sab.byteLength < byteLength) return null
    return new Uint8Array(sab, 0, byteLength)
  }
}

function batchInRing(reader: RingReader, at: number, command: ProduceCommand): Uint8Array {
  const start = at + PRODUCE_HEADER_BYTES
  return reader.bytes.subarray(start, start + command.byteLength)
}

/** To the front. Where what a failed write left could not be removed, the next opening finds it, and its group may commit it: it is to be sent to nobody else. */
const reasonOfUnwritten = (log: PartitionLog | null): ProduceReason =>
  log === null || log.failure !== null ? ProduceReason.leadershipLost : ProduceReason.electing
