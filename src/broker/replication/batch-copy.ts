import type { Logger } from '../../base/log.ts'
import type { AppendPlace } from '../../link/raft-messages.ts'
import { newCopyOutcome } from '../../log/batch-copier.ts'
import type { ControlEntries } from '../../log/control-entries.ts'
import type { PartitionLog } from '../../log/partition-log.ts'
import type { CopyRange, ReplicaId, Term, TermLine } from '../../raft/types.ts'
import { lastOffsetOf, leaderEpochOf, sizeInBytesOf } from '../../record/batch.ts'
import { type PeerBatches, PeerLog } from './peer-log.ts'

export interface BatchCopyOptions {
  readonly logger: Logger
  readonly log: () => PartitionLog
  readonly controls: () => ControlEntries
  /** Directory of a replica of this partition. */
  readonly directoryOf: (replica: ReplicaId) => string
}

/** How a bit of copying went. `waits`: for a place that the leader names, or for its file; `refused`: by this log. */
export type CopyStep = 'idle' | 'moved' | 'waits' | 'refused'

const batches: PeerBatches = { bytes: new Uint8Array(0), from: 0, to: 0 }
const outcome = newCopyOutcome()

/**
 * Copies what Raft wants of the leader's log into this replica's, a bounded bit at a time. What is found in the leader's files is taken only
 * where it goes on at this log's end and has the term that Raft says: a term has one leader, which writes a position once, so that is what was
 * meant, whatever has become of the leader by now. On the broker's thread.
 */
export class BatchCopy {
  readonly #options: BatchCopyOptions
  #range: CopyRange | null = null
  #leader: ReplicaId = 0
  #peer: PeerLog | null = null
  /** As the last append said; used where the reading has lost its place. */
  #place: AppendPlace | null = null
  #gapsTo = 0
  /** By the last {@link step}. */
  takenBytes = 0

  constructor(options: BatchCopyOptions) {
    this.#options = options
  }

  get isActive(): boolean {
    return this.#range !== null
  }

  /** An append of `leader` has come. */
  noteAppend(leader: ReplicaId, place: AppendPlace): void {
    if (leader !== this.#leader) this.#forgetPeer()
    this.#leader = leader
    if (place.batchBaseOffset < 0) return
    const { segmentBaseOffset, filePosition, batchBaseOffset, gapsTo } = place
    this.#place = { segmentBaseOffset, filePosition, batchBaseOffset, gapsTo }
    this.#gapsTo = place.gapsTo
  }

  /** What is to be copied from now on. */
  begin(range: CopyRange): void {
    this.#range = range
  }

  stop(): void {
    this.#range = null
    this.#peer?.release()
  }

  /** About a megabyte more, or `bytesMax` where that is less, but at least a batch. Throws what this replica's own log throws. */
  step(nowMs: number, bytesMax = Number.POSITIVE_INFINITY): CopyStep {
    const range = this.#range
    this.takenBytes = 0
    if (range === null) return 'idle'
    const log = this.#options.log()
    const endOffset = this.#options.controls().offsetOf(range.end)
    if (log.logEndOffset >= endOffset) {
      this.stop()
      return 'moved'
    }
    const peer = this.#read(log.logEndOffset)
    if (peer === null) return 'waits'
    const to = this.#boundOf(range, endOffset, bytesMax)
    if (to === 0) {
      peer.lose()
      return 'waits'
    }
    log.appendCopies(
      batches.bytes,
      0,
      to,
      { nowMs, gapsTo: this.#gapsTo, checksCrc: true },
      outcome,
    )
    this.takenBytes = outcome.takenBytes
    peer.took(outcome.takenBytes, log.logEndOffset)
    if (outcome.fault !== null) this.#report(outcome.faultMessage ?? outcome.fault)
    if (outcome.takenBytes === 0) {
      peer.lose()
      return 'refused'
    }
    if (log.logEndOffset >= endOffset) this.stop()
    return 'moved'
  }

  /** Where it stands, or from the place that was named last: its file may have been merged, cut or replaced since. null: neither has anything. */
  #read(offset: number): PeerLog | null {
    if (this.#range!.leader !== this.#leader) return null
    const peer = this.#peerAt(offset)
    if (peer?.read(offset, batches) === true) return peer
    if (this.#place === null) return null
    peer?.lose()
    return this.#peerAt(offset)?.read(offset, batches) === true ? this.#peer : null
  }

  #peerAt(offset: number): PeerLog | null {
    const { log, directoryOf } = this.#options
    this.#peer ??= new PeerLog(log().environment, directoryOf(this.#range!.leader))
    if (this.#peer.isBefore(offset)) return this.#peer
    const place = this.#place
    // below a mark, what is next may lie beyond a gap that cleaning left
    if (place === null || place.batchBaseOffset > Math.max(offset, place.gapsTo)) return null
    // a place is good for one try: it may have led nowhere
    this.#place = null
    this.#peer.goTo(place, offset)
    return this.#peer
  }

  /** How much of what was read lies in the range and has its terms. */
  #boundOf(range: CopyRange, endOffset: number, bytesMax: number): number {
    const controls = this.#options.controls()
    const { bytes } = batches
    let to = 0
    while (to < batches.to && lastOffsetOf(bytes, to) < endOffset) {
      if (to > 0 && to + sizeInBytesOf(bytes, to) > bytesMax) break
      const position = controls.positionOf(lastOffsetOf(bytes, to))
      if (leaderEpochOf(bytes, to) !== termAt(range.lines, position)) break
      to += sizeInBytesOf(bytes, to)
    }
    return to
  }

  #forgetPeer(): void {
    this.#peer?.release()
    this.#peer = null
    this.#place = null
  }

  #report(why: string): void {
    const { directory, partition } = this.#options.log()
    this.#options.logger.log('warn', `A replica does not take what its leader has: ${why}`, {
      directory,
      partition,
    })
  }
}

const termAt = (lines: readonly TermLine[], position: number): Term =>
  lines.findLast(({ start }) => start <= position)?.term ?? 0
