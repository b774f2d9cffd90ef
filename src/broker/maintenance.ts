import type { BrokerId, CellId, PartitionNumber, TenantId } from '../base/ids.ts'
import { partitionPath } from '../base/paths.ts'
import type { MetadataView, TopicView } from '../image/view.ts'
import { DiskError } from '../log/disk.ts'
import type { LogEnvironment } from '../log/environment.ts'
import { BrokerGauges } from './broker-gauges.ts'
import { DirectoryRemover, type DirectoryRemoverOptions } from './directory-remover.ts'
import type { LeaderPartitions } from './leader-partitions.ts'
import { LogCleaner } from './log-cleaner.ts'
import { METADATA_PARTITION } from './metadata-log.ts'
import { type OrphanFound, OrphanSearch } from './orphans.ts'
import type { Replica } from './replica.ts'
import { RetentionSweep } from './retention-sweep.ts'
import type { BrokerSettings } from './settings.ts'
import { TenantDirectories } from './tenant-directories.ts'

export interface MaintenanceOptions {
  readonly environment: LogEnvironment
  readonly root: string
  readonly cellId: CellId
  readonly brokerId: BrokerId
  readonly image: MetadataView
  /** It is whole, and no newer one has begun to come. */
  readonly isImageCurrent: () => boolean
  readonly partitions: LeaderPartitions
  readonly settings: BrokerSettings
  /** Flushes asked for and not answered. */
  readonly flushesPending: () => number
  /** Term and vote of a replica that is none any more. */
  readonly forget: DirectoryRemoverOptions['forget']
}

const TICK_MS = 500
/** Logs closed or begun to be flushed per tick and turn. */
const DEHYDRATE_PER_TURN = 16
/** Entries of the recovery points that the image does not name here, looked at per turn. */
const FORGET_PER_TURN = 64

/**
 * What a broker does in the gaps, a bounded bit per turn: recovers what a crash left unchecked, removes deleted topics' files,
 * dehydrates, applies retention to what is closed, cleans internal topics, frees rings, looks whether a full disk has room again.
 */
export class Maintenance {
  readonly #options: MaintenanceOptions
  readonly #remover: DirectoryRemover
  readonly #tenants: TenantDirectories
  readonly #orphans: OrphanSearch
  readonly #sweep: RetentionSweep
  readonly #cleaner: LogCleaner
  #toRecover: PartitionNumber[] = []
  #toForget: PartitionNumber[] = []
  #searching = false
  #tickAtMs = 0
  readonly #gauges: BrokerGauges

