/** What a producer is told when a batch of its is refused: what was wrong, where, and the limit. The only place with such texts. */
import { overLimit, overSize, type TenantLimit } from '../image/tenant-limits.ts'
import type { TopicConfig } from '../image/topic-config.ts'
import { ProduceReason, type ProduceReasonName } from '../link/produce-reason.ts'
import {
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  baseSequenceOf,
  baseTimestampOf,
  codecOf,
  lastOffsetDeltaOf,
  MAGIC_V2,
  magicOf,
  maxTimestampOf,
  producerEpochOf,
  producerIdOf,
  recordCountOf,
  sizeInBytesOf,
} from '../record/batch.ts'

/** A batch that was refused, as its front still holds it. */
export interface RefusedBatch {
  /** Its name; its id, where that is all that is known. */
  readonly topic: string
  readonly index: number
  /** null for a topic that is not there any more. */
  readonly config: TopicConfig | null
  /** null: not limited. */
  readonly limitOf: (name: TenantLimit) => number | null
  /** Of what its tenant may write, as far as brokers have told. */
  readonly storageBytes: number
  /** As the client sent it: may be anything. */
  readonly batch: Uint8Array
}

/** Refusals that no broker is asked for. */
type FrontReasonName =
  | 'unknownTopic'
  | 'unknownTopicId'
  | 'internalTopic'
  | 'noBatch'
  | 'zstdTooEarly'
  | 'notLookedAt'
  | 'overMessageBytes'
  | 'timedOut'
export type RefusalName = Exclude<ProduceReasonName, 'NONE'> | FrontReasonName

type Sentence = (refused: RefusedBatch) => string

const limit = (refused: RefusedBatch, name: string, value: number | undefined): string =>
  `${name}${value === undefined ? '' : `=${value}`} of topic ${refused.topic}`

const records = ({ batch }: RefusedBatch): string =>
  `batch claims ${recordCountOf(batch, 0)} records`

const producer = ({ batch }: RefusedBatch): string =>
  `producer ${producerIdOf(batch, 0)} (epoch ${producerEpochOf(batch, 0)}, sequence ${baseSequenceOf(batch, 0)})`

const times = ({ batch }: RefusedBatch): string =>
  `timestamps ${baseTimestampOf(batch, 0)} to ${maxTimestampOf(batch, 0)}`

