import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { Disk, FlushPort } from './disk.ts'
import type { DiskSpace } from './disk-space.ts'
import type { OpenFiles } from './open-files.ts'
import type { RecoveryPoints } from './recovery-points.ts'
import type { RingLogPool } from './ring-log-pool.ts'

/** What all logs of one broker share. One per broker thread. */
export interface LogEnvironment {
  readonly disk: Disk
  readonly files: OpenFiles
  /** null: no ring logs, every read goes to the files. */
  readonly rings: RingLogPool | null
  readonly flush: FlushPort
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** null: never refuse for want of space. */
  readonly space: DiskSpace | null
  readonly recoveryPoints: RecoveryPoints
  /** Kafka's log.retention.check.interval.ms; 300,000 unless given. */
  readonly retentionCheckMs?: number
  /** Bytes of a log between notes of how far it is whole, so that recovery is short; 16 MB unless given. */
  readonly noteEveryBytes?: number
  /** Unflushed bytes of a log that are flushed without being asked for; 1 GB unless given. */
  readonly flushEveryBytes?: number
}
