/**
 * What the kinds of the counter table mean: a row is one (tenant, broker), a broker as a whole, or a thread as a whole. Names
 * ending in `_NOW` are gauges that their thread sets; the others only grow. Numbers are never used again for another meaning
 * within a layout version.
 *
 *     0 … 63    stored by broker threads
 *    64 … 95    of a front as a whole, stored by it in the row of the thread itself; the first 16 by `net`
 *    96 … 103   of any thread with an event loop, likewise
 *   104 … 111   stored by fronts in the row of (tenant, broker)
 *   112 … 495   requests by API, stored by fronts in the row of (tenant, no broker): 48 APIs × 8
 *   496 … 519   latency buckets of Produce and Fetch, likewise
 */
/** Stored by broker threads, by tenant. Bytes are those of record batches. */
export const BrokerCounter = {
  /** Batches, refused ones too. */
  PRODUCES: 0,
  /** Of the batches that were taken. */
  PRODUCE_BYTES: 1,
  /** Likewise, by their offsets. */
  RECORDS: 2,
  /** Writes that the disk failed, each of which may have failed many produces. */
  WRITES_FAILED: 3,
  LOCATES: 4,
  OFFSET_LOOKUPS: 5,
  WAKES: 6,
  /** Batches that an idempotent producer had sent before: answered, not taken again. */
  DUPLICATES: 12,
  /** Refused, by {@link ErrorClass}: four slots. */
  PRODUCES_REFUSED: 16,
} as const

/** Stored by broker threads in the row that stands for the broker itself. 21 and 30 were partitions led, and without a leader. */
export const BrokerGauge = {
  LOGS_OPEN_NOW: 7,
  LOGS_OPENED: 8,
  PARTITIONS_FAILED_NOW: 9,
  FLUSHES_WAITING_NOW: 10,
  TURN_COMMANDS: 11,
  /** Of logs opened since the start. */
  LOG_BYTES_NOW: 20,
  RING_BYTES_NOW: 22,
  /** Rings that ended and that a socket still refers to. */
  RINGS_RETIRED_NOW: 23,
  /** 1 while produce is taken, 0 below the mark of free space. */
  DISK_WRITABLE_NOW: 24,
  FLUSHES: 25,
  FLUSHES_FAILED: 26,
  /** From request to completion, summed. */
  FLUSH_US: 27,
  /** Of the whole engine, as this broker's image has them. */
  TOPICS_NOW: 28,
  PARTITIONS_NOW: 29,
  /** 1 while others lead, as the disk is full that is this broker's alone. */
  YIELDS_NOW: 31,
  /** The term in which this broker's controller leads; 0: it does not, or there is none. */
  CONTROLLER_EPOCH_NOW: 32,
} as const

/** Where the slots of `net` begin, in the order of its `ConnectionCount`; 16 of them. */
export const NET_COUNTS_FROM = 64
export const NET_COUNTS = 16

/** Stored by fronts in the row of the thread itself. */
export const FrontCounter = {
  FRAMES_MALFORMED: 80,
  FRAMES_UNSUPPORTED: 81,
  FRAMES_REFUSED: 82,
  IN_FLIGHT_BYTES_NOW: 83,
  /** Connections that are not read from until others have been answered. */
  CONNECTIONS_WAITING_NOW: 84,
  FETCHES_PARKED_NOW: 85,
  FETCH_SESSIONS_NOW: 86,
  PRODUCES_PENDING_NOW: 87,
  /** Ring memory that sockets hold without a copy. */
  PINNED_BYTES_NOW: 88,
  FILE_BUFFER_BYTES_NOW: 89,
  /** Commands that wait for room in a broker's ring. */
  COMMANDS_PARKED_NOW: 90,
  /** Commands that have waited for a leader to be elected: produces, … */
  HELD_PRODUCES: 91,
  /** … questions of fetches, … */
  HELD_FETCHES: 92,
  /** … and all else. */
  HELD_OTHERS: 93,
  /** When the certificate of TLS listeners expires, in seconds since the epoch; 0: there are none. */
  TLS_EXPIRES_AT_S_NOW: 94,
} as const

