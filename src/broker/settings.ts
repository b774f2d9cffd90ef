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
  /** Batches of one front that may wait for the PRODUCE that names them. */
  readonly batchBuffersMax: number
}

export const DEFAULT_BROKER_SETTINGS: BrokerSettings = {
  commandsPerTurn: 512,
  stagedBytesPerTurn: 8 * 2 ** 20,
  controlPerTurn: 256,
  openLogsMax: 2_000,
  dehydrateAfterMs: 60_000,
  failedRetryMs: 5_000,
  retentionSweepMs: 300_000,
  removalsPerTurn: 64,
  batchBuffersMax: 1_024,
}
