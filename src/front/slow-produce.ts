import { ErrorCode } from '../base/error-code.ts'
import type { PartitionNumber } from '../base/ids.ts'
import { tenantLimit } from '../image/tenant-limits.ts'
import { type TopicConfig, UNLIMITED } from '../image/topic-config.ts'
import type { TopicView } from '../image/view.ts'
import { Codec, codecOf } from '../record/batch.ts'
import type { TimeBounds } from '../record/inspect.ts'
import type { FrontServices } from './context.ts'
import type { PendingProduce } from './pending-produce.ts'
import type { PoolFailure } from './record-pool.ts'
import { type RecordResult, type RecordTask, runRecordTask } from './record-task.ts'
import { type LaneStep, SlowLanes } from './slow-lanes.ts'
import { produceMs } from './work-elsewhere.ts'

/** Uncompressed batches up to this size are checked on the spot: sending them to the pool costs more. */
const INLINE_BYTES_MAX = 16 * 1024

/** A bound on decompressed records: far beyond what a batch of `max.message.bytes` honestly holds. */
export const DECOMPRESSED_BYTES_MAX = 128 * 2 ** 20

/** The codec that the topic wants, null for the producer's own. */
function codecOfTopic(config: TopicConfig): Codec | null {
  switch (config.compressionType) {
    case 'producer':
      return null
    case 'uncompressed':
      return Codec.none
    default:
      return Codec[config.compressionType]
  }
}

function levelOf(config: TopicConfig, codec: Codec): number | null {
  if (codec === Codec.gzip) return config.compressionGzipLevel
  return codec === Codec.zstd ? config.compressionZstdLevel : null
}

/** A header tells the first record's time and the latest; the oldest may be any other's. */
const limitsAge = (config: TopicConfig): boolean =>
  config.messageTimestampType === 'CreateTime' && config.messageTimestampBeforeMaxMs < UNLIMITED

/** What the partition's leader goes by: brokers may have been given other defaults. */
export const configOf = (
  { image }: FrontServices,
  topic: TopicView,
  partition: PartitionNumber,
): TopicConfig => topic.effectiveAt(image.leaderOf(partition))

/** What a batch of so many bytes is refused for: its topic's config, or its tenant's limit, whichever is less. */
export function refusalOfSize(
  { image }: FrontServices,
  { tenantId }: TopicView,
  { maxMessageBytes }: TopicConfig,
  bytes: number,
): 'tooLarge' | 'overMessageBytes' | null {
  const bytesMax = tenantLimit(image, tenantId, 'messageBytes')
  if (bytesMax !== null && bytes > bytesMax && bytesMax < maxMessageBytes) return 'overMessageBytes'
  return bytes > maxMessageBytes ? 'tooLarge' : null
}

/** Whether a batch with `codec` needs a look at its records before it may go to the topic's leader. */
export function needsRecords(config: TopicConfig, codec: number): boolean {
  if (config.cleanupPolicy.compact || limitsAge(config)) return true
  if (config.compressionType === 'producer') return false
  return codecOfTopic(config) !== codec
}

/** One batch that is checked or recompressed first, or that must not overtake one that is. */
class SlowBatch implements LaneStep {
  ready = false
  readonly #pending: PendingProduce
  readonly #token: number
  readonly #topic: TopicView
  readonly #partition: PartitionNumber
  #batch: Uint8Array
  #refused = false

  constructor(
    pending: PendingProduce,
    token: number,
    topic: TopicView,
    partition: PartitionNumber,
    batch: Uint8Array,
  ) {
    this.#pending = pending
    this.#token = token
    this.#topic = topic
    this.#partition = partition
    this.#batch = batch
  }

  onResult(result: RecordResult | PoolFailure): void {
    const pending = this.#pending
    if (result.kind === 'batch') this.#batch = result.batch
    else {
      this.#refused = true
      if (result.kind === 'fault') pending.refuseBatch(this.#token, result.fault)
      else pending.refuseFor(this.#token, ErrorCode.UNKNOWN_SERVER_ERROR, 'notLookedAt')
    }
    this.ready = true
    pending.context.state.slowLanes!.advance(this.#partition)
  }

  go(): void {
    const pending = this.#pending
    if (this.#refused) {
      pending.settle()
      return
    }
    const { services } = pending.context
    const config = configOf(services, this.#topic, this.#partition)
    const refusal = refusalOfSize(services, this.#topic, config, this.#batch.length)
    if (refusal !== null) {
      pending.refuseFor(this.#token, ErrorCode.MESSAGE_TOO_LARGE, refusal, this.#batch)
      pending.settle()
      return
    }
    const leader = services.dispatcher.leaderOf(this.#topic.cellId, this.#partition)
    if (leader === undefined) {
      pending.refuseFor(this.#token, ErrorCode.LEADER_NOT_AVAILABLE, 'noLeader')
      pending.settle()
      return
    }
    services.elsewhere(pending.context.connection, produceMs(this.#batch.length))
    leader.produce(this.#partition, pending.acks, this.#batch, pending, this.#token)
  }
}

/** Sends a batch to its leader after a look at its records (`slow`), and in any case after those before it. */
export function dispatchSlowly(
  pending: PendingProduce,
  token: number,
  topic: TopicView,
  partition: PartitionNumber,
  batch: Uint8Array,
  slow: boolean,
): void {
  const { state, services } = pending.context
  const lanes = (state.slowLanes ??= new SlowLanes())
  const step = new SlowBatch(pending, token, topic, partition, batch)
  pending.expect()
  lanes.add(partition, step)
  if (!slow) {
    step.onResult({ kind: 'batch', batch })
    return
  }
  const task = taskFor(configOf(services, topic, partition), batch, services.clock.wallMs())
  if (task.kind === 'check' && isSmallAndPlain(batch)) {
    step.onResult(runRecordTask(task))
    return
  }
  // A view would take its whole frame along to the other thread.
  services.records.run({ ...task, batch: batch.slice() }, (result) => {
    step.onResult(result)
    services.afterCallback()
  })
}

const isSmallAndPlain = (batch: Uint8Array): boolean =>
  batch.length <= INLINE_BYTES_MAX && codecOf(batch, 0) === Codec.none

function taskFor(config: TopicConfig, batch: Uint8Array, nowMs: number): RecordTask {
  const requireKeys = config.cleanupPolicy.compact
  const decompressedBytesMax = DECOMPRESSED_BYTES_MAX
  const checks = { batch, requireKeys, decompressedBytesMax, ...timesOf(config, nowMs) }
  const codec = codecOfTopic(config)
  if (codec === null || codec === codecOf(batch, 0)) return { kind: 'check', ...checks }
  return { kind: 'recompress', codec, level: levelOf(config, codec), ...checks }
}

function timesOf(config: TopicConfig, nowMs: number): { times?: TimeBounds } {
  if (config.messageTimestampType !== 'CreateTime') return {}
  const oldestMs = nowMs - config.messageTimestampBeforeMaxMs
  return { times: { oldestMs, newestMs: nowMs + config.messageTimestampAfterMaxMs } }
}
