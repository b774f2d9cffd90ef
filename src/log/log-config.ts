/** What a partition's log needs of its topic's configuration: the names and units of Kafka's topic configs. */
export interface LogConfig {
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly segmentJitterMs: number
  readonly segmentIndexBytes: number
  readonly indexIntervalBytes: number
  /** −1: no limit. */
  readonly retentionMs: number
  /** −1: no limit. */
  readonly retentionBytes: number
  readonly maxMessageBytes: number
  readonly messageTimestampType: 'CreateTime' | 'LogAppendTime'
  readonly messageTimestampBeforeMaxMs: number
  readonly messageTimestampAfterMaxMs: number
  readonly flushMessages: number
  readonly flushMs: number
  /** How long an idle producer is remembered. */
  readonly producerIdExpirationMs: number
  readonly cleanupPolicy: { readonly delete: boolean; readonly compact: boolean }
  readonly deleteRetentionMs: number
  readonly minCleanableDirtyRatio: number
  readonly minCompactionLagMs: number
}

const UNLIMITED = Number.MAX_SAFE_INTEGER

/** Kafka's defaults: for internal logs and tests; topics come with their own. */
export const DEFAULT_LOG_CONFIG: LogConfig = {
  segmentBytes: 1 << 30,
  segmentMs: 604_800_000,
  segmentJitterMs: 0,
  segmentIndexBytes: 10 << 20,
  indexIntervalBytes: 4096,
  retentionMs: 604_800_000,
  retentionBytes: -1,
  maxMessageBytes: 1_048_588,
  messageTimestampType: 'CreateTime',
  messageTimestampBeforeMaxMs: UNLIMITED,
  messageTimestampAfterMaxMs: 3_600_000,
  flushMessages: UNLIMITED,
  flushMs: UNLIMITED,
  producerIdExpirationMs: 86_400_000,
  cleanupPolicy: { delete: true, compact: false },
  deleteRetentionMs: 86_400_000,
  minCleanableDirtyRatio: 0.5,
  minCompactionLagMs: 0,
}
