/** A topic's configuration, parsed: defaults, overridden by what the topic sets. */
/** Stands for Kafka's Long.MAX_VALUE ("never"): numbers above it are cut to it. */
export const UNLIMITED = Number.MAX_SAFE_INTEGER

export type TimestampType = 'CreateTime' | 'LogAppendTime'
export type CompressionType = 'uncompressed' | 'zstd' | 'lz4' | 'snappy' | 'gzip' | 'producer'

/** Times in ms, sizes in bytes; −1 means no limit where Kafka says so, {@link UNLIMITED} stands for Long.MAX_VALUE. */
export interface TopicConfig {
  readonly cleanupPolicy: { readonly delete: boolean; readonly compact: boolean }
  readonly compressionType: CompressionType
  readonly compressionGzipLevel: number
  readonly compressionLz4Level: number
  readonly compressionZstdLevel: number
  readonly deleteRetentionMs: number
  readonly fileDeleteDelayMs: number
  readonly flushMessages: number
  readonly flushMs: number
  readonly indexIntervalBytes: number
  /** −2: as retentionBytes. */
  readonly localRetentionBytes: number
  /** −2: as retentionMs. */
  readonly localRetentionMs: number
  readonly maxCompactionLagMs: number
  readonly maxMessageBytes: number
  readonly messageTimestampAfterMaxMs: number
  readonly messageTimestampBeforeMaxMs: number
  readonly messageTimestampType: TimestampType
  readonly minCleanableDirtyRatio: number
  readonly minCompactionLagMs: number
  readonly minInsyncReplicas: number
  readonly preallocate: boolean
  readonly remoteLogCopyDisable: boolean
  readonly remoteLogDeleteOnDisable: boolean
  readonly remoteStorageEnable: boolean
  /** −1: no limit. */
  readonly retentionBytes: number
  /** −1: no limit. */
  readonly retentionMs: number
  readonly segmentBytes: number
  readonly segmentIndexBytes: number
  readonly segmentJitterMs: number
  readonly segmentMs: number
  readonly uncleanLeaderElectionEnable: boolean
}
