/** The coordinator's replicated state: groups as the log knows them, and committed offsets. */
import type { Logger } from '../../base/log.ts'
import { TimelineMap, TimelineRegistry } from '../../machine/timeline.ts'
import { decodeConsumerOffsetsKey } from '../../protocol/consumer-offsets-records.ts'
import { WireFormatError } from '../../protocol/wire-format-error.ts'
import { decodeGroupRecord, type GroupRecord, SIMPLE_GROUP } from './group-record.ts'
import { type OffsetKey, OffsetKeys } from './offset-keys.ts'
import { decodeOffsetValue, type OffsetValue } from './offset-value.ts'

export class GroupState {
  readonly #registry = new TimelineRegistry()
  readonly #logger: Logger
  /** By group id. Whoever has committed an offset is a group. */
  readonly groups = new TimelineMap<string, GroupRecord>(this.#registry)
  readonly offsets = new TimelineMap<OffsetKey, OffsetValue>(this.#registry)
  /** Keys of `offsets`, and those whose deletion is not committed yet. */
  readonly keys = new OffsetKeys()
  /** Keys whose last offset was deleted, to be forgotten when that is committed. */
  #deleted: OffsetKey[] = []

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** A record that cannot be read is logged and passed over: one group's fault must not take the others down. */
  replay(offset: number, key: Uint8Array, value: Uint8Array | null): void {
    this.#registry.replaying(offset)
    try {
      // Types 0 and 1: a committed offset. Almost every record is one.
      if (key[0] === 0 && key[1]! <= 1) this.#replayOffset(key, value)
      else this.#replayOther(key, value)
    } catch (error) {
      if (!(error instanceof WireFormatError)) throw error
      this.#logger.log('error', 'a record of __consumer_offsets cannot be read; passing over it', {
        offset,
        error: error.message,
      })
    }
  }

  commit(offset: number): void {
    this.#registry.commit(offset)
    if (this.#deleted.length === 0) return
    const deleted = this.#deleted
    this.#deleted = []
    for (const key of deleted) this.#forget(key)
  }

  #replayOffset(bytes: Uint8Array, value: Uint8Array | null): void {
    if (value === null) {
      const key = this.keys.findBytes(bytes) ?? this.keys.intern(bytes)
      if (key === undefined) throw new WireFormatError('OffsetCommitKey: malformed')
      this.offsets.delete(key)
      this.#forget(key)
      return
    }
    const read = decodeOffsetValue(value)
    const key = this.keys.intern(bytes)
    if (key === undefined) throw new WireFormatError('OffsetCommitKey: malformed')
    if (!this.groups.has(key.groupId)) this.groups.set(key.groupId, SIMPLE_GROUP)
    this.offsets.set(key, read)
  }

  #replayOther(bytes: Uint8Array, value: Uint8Array | null): void {
    const decoded = decodeConsumerOffsetsKey(bytes)
    // types of newer coordinators, which we know nothing of
    if (decoded.kind !== 'groupMetadata') return
    const groupId = decoded.key.group
    if (value === null) this.groups.delete(groupId)
    else this.groups.set(groupId, decodeGroupRecord(value))
  }

  /** Forgets a key that has no value in either view. */
  #forget(key: OffsetKey): void {
    if (this.offsets.has(key)) return
    if (this.offsets.committed.has(key)) this.#deleted.push(key)
    else this.keys.remove(key)
  }
}
