/** Broker configs of the group coordinator, under Kafka's names in camel case. */
export interface GroupCoordinatorConfig {
  readonly groupMinSessionTimeoutMs: number
  readonly groupMaxSessionTimeoutMs: number
  readonly groupInitialRebalanceDelayMs: number
  readonly groupMaxSize: number
  /** Kafka's offsets.retention.minutes, in milliseconds. */
  readonly offsetsRetentionMs: number
  readonly offsetsRetentionCheckIntervalMs: number
  /** Kafka counts characters, and so do we. */
  readonly offsetMetadataMaxBytes: number
}

/** Kafka's defaults. */
export const DEFAULT_GROUP_CONFIG: GroupCoordinatorConfig = {
  groupMinSessionTimeoutMs: 6_000,
  groupMaxSessionTimeoutMs: 1_800_000,
  groupInitialRebalanceDelayMs: 3_000,
  groupMaxSize: 2_147_483_647,
  offsetsRetentionMs: 7 * 24 * 60 * 60_000,
  offsetsRetentionCheckIntervalMs: 600_000,
  offsetMetadataMaxBytes: 4_096,
}

/** How long a new member, who cannot send heartbeats yet, may wait for its first generation; not configurable in Kafka. */
export const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60_000

/*
 * Bounds that Kafka does not have, so that no client can make the coordinator hold what it likes. They are far beyond what
 * clients send: a group whose record passes Kafka's default message.max.bytes cannot be stored there either.
 */

/** Longest group id that a group is joined with or created under, in characters. */
export const GROUP_ID_LENGTH_MAX = 1_024
/** Metadata of all protocols of one member together. */
export const MEMBER_METADATA_BYTES_MAX = 4 * 1024 * 1024
/**
 * What all members of a group say of themselves together: the leader is told it in one answer, which must be made and sent as
 * a whole, and most of it is in one batch of the log. A thousand members with a thousand partitions each are 8 MB.
 */
export const GROUP_BYTES_MAX = 16 * 1024 * 1024
/** Protocols that one member may offer. */
export const MEMBER_PROTOCOLS_MAX = 1_000
/** Member ids of one group that were given out and have not joined yet. */
export const PENDING_MEMBERS_MAX = 10_000
