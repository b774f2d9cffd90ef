/**
 * What the kinds of the counter table mean: a row is one (tenant, broker). Names ending in `_NOW` are gauges that their thread
 * sets; the others only grow. Numbers are never used again for another meaning within a layout version.
 */

/** Stored by broker threads. Bytes are those of record batches. */
export const BrokerCounter = {
  PRODUCES: 0,
  PRODUCE_BYTES: 1,
  /** Refused for the client's or the partition's sake, whatever the error. */
  PRODUCES_REFUSED: 2,
  /** Writes that the disk failed, each of which may have failed many produces. */
  WRITES_FAILED: 3,
  LOCATES: 4,
  OFFSET_LOOKUPS: 5,
  WAKES: 6,
} as const

/** Stored by broker threads in the row that stands for the broker itself. */
export const BrokerGauge = {
  LOGS_OPEN_NOW: 7,
  LOGS_OPENED: 8,
  PARTITIONS_FAILED_NOW: 9,
  FLUSHES_WAITING_NOW: 10,
  TURN_COMMANDS: 11,
} as const

/** First kind that fronts may use. */
export const FRONT_COUNTERS_FROM = 16
