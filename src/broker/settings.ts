/** Bounds of a broker agent's work and memory; none is a client's business. */
export interface BrokerSettings {
  /** Commands taken from one front per turn. */
  readonly commandsPerTurn: number
  /** Bytes staged per turn, over all fronts, after which the turn writes before it takes more. */
  readonly stagedBytesPerTurn: number
  readonly controlPerTurn: number
  /** Logs open at a time; beyond, the one that was touched longest ago is closed. */
  readonly openLogsMax: number
  /** A partition untouched for this long is dehydrated. */
  readonly dehydrateAfterMs: number
  /** A failed partition is opened anew, with recovery, after this long. */
  readonly failedRetryMs: number
  /** All partitions that are not open are visited by retention within about this long. */
  readonly retentionSweepMs: number
  /** Files of deleted topics removed per turn. */
  readonly removalsPerTurn: number
  /** Compacted topics of clients are cleaned on this thread, too: only for tests, as they are the pool's. */
  readonly cleansClientTopics: boolean
  /** Of logs that are being cleaned, read per turn. */
  readonly cleaningBytesPerTurn: number
  readonly cleaningRecordsPerTurn: number
  /** Keys that a cleaning tells apart at a time, and their bytes; with more it takes several rounds. */
  readonly cleaningKeysMax: number
  readonly cleaningKeyBytesMax: number
  /** Batches of one front that may wait for the PRODUCE that names them. */
  readonly batchBuffersMax: number
}

export const DEFAULT_BROKER_SETTINGS: BrokerSettings = {
  commandsPerTurn: 512,
  stagedBytesPerTurn: 8 * 2 ** 20,
  controlPerTurn: 256,
  openLogsMax: 8_000,
  dehydrateAfterMs: 60_000,
  failedRetryMs: 5_000,
  retentionSweepMs: 300_000,
  removalsPerTurn: 64,
  cleansClientTopics: false,
  cleaningBytesPerTurn: 128 * 1024,
  cleaningRecordsPerTurn: 2_048,
  cleaningKeysMax: 2 ** 18,
  cleaningKeyBytesMax: 16 * 2 ** 20,
  batchBuffersMax: 1_024,
}