const SENTENCES: Readonly<Record<RefusalName, Sentence>> = {
  truncated: ({ batch }) =>
    batch.length < BATCH_HEADER_BYTES
      ? `batch of ${batch.length} bytes is shorter than a batch header (${BATCH_HEADER_BYTES})`
      : `batch claims ${sizeInBytesOf(batch, 0)} bytes, ${batch.length} are there`,
  badLength: ({ batch }) =>
    `batch claims ${sizeInBytesOf(batch, 0)} bytes, its header alone takes ${BATCH_HEADER_BYTES}`,
  badMagic: ({ batch }) => `batch has magic ${magicOf(batch, 0)}, only ${MAGIC_V2} is taken`,
  tooLarge: (refused) =>
    `batch of ${refused.batch.length} bytes exceeds ${limit(refused, 'max.message.bytes', refused.config?.maxMessageBytes)}`,
  overMessageBytes: ({ batch, limitOf }) =>
    overSize(limitOf('messageBytes') ?? 0, 'messageBytes', 'batch', batch.length),
  badCrc: () => 'batch does not match its CRC, it was damaged on its way',
  badBaseOffset: ({ batch }) =>
    `base offset of a produced batch must be 0, it is ${baseOffsetOf(batch, 0)}`,
  badCount: (refused) =>
    `${records(refused)} in ${refused.batch.length} bytes, with a last offset delta of ${lastOffsetDeltaOf(refused.batch, 0)}`,
  unknownCodec: ({ batch }) => `there is no compression codec ${codecOf(batch, 0)}`,
  controlFromClient: () => 'clients must not write control records',
  badProducer: (refused) => `${producer(refused)} is not one that was given out`,
  badTimestamp: (refused) =>
    `${times(refused)} are no dates in ms, or say LogAppendTime, which only the broker sets`,
  timestampOutOfRange: (refused) => {
    const before = refused.config?.messageTimestampBeforeMaxMs
    const after = limit(
      refused,
      'message.timestamp.after.max.ms',
      refused.config?.messageTimestampAfterMaxMs,
    )
    return `${times(refused)} are outside message.timestamp.before.max.ms${before === undefined ? '' : `=${before}`} and ${after}`
  },
  trailingBytes: ({ batch }) =>
    `exactly one batch is taken, after its ${sizeInBytesOf(batch, 0)} bytes others follow, to ${batch.length}`,
  badRecords: (refused) => `${records(refused)} that cannot be read`,
  keyMissing: ({ topic }) => `compacted topic ${topic} takes no record without a key`,
  beyondSegment: (refused) =>
    `batch of ${refused.batch.length} bytes exceeds ${limit(refused, 'segment.bytes', refused.config?.segmentBytes)}`,
  transactional: () => 'transactions are not available yet',
  producerFenced: (refused) => `${producer(refused)} is fenced, there is one with a newer epoch`,
  epochBeginsLate: (refused) => `${producer(refused)} does not begin its epoch with sequence 0`,
  outOfSequence: (refused) =>
    `${producer(refused)} is out of order, batches before it are missing here`,
  overStorage: ({ batch, limitOf, storageBytes }) => {
    const max = limitOf('storageBytes')
    const told = { used: storageBytes, asked: batch.length }
    // the limit may have been raised since, or room been made
    const text =
      overLimit(max, 'storageBytes', told) ??
      `The limit of storageBytes of this cluster would have been passed by a batch of ${batch.length} bytes.`
    return text.slice(0, -1)
  },
  diskFull: () => "the broker's disk is full, it takes records again once there is space",
  writeFailed: () => "the broker's disk could not be written",
  flushFailed: () =>
    "the broker's disk failed to make records durable, the log is checked and opened again in some seconds",
  logFailed: () => "the partition's log cannot be used now, it is opened again in some seconds",
  unknownPartition: ({ topic, index }) => `topic ${topic} has no partition ${index}`,
  notLeader: () => 'the broker does not lead this partition',
  stopping: () => 'the broker is being stopped',
  batchMissing: () => 'the batch did not reach the broker',
  brokerGone: () => 'the broker ended before it answered, the batch may or may not be there',
  noLeader: () => 'no broker leads this partition now',
  electing: () => 'the replicas of this partition are electing a leader',
  leadershipLost: () =>
    'the broker lost the leadership before a majority had the batch, which may or may not be there',
  notEnoughReplicas: (refused) =>
    `fewer replicas are in sync than ${limit(refused, 'min.insync.replicas', refused.config?.minInsyncReplicas)} and a majority ask for; nothing was appended`,
  notEnoughReplicasAfterAppend: (refused) =>
    `the batch was appended, and then fewer replicas were in sync than ${limit(refused, 'min.insync.replicas', refused.config?.minInsyncReplicas)} asks for`,
  unknownTopic: ({ topic }) => `there is no topic ${topic}`,
  unknownTopicId: ({ topic }) => `there is no topic with id ${topic}`,
  internalTopic: ({ topic }) => `clients cannot write to the internal topic ${topic}`,
  noBatch: () => 'a partition needs one record batch, it has none',
  zstdTooEarly: () => 'zstd is taken from version 7 of Produce on',
  notLookedAt: () => 'the records could not be looked at',
  timedOut: () =>
    'the broker has not answered within timeout.ms, the batch may or may not be there',
}

const nameOf = new Map<number, RefusalName>(
  Object.entries(ProduceReason).flatMap(([name, reason]) =>
    name === 'NONE' ? [] : [[reason, name as RefusalName] as const],
  ),
)

/** The sentence for a refusal, with the partition behind it; null for a reason of a newer broker. */
export function refusalText(reason: RefusalName | number, refused: RefusedBatch): string | null {
  const name = typeof reason === 'number' ? nameOf.get(reason) : reason
  return name === undefined ? null : withPlace(SENTENCES[name](refused), refused)
}

/** A sentence that somebody else has made, with the partition behind it. */
export const withPlace = (text: string, { topic, index }: RefusedBatch): string =>
  `${text} (${topic}-${index})`