/** Stored by threads with an event loop in the row of the thread itself. */
export const LoopCounter = {
  /** Sampled twice a second: by how much a timer was late. */
  LAG_US_NOW: 96,
  /** The worst of the last half minute or less. */
  LAG_US_MAX_NOW: 97,
  ACTIVE_US: 98,
  IDLE_US: 99,
} as const

/** Stored by fronts in the row of (tenant, broker). Bytes are those of record batches in answers. */
export const FetchCounter = {
  /** Partitions answered, with or without records. */
  READS: 104,
  BYTES: 105,
  READS_FAILED: 106,
  /** Of the bytes, those that left shared memory without a copy … */
  ZERO_COPY_BYTES: 107,
  /** … those read from segment files; the rest was copied out of ring logs. */
  FILE_BYTES: 108,
} as const

const REQUESTS_FROM = 112
const REQUEST_APIS_MAX = 48
/** Four of them for the error classes. */
const REQUEST_SLOTS = 8

/** Slots of one API, from its {@link requestKind} on. A request is counted when it is answered. */
export const RequestCounter = {
  REQUESTS: 0,
  /** From the arrival of its last byte until its answer is ready, summed. */
  TIME_US: 1,
  REQUEST_BYTES: 2,
  RESPONSE_BYTES: 3,
  /** Errors in answers, each partition's or topic's counted, by {@link ErrorClass}: four slots. */
  ERRORS: 4,
} as const

/** Keys and names of the APIs that are counted, by their place: only ever appended to. */
export const COUNTED_APIS: readonly (readonly [key: number, name: string])[] = [
  [0, 'Produce'],
  [1, 'Fetch'],
  [2, 'ListOffsets'],
  [3, 'Metadata'],
  [10, 'FindCoordinator'],
  [18, 'ApiVersions'],
  [19, 'CreateTopics'],
  [20, 'DeleteTopics'],
  [22, 'InitProducerId'],
  [32, 'DescribeConfigs'],
  [60, 'DescribeCluster'],
  [75, 'DescribeTopicPartitions'],
  [8, 'OffsetCommit'],
  [9, 'OffsetFetch'],
  [11, 'JoinGroup'],
  [12, 'Heartbeat'],
  [13, 'LeaveGroup'],
  [14, 'SyncGroup'],
  [15, 'DescribeGroups'],
  [16, 'ListGroups'],
  [42, 'DeleteGroups'],
  [47, 'OffsetDelete'],
  [21, 'DeleteRecords'],
  [23, 'OffsetForLeaderEpoch'],
  [33, 'AlterConfigs'],
  [37, 'CreatePartitions'],
  [44, 'IncrementalAlterConfigs'],
  [61, 'DescribeProducers'],
  [74, 'ListConfigResources'],
  [29, 'DescribeAcls'],
  [35, 'DescribeLogDirs'],
  [48, 'DescribeClientQuotas'],
  [43, 'ElectLeaders'],
  [45, 'AlterPartitionReassignments'],
  [46, 'ListPartitionReassignments'],
  [55, 'DescribeQuorum'],
  [17, 'SaslHandshake'],
  [36, 'SaslAuthenticate'],
  [30, 'CreateAcls'],
  [31, 'DeleteAcls'],
  [50, 'DescribeUserScramCredentials'],
  [51, 'AlterUserScramCredentials'],
]

const placeOfApi = new Int8Array(128).fill(-1)
COUNTED_APIS.forEach(([key], place) => {
  if (place >= REQUEST_APIS_MAX) throw new RangeError('too many APIs for the counter table')
  placeOfApi[key] = place
})

/** The first slot of an API; −1 for one that is not counted. */
export const requestKind = (apiKey: number): number => {
  const place = placeOfApi[apiKey] ?? -1
  return place < 0 ? -1 : REQUESTS_FROM + place * REQUEST_SLOTS
}

/** Upper bounds of the latency buckets; one more bucket takes what is above the last. */
export const LATENCY_BOUNDS_US: readonly number[] = [
  ...[500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000],
]
/** Where the buckets of Produce and Fetch begin, by API key. */
export const LATENCY_FROM: readonly number[] = [496, 508]

export const COUNTER_KINDS = 520
