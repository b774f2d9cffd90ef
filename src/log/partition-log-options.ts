import type { PartitionNumber } from '../base/ids.ts'
import type { LogEnvironment } from './environment.ts'
import type { LogConfig } from './log-config.ts'

export interface PartitionLogOptions {
  readonly environment: LogEnvironment
  /** The replica's directory; made at the first write. */
  readonly directory: string
  readonly partition: PartitionNumber
  readonly config: LogConfig
  /** `broker`: batches of our own making, metadata for one; only what holds for every batch is checked. Default `client`. */
  readonly origin?: 'client' | 'broker'
  /** Appends go on below the mark of a full disk, at the end from the reserve: metadata. Default false. */
  readonly appendsWhenFull?: boolean
  /** The acknowledged offset has moved, by a flush, outside of write. */
  readonly onAcknowledged?: () => void
  /**
   * The log is one of a group's replicas: consumers read, and producers are told, no further than {@link PartitionLog.commitTo} says.
   * Default false.
   */
  readonly isReplicated?: boolean
  /** As far as the group is known to have committed it when it is opened; the log start unless given. */
  readonly commitOffset?: number
}
