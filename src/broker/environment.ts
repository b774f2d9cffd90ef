import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { type ControlPort, SERVER_PEER } from '../link/ports.ts'
import type { Disk, FlushPort } from '../log/disk.ts'
import { DiskSpace } from '../log/disk-space.ts'
import type { LogEnvironment } from '../log/environment.ts'
import { OpenFiles } from '../log/open-files.ts'
import { RecoveryPoints } from '../log/recovery-points.ts'
import { RingLogPool } from '../log/ring-log-pool.ts'
import type { Arena } from '../shared/arena.ts'

export interface BrokerEnvironmentOptions {
  readonly disk: Disk
  /** The broker's directory; made if missing. */
  readonly root: string
  readonly flush: FlushPort
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly control: ControlPort
  /** null: no ring logs. */
  readonly arena: Arena | null
  /** How many fronts may read the ring logs. */
  readonly fronts: number
  readonly openFilesMax?: number
  /** See {@link DiskSpace}. */
  readonly diskMarkBytes?: number | null
  readonly diskReserveBytes?: number
  readonly diskReserveLater?: boolean
  readonly diskIsAlone?: () => boolean
}

const OPEN_FILES_MAX = 1_024

/** What all logs of a broker share, its metadata log included; made before any of them, on the broker's thread. Throws DiskError. */
export function openBrokerEnvironment(options: BrokerEnvironmentOptions): LogEnvironment {
  const { disk, root, flush, clock, random, logger, control, arena, fronts } = options
  makeRoot(disk, root, flush)
  const space = new DiskSpace({
    disk,
    directory: root,
    clock,
    logger,
    markBytes: options.diskMarkBytes ?? null,
    reserveBytes: options.diskReserveBytes ?? 0,
    reserveLater: options.diskReserveLater ?? false,
    isAlone: options.diskIsAlone ?? (() => false),
    onChange: (writable, reason) =>
      control.post(SERVER_PEER, { kind: 'disk-state', writable, directory: root, reason }),
  })
  return {
    disk,
    files: new OpenFiles(disk, options.openFilesMax ?? OPEN_FILES_MAX),
    rings: arena === null ? null : new RingLogPool({ arena, fronts }),
    flush,
    clock,
    random,
    logger,
    space,
    recoveryPoints: space.withReserve(() => RecoveryPoints.open({ disk, root, flush, logger })),
  }
}

/**
 * If a power cut took the directory's name, or its parent's, all that it holds would be lost. Asked for at each start: who
 * made it may have died before it was flushed.
 */
function makeRoot(disk: Disk, root: string, flush: FlushPort): void {
  disk.mkdirs(root)
  const parent = root.slice(0, root.lastIndexOf('/'))
  for (const path of [parent, parent.slice(0, parent.lastIndexOf('/'))]) {
    flush.request(path === '' ? '/' : path, () => {})
  }
}