  constructor(options: MaintenanceOptions) {
    this.#options = options
    const { environment, settings, image, partitions, root, cellId, brokerId } = options
    const { disk, clock } = environment
    const { table } = partitions
    this.#remover = new DirectoryRemover(environment, {
      perTurn: settings.removalsPerTurn,
      isOrphan: (directory) => this.#orphans.isOrphan(directory),
      mayReturn: (number) => image.hasPartition(number),
      forget: options.forget,
      onDone: (parent) => this.#tenants.look(parent.slice(parent.lastIndexOf('/') + 1) as TenantId),
    })
    this.#tenants = new TenantDirectories(options)
    const found: OrphanFound = (directory, number) => this.#onOrphan(directory, number)
    const foundTenant = (tenantId: TenantId) => this.#tenants.look(tenantId)
    const search = { disk, root, cellId, brokerId, image }
    this.#orphans = new OrphanSearch(search, found, foundTenant)
    this.#gauges = new BrokerGauges(options)
    const periodMs = settings.retentionSweepMs
    this.#sweep = new RetentionSweep({ brokerId, root, image, table, disk, clock, periodMs })
    const onFailed = partitions.moved
    const onWork = (replica: Replica) => partitions.use.turnTo(replica)
    this.#cleaner = new LogCleaner({ brokerId, environment, table, settings, onFailed, onWork })
  }

  get nextTimerAtMs(): number {
    if (this.#toRecover.length > 0 || this.#maySearch) return 0
    return Math.min(
      this.#sweep.nextTimerAtMs,
      this.#remover.nextTimerAtMs,
      this.#tenants.nextTimerAtMs,
      this.#cleaner.nextTimerAtMs,
      this.#options.partitions.holdings.nextTimerAtMs,
      this.#nextTickMs(),
    )
  }

  /** Directories that wait to be removed. */
  get removalsPending(): number {
    return this.#remover.pending
  }

  /** A flush that a replica's log asked for has completed. */
  onFlushed(replica: Replica): void {
    this.#cleaner.onFlushed(replica)
  }

  /** The directory is being removed: nothing may be put there. */
  isRemoving(directory: string): boolean {
    return this.#remover.has(directory)
  }

  /** A replica's topic was deleted, or it was moved away. */
  removeDirectory(number: PartitionNumber, directory: string): void {
    this.#remover.add(number, directory)
  }

  /** Nothing of the tenant is in the image any more. */
  onTenantDeleted(tenantId: TenantId): void {
    this.#tenants.look(tenantId)
    this.#options.partitions.holdings.onTenantDeleted(tenantId)
  }

  /** Configs of these topics have changed. */
  onConfigs(isChanged: (topic: TopicView) => boolean): void {
    this.#sweep.forget(isChanged)
  }

  /** The image is whole: only now is a directory that it does not name an orphan. */
  onImageWhole(): void {
    this.#options.partitions.holdings.onImageWhole()
    const { recoveryPoints, logger } = this.#options.environment
    const dirty = recoveryPoints.dirtyPartitions() as PartitionNumber[]
    this.#toRecover = dirty.filter(
      (number) => number !== METADATA_PARTITION && this.#isHere(number),
    )
    const known = recoveryPoints.partitions() as PartitionNumber[]
    this.#toForget = known.filter(
      (number) => number !== METADATA_PARTITION && !this.#isHere(number),
    )
    try {
      this.#orphans.begin()
      this.#searching = true
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      logger.log('warn', `Deleted topics' files are not looked for: ${error.message}`)
    }
  }

  #isHere(number: PartitionNumber): boolean {
    const { image, brokerId } = this.#options
    if (!image.hasPartition(number)) return false
    return !image.isReplicated(number) || image.holdersOf(number).includes(brokerId)
  }

  doWork(nowMs: number): number {
    let work = this.#recoverOne()
    if (this.#maySearch) work += this.#search()
    work += this.#remover.doWork(nowMs) + this.#tenants.doWork(nowMs)
    work += this.#sweep.doWork(nowMs)
    work += this.#cleaner.doWork(nowMs)
    work += this.#options.partitions.holdings.doWork(nowMs)
    if (nowMs >= this.#tickAtMs) work += this.#tick(nowMs)
    return work
  }

  /** What an image that is still to come names must not be taken for an orphan; once it is whole, the search begins anew. */
  get #maySearch(): boolean {
    return this.#searching && this.#options.isImageCurrent()
  }

  #nextTickMs(): number {
    const { partitions, environment } = this.#options
    const isIdle =
      partitions.table.size === 0 &&
      !partitions.table.hasClosed &&
      environment.space?.writable !== false &&
      this.#gauges.isUpToDate
    const holdsRings = (environment.rings?.retiredCount ?? 0) > 0
    return isIdle && !holdsRings ? Number.POSITIVE_INFINITY : this.#tickAtMs
  }

  #tick(nowMs: number): number {
    const { partitions, environment, settings } = this.#options
    const { table } = partitions
    environment.rings?.sweep()
    if (environment.space?.writable === false) environment.space.admits()
    const sinceMs = nowMs - settings.dehydrateAfterMs
    const looked = table.dehydrateIdle(nowMs, sinceMs, DEHYDRATE_PER_TURN)
    // as many as a turn may: there may be more, so the next turn ticks again
    if (looked < DEHYDRATE_PER_TURN) this.#tickAtMs = nowMs + TICK_MS
    this.#gauges.sample(nowMs)
    partitions.holdings.look(nowMs)
    return looked
  }

  /** Opening a log recovers it. One per turn, so that clients are served in between. */
  #recoverOne(): number {
    const number = this.#toRecover.pop()
    if (number === undefined) return 0
    const { partitions, image, brokerId } = this.#options
    const isHere = image.isReplicated(number)
      ? image.holdersOf(number).includes(brokerId)
      : image.leaderOf(number) === brokerId
    const replica = isHere && !partitions.isStopping ? partitions.table.admit(number) : undefined
    if (replica !== undefined && replica.log === null) partitions.open(replica)
    return 1
  }

  #search(): number {
    try {
      if (this.#toForget.length > 0) return this.#forgetSome()
      const looked = this.#orphans.step()
      this.#searching = looked > 0
      return looked
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      this.#options.environment.logger.log('warn', error.message)
      return 1
    }
  }

  /** What the recovery points tell of replicas that are not here, whether their files are or not. Throws DiskError. */
  #forgetSome(): number {
    const { environment, image, root, forget } = this.#options
    for (const number of this.#toForget.splice(-FORGET_PER_TURN)) {
      if (this.#isHere(number)) continue
      const partition = image.glance(number)
      if (partition === undefined) {
        // its number never comes back: nothing of it need be durable
        environment.recoveryPoints.remove(number)
        forget(number, null)
      } else {
        const { topic, index } = partition
        this.#remover.addFound(number, partitionPath(root, topic.tenantId, topic.topicId, index))
      }
    }
    return 1
  }

  #onOrphan(directory: string, number: PartitionNumber | null): void {
    const { logger } = this.#options.environment
    logger.log('info', 'Removing a directory that belongs to no topic any more', { directory })
    this.#remover.addFound(number, directory)
  }
}
