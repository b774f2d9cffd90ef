/** Every topic config of Apache Kafka 4.3.1, in the order of their names: type, default, limits, and the broker config behind the default. */
import type { ConfigDefinition, ConfigSynonym } from './config-def.ts'

const LONG_MAX = '9223372036854775807'
const HOUR_MS = 3_600_000
const by = (name: string, factor = 1): ConfigSynonym => ({ name, factor })

export const TOPIC_CONFIG_DEFINITIONS: readonly ConfigDefinition[] = [
  {
    name: 'cleanup.policy',
    type: 'LIST',
    default: 'delete',
    values: ['compact', 'delete'],
    synonyms: [by('log.cleanup.policy')],
    documentation:
      'What happens to old segments: "delete" drops them by age and size, "compact" keeps the last value of each key; both may be given, and an empty list keeps everything.',
  },
  {
    name: 'compression.gzip.level',
    type: 'INT',
    default: '-1',
    min: 1,
    max: 9,
    or: -1,
    synonyms: [by('compression.gzip.level')],
    documentation: 'Level used when compression.type is gzip; -1 is the library’s own default.',
  },
  {
    name: 'compression.lz4.level',
    type: 'INT',
    default: '9',
    min: 1,
    max: 17,
    synonyms: [by('compression.lz4.level')],
    documentation: 'Level used when compression.type is lz4.',
  },
  {
    name: 'compression.type',
    type: 'STRING',
    default: 'producer',
    values: ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'],
    synonyms: [by('compression.type')],
    documentation:
      'How batches are compressed in the log; "producer" keeps what the producer sent, "uncompressed" stores none.',
  },
  {
    name: 'compression.zstd.level',
    type: 'INT',
    default: '3',
    min: -131_072,
    max: 22,
    synonyms: [by('compression.zstd.level')],
    documentation: 'Level used when compression.type is zstd.',
  },
  {
    name: 'delete.retention.ms',
    type: 'LONG',
    default: '86400000',
    min: 0,
    synonyms: [by('log.cleaner.delete.retention.ms')],
    documentation:
      'How long a compacted topic keeps tombstones, so that a reader from the start still sees each deletion.',
  },
  {
    name: 'file.delete.delay.ms',
    type: 'LONG',
    default: '60000',
    min: 0,
    synonyms: [by('log.segment.delete.delay.ms')],
    documentation: 'How long a segment that was dropped stays on disk before its file is removed.',
  },
  {
    name: 'flush.messages',
    type: 'LONG',
    default: LONG_MAX,
    min: 1,
    synonyms: [by('log.flush.interval.messages')],
    documentation:
      'After how many records the log is flushed to the device; 1 makes every acknowledgement wait for a flush.',
  },
  {
    name: 'flush.ms',
    type: 'LONG',
    default: LONG_MAX,
    min: 0,
    synonyms: [by('log.flush.interval.ms'), by('log.flush.scheduler.interval.ms')],
    documentation: 'The longest time that records stay unflushed on the device.',
  },
  {
    name: 'follower.replication.throttled.replicas',
    type: 'LIST',
    default: '',
    throttledReplicas: true,
    documentation:
      'Replicas whose following is throttled, as partition:broker pairs; * stands for all of the topic.',
  },
  {
    name: 'index.interval.bytes',
    type: 'INT',
    default: '4096',
    min: 0,
    synonyms: [by('log.index.interval.bytes')],
    documentation: 'About how many bytes of log lie between two entries of the offset index.',
  },
  {
    name: 'internal.segment.bytes',
    type: 'INT',
    default: null,
    min: 1,
    hidden: true,
    documentation: 'Segment size below the limit of segment.bytes, for tests.',
  },
  {
    name: 'leader.replication.throttled.replicas',
    type: 'LIST',
    default: '',
    throttledReplicas: true,
    documentation:
      'Replicas that the leader serves throttled, as partition:broker pairs; * stands for all of the topic.',
  },
  {
    name: 'local.retention.bytes',
    type: 'LONG',
    default: '-2',
    min: -2,
    synonyms: [by('log.local.retention.bytes')],
    documentation:
      'Bytes of a tiered partition kept on the brokers; -2 follows retention.bytes, -1 has no limit.',
  },
  {
    name: 'local.retention.ms',
    type: 'LONG',
    default: '-2',
    min: -2,
    synonyms: [by('log.local.retention.ms')],
    documentation:
      'How long segments of a tiered partition stay on the brokers; -2 follows retention.ms, -1 has no limit.',
  },
  {
    name: 'max.compaction.lag.ms',
    type: 'LONG',
    default: LONG_MAX,
    min: 1,
    synonyms: [by('log.cleaner.max.compaction.lag.ms')],
    documentation: 'The longest that a record may stay uncompacted on a compacted topic.',
  },
  {
    name: 'max.message.bytes',
    type: 'INT',
    default: '1048588',
    min: 0,
    synonyms: [by('message.max.bytes')],
    documentation: 'The largest record batch accepted, after compression.',
  },
  {
    name: 'message.timestamp.after.max.ms',
    type: 'LONG',
    default: '3600000',
    min: 0,
    synonyms: [by('log.message.timestamp.after.max.ms')],
    documentation: 'How far a CreateTime timestamp may lie ahead of the broker’s clock.',
  },
  {
    name: 'message.timestamp.before.max.ms',
    type: 'LONG',
    default: LONG_MAX,
    min: 0,
    synonyms: [by('log.message.timestamp.before.max.ms')],
    documentation: 'How far a CreateTime timestamp may lie behind the broker’s clock.',
  },
  {
    name: 'message.timestamp.type',
    type: 'STRING',
    default: 'CreateTime',
    values: ['CreateTime', 'LogAppendTime'],
    synonyms: [by('log.message.timestamp.type')],
    documentation: 'Whether a record carries the producer’s time or the time of its append.',
  },
  {
    name: 'min.cleanable.dirty.ratio',
    type: 'DOUBLE',
    default: '0.5',
    min: 0,
    max: 1,
    synonyms: [by('log.cleaner.min.cleanable.ratio')],
    documentation: 'The share of uncompacted bytes from which a log is compacted.',
  },
  {
    name: 'min.compaction.lag.ms',
    type: 'LONG',
    default: '0',
    min: 0,
    synonyms: [by('log.cleaner.min.compaction.lag.ms')],
    documentation: 'How long a record is safe from compaction.',
  },
  {
    name: 'min.insync.replicas',
    type: 'INT',
    default: '1',
    min: 1,
    synonyms: [by('min.insync.replicas')],
    documentation:
      'How many replicas, the leader included, must hold a batch before acks=all is answered.',
  },
  {
    name: 'preallocate',
    type: 'BOOLEAN',
    default: 'false',
    synonyms: [by('log.preallocate')],
    documentation: 'Whether a new segment’s file is given its full size at once.',
  },
  {
    name: 'remote.log.copy.disable',
    type: 'BOOLEAN',
    default: 'false',
    documentation: 'Stops uploads to object storage and leaves what is there readable.',
  },
  {
    name: 'remote.log.delete.on.disable',
    type: 'BOOLEAN',
    default: 'false',
    documentation: 'Whether tiered data goes when tiering is switched off for the topic.',
  },
  {
    name: 'remote.storage.enable',
    type: 'BOOLEAN',
    default: 'false',
    documentation: 'Whether sealed segments are kept in object storage.',
  },
  {
    name: 'retention.bytes',
    type: 'LONG',
    default: '-1',
    synonyms: [by('log.retention.bytes')],
    documentation:
      'The size per partition above which the "delete" policy drops the oldest segments; -1 has no limit.',
  },
  {
    name: 'retention.ms',
    type: 'LONG',
    default: '604800000',
    min: -1,
    synonyms: [
      by('log.retention.ms'),
      by('log.retention.minutes', 60_000),
      by('log.retention.hours', HOUR_MS),
    ],
    documentation:
      'The age above which the "delete" policy drops segments; -1 keeps them for ever.',
  },
  {
    name: 'segment.bytes',
    type: 'INT',
    default: '1073741824',
    min: 1_048_576,
    synonyms: [by('log.segment.bytes')],
    documentation:
      'The size at which a new segment begins; retention and compaction work by whole segments.',
  },
  {
    name: 'segment.index.bytes',
    type: 'INT',
    default: '10485760',
    min: 4,
    synonyms: [by('log.index.size.max.bytes')],
    documentation:
      'The most that a segment’s offset index may take; full, it begins a new segment.',
  },
  {
    name: 'segment.jitter.ms',
    type: 'LONG',
    default: '0',
    min: 0,
    synonyms: [by('log.roll.jitter.ms'), by('log.roll.jitter.hours', HOUR_MS)],
    documentation:
      'The most by which segment.ms is shortened at random, so that segments do not all roll at once.',
  },
  {
    name: 'segment.ms',
    type: 'LONG',
    default: '604800000',
    min: 1,
    synonyms: [by('log.roll.ms'), by('log.roll.hours', HOUR_MS)],
    documentation: 'The age at which a new segment begins, however small the old one is.',
  },
  {
    name: 'unclean.leader.election.enable',
    type: 'BOOLEAN',
    default: 'false',
    synonyms: [by('unclean.leader.election.enable')],
    documentation:
      'Stored and reported for clients’ sake: an election that could lose acknowledged records never happens here.',
  },
]
