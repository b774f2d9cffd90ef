import type { BrokerId, CellId, PartitionNumber, TenantId } from '../base/ids.ts'
import { tenantLimit } from '../image/tenant-limits.ts'
import type { MetadataView, TopicView } from '../image/view.ts'
import { brokerPeer, type ControlPort, frontPeer, type PeerName } from '../link/ports.ts'
import { type TenantHoldingsMessage, ToldHoldings } from '../link/tenant-holdings.ts'
import { type Disk, DiskError } from '../log/disk.ts'
import type { BrokerRings } from './broker-link.ts'
import type { CoordinatorPartition } from './coordinator-partition.ts'
import type { FrontRings } from './front-link.ts'
import { sizeOnDisk } from './log-sizes.ts'
import type { ReplicaTable } from './replica-table.ts'

export interface TenantHoldingsOptions {
  readonly cellId: CellId
  readonly brokerId: BrokerId
  readonly image: MetadataView
  readonly table: ReplicaTable
  readonly environment: { readonly disk: Disk }
  /** The broker's directory. */
  readonly root: string
  readonly control: ControlPort
  readonly fronts: readonly Pick<FrontRings, 'front'>[]
  readonly peers?: readonly Pick<BrokerRings, 'broker'>[]
}

/** All open logs are looked at no more often than this. */
const LOOK_MS = 500
/** Changes of what is limited are told after this long, and all others. */
const TELL_LIMITED_MS = 100
const TELL_MS = 2_000
/** Tenants in a message. */
const TOLD_MAX = 1_000
/** Logs that were not open since the start: looked at on the disk at a time, passed over at a time, and how long after. */
const UNSEEN_LOOKS = 4
const UNSEEN_PASSED = 256
const UNSEEN_EVERY_MS = 5
/** Partitions of which it is looked whether they still count here, at a time. */
const REVIEWED = 2_000

/** Partitions that there were when it began, and how far it is: a table that changes meanwhile would leave some out. */
interface Search {
  readonly numbers: Uint32Array
  at: number
  /** Those of tenants that are limited come first, in a go of their own. */
  isOfLimited: boolean
  /** Tenants that had a directory when it began: the logs of others are empty, or have been opened since. null: the disk did not tell. */
  readonly onDisk: ReadonlySet<string> | null
}

interface Sized {
  readonly tenantId: TenantId
  bytes: number
}

/**
 * What tenants hold, for their limits: bytes of the logs whose preferred leader this broker is, so that each partition counts once whoever leads it, and groups that
 * are coordinated here. What is written counts as it is staged; everything else within half a second. On the broker's thread.
 */
export class TenantHoldings {
  /** By the other brokers, and of groups also by this one. */
  readonly told: ToldHoldings
  /** The coordinators that are loaded here. */
  coordinated: () => Iterable<CoordinatorPartition> = () => []
  readonly #options: TenantHoldingsOptions
  readonly #hearers: readonly PeerName[]
  readonly #bytes = new Map<TenantId, number>()
  readonly #sizes = new Map<PartitionNumber, Sized>()
  /** What was written here, of those that are limited, and is counted at another broker, by that broker: until it tells. It may be gone. */
  readonly #ahead = new Map<TenantId, Map<BrokerId, number>>()
  /** Not told yet. */
  readonly #changed = new Set<TenantId>()
  readonly #changedGroups = new Map<PartitionNumber, readonly [TenantId, number]>()
  readonly #toldGroups = new Map<PartitionNumber, number>()
  #unseen: Search | null = null
  #unseenAtMs = 0
  /** Whose preferred leader this broker has become: their logs may be closed. */
  readonly #arrived: PartitionNumber[] = []
  /** Nothing was told in this life, … */
  #isAnew = true
  /** … and nothing is before this: half of what a life before has told would let in too much. */
  #hasSeenLimited = false
  #review: Iterator<PartitionNumber> | null = null
  #lookAtMs = 0
  #isLimitedChanged = false
  #toldAtMs = 0

  constructor(options: TenantHoldingsOptions) {
    this.#options = options
    const { cellId, image, fronts, peers = [] } = options
    this.told = new ToldHoldings((tenantId) => image.tenant(tenantId) !== undefined)
    this.#hearers = [
      ...fronts.map(({ front }) => frontPeer(front)),
      ...peers.map(({ broker }) => brokerPeer(cellId, broker)),
    ]
  }

  get nextTimerAtMs(): number {
    const seesAll = this.#unseen === null && this.#arrived.length === 0
    const unseenAtMs = seesAll ? Number.POSITIVE_INFINITY : this.#unseenAtMs
    return Math.min(unseenAtMs, this.#tellAtMs)
  }

  /** How many bytes the tenant may still write. */
  roomOf({ tenantId, internal }: TopicView): number {
    if (internal) return Number.POSITIVE_INFINITY
    const max = tenantLimit(this.#options.image, tenantId, 'storageBytes')
    if (max === null) return Number.POSITIVE_INFINITY
    return max - this.storageBytes(tenantId) - this.#aheadOf(tenantId)
  }

  /** As far as it is known here. */
  storageBytes(tenantId: TenantId): number {
    const { brokerId } = this.#options
    return (this.#bytes.get(tenantId) ?? 0) + this.told.storageBytes(tenantId, brokerId)
  }

  /** In other partitions of `__consumer_offsets` than this one. */
  groupsElsewhere(tenantId: TenantId, number: PartitionNumber): number {
    return this.told.groups(tenantId, number) ?? 0
  }

  /** A batch was staged. */
  grew(number: PartitionNumber, topic: TopicView, bytes: number): void {
    if (!this.#counts(number, topic)) {
      if (!topic.internal) this.#goAhead(number, topic.tenantId, bytes)
      return
    }
    this.#set(number, topic.tenantId, (this.#sizes.get(number)?.bytes ?? 0) + bytes)
  }

  /** A partition is gone, or its replica here. */
  forget(number: PartitionNumber): void {
    const sized = this.#sizes.get(number)
    if (sized !== undefined) this.#set(number, sized.tenantId, 0)
    this.#toldGroups.delete(number)
    this.#changedGroups.delete(number)
  }

  /** This broker is its preferred leader now. */
  arrived(number: PartitionNumber): void {
    this.#arrived.push(number)
  }

  /** From another broker. */
  onTold(message: TenantHoldingsMessage): void {
    this.told.onTold(message)
    const brokerId = message.brokerId as BrokerId
    if (message.isAnew === true) for (const ahead of this.#ahead.values()) ahead.delete(brokerId)
    for (const [tenantId] of message.storage) this.#ahead.get(tenantId)?.delete(brokerId)
  }

  onTenantDeleted(tenantId: TenantId): void {
    this.told.forget(tenantId)
    this.#ahead.delete(tenantId)
    this.#changed.delete(tenantId)
  }

  /** An image is whole: what its partitions hold here is looked for, those of tenants that are limited first. */
  onImageWhole(): void {
    const { image } = this.#options
    this.told.prune()
    for (const number of [...this.#sizes.keys()]) {
      if (!image.hasPartition(number)) this.forget(number)
    }
    const numbers = Uint32Array.from(image.partitionNumbers())
    this.#unseen = { numbers, at: 0, isOfLimited: true, onDisk: this.#directories() }
    this.#unseenAtMs = 0
  }

  /** Who begins anew has been told nothing. */
  tellAgain(): void {
    for (const tenantId of this.#bytes.keys()) this.#changed.add(tenantId)
    this.#isLimitedChanged = this.#changed.size > 0
    this.#toldGroups.clear()
  }

  /** What a front is about to say of the tenant is to be right. */
  tellNow(tenantId: TenantId, nowMs: number): void {
    if (this.#changed.has(tenantId)) this.#tell(nowMs)
  }

  /** Looks at logs that were not open since the start, and tells what has changed. */
  doWork(nowMs: number): number {
    const seen = this.#seeMore(nowMs)
    return nowMs < this.#tellAtMs ? seen : seen + this.#tell(nowMs)
  }

  /** Looks at all logs that have been open since it was done last, now and then. */
  look(nowMs: number): void {
    if (nowMs < this.#lookAtMs) return
    this.#lookAtMs = nowMs + LOOK_MS
    const { table, image } = this.#options
    for (const { number, topic, log } of table.openReplicas()) {
      if (log !== null) this.#note(number, topic, log.sizeBytes)
    }
    for (const number of table.takeClosed()) {
      const topic = image.topicOf(number)
      const bytes = table.measuresOf(number)?.sizeBytes
      if (topic !== undefined && bytes !== undefined) this.#note(number, topic, bytes)
    }
    this.#reviewSome()
    for (const { number, tenantId, isLoaded, coordinator } of this.coordinated()) {
      const { groupCount } = coordinator
      if (!isLoaded || groupCount === undefined) continue
      // another that has led it meanwhile may have told last
      const isTold = this.told.groupsIn(tenantId, number) === groupCount
      if (isTold && this.#toldGroups.get(number) === groupCount) continue
      this.#toldGroups.set(number, groupCount)
      this.#changedGroups.set(number, [tenantId, groupCount])
      this.#isLimitedChanged = true
    }
  }

  get #tellAtMs(): number {
    const isChanged = this.#changed.size > 0 || this.#isAnew
    const hasNews = (isChanged && this.#hasSeenLimited) || this.#changedGroups.size > 0
    if (!hasNews) return Number.POSITIVE_INFINITY
    return this.#toldAtMs + (this.#isLimitedChanged ? TELL_LIMITED_MS : TELL_MS)
  }

  #counts(number: PartitionNumber, { internal }: TopicView): boolean {
    const { image, brokerId } = this.#options
    return !internal && image.replicasOf(number)[0] === brokerId
  }

  #goAhead(number: PartitionNumber, tenantId: TenantId, bytes: number): void {
    const { image } = this.#options
    const brokerId = image.replicasOf(number)[0]
    if (brokerId === undefined || tenantLimit(image, tenantId, 'storageBytes') === null) return
    const own = this.#ahead.get(tenantId)
    if (own === undefined) this.#ahead.set(tenantId, new Map([[brokerId, bytes]]))
    else own.set(brokerId, (own.get(brokerId) ?? 0) + bytes)
  }

  #aheadOf(tenantId: TenantId): number {
    let sum = 0
    for (const bytes of this.#ahead.get(tenantId)?.values() ?? []) sum += bytes
    return sum
  }

  #note(number: PartitionNumber, topic: TopicView, bytes: number): void {
    this.#set(number, topic.tenantId, this.#counts(number, topic) ? bytes : 0)
  }

  #set(number: PartitionNumber, tenantId: TenantId, bytes: number): void {
    const sized = this.#sizes.get(number)
    const before = sized?.bytes ?? 0
    if (before === bytes) return
    if (bytes === 0) this.#sizes.delete(number)
    else if (sized === undefined) this.#sizes.set(number, { tenantId, bytes })
    else sized.bytes = bytes
    const sum = (this.#bytes.get(tenantId) ?? 0) + bytes - before
    if (sum === 0) this.#bytes.delete(tenantId)
    else this.#bytes.set(tenantId, sum)
    const { image } = this.#options
    if (image.tenant(tenantId) === undefined) return
    this.#changed.add(tenantId)
    if (tenantLimit(image, tenantId, 'storageBytes') !== null) this.#isLimitedChanged = true
  }

  /** Replicas move, and then others count. */
  #reviewSome(): void {
    this.#review ??= [...this.#sizes.keys()][Symbol.iterator]()
    const { image, brokerId } = this.#options
    for (let i = 0; i < REVIEWED; i++) {
      const { done, value: number } = this.#review.next()
      if (done === true) {
        this.#review = null
        return
      }
      // also where there is none any more
      if (image.replicasOf(number)[0] !== brokerId) this.forget(number)
    }
  }

  #seeMore(nowMs: number): number {
    const unseen = this.#unseen
    if ((unseen === null && this.#arrived.length === 0) || nowMs < this.#unseenAtMs) return 0
    this.#unseenAtMs = nowMs + UNSEEN_EVERY_MS
    let looks = UNSEEN_LOOKS
    for (let passed = 0; passed < UNSEEN_PASSED && looks > 0; passed++) {
      const arrived = this.#arrived.pop()
      const number = arrived ?? this.#nextUnseen()
      if (number === undefined) break
      if (this.#see(number, arrived === undefined ? (unseen?.onDisk ?? null) : null)) looks--
    }
    return 1
  }

  #nextUnseen(): PartitionNumber | undefined {
    const unseen = this.#unseen
    if (unseen === null) return undefined
    const number = unseen.numbers[unseen.at++]
    if (number !== undefined) return number as PartitionNumber
    this.#hasSeenLimited = true
    this.#unseen = unseen.isOfLimited ? { ...unseen, at: 0, isOfLimited: false } : null
    return undefined
  }

  #directories(): ReadonlySet<string> | null {
    const { root, environment } = this.#options
    try {
      return new Set(environment.disk.list(root))
    } catch (error) {
      if (error instanceof DiskError) return null
      throw error
    }
  }

  /** True when it was looked for on the disk. */
  #see(number: PartitionNumber, onDisk: ReadonlySet<string> | null): boolean {
    const { image, table, brokerId, environment } = this.#options
    if (this.#sizes.has(number) || image.replicasOf(number)[0] !== brokerId) return false
    const topic = image.glance(number)?.topic
    if (topic === undefined || topic.internal) return false
    const { tenantId } = topic
    if (onDisk?.has(tenantId) === false) return false
    const isOfLimited = this.#unseen?.isOfLimited === true
    if (isOfLimited && tenantLimit(image, tenantId, 'storageBytes') === null) return false
    const known = table.measuresOf(number)?.sizeBytes
    const bytes = known ?? sizeOnDisk(number, { ...this.#options, ...environment })
    if (!Number.isNaN(bytes)) this.#set(number, tenantId, bytes)
    return known === undefined
  }

  #tell(nowMs: number): number {
    this.#toldAtMs = nowMs
    const { brokerId, control, image } = this.#options
    const storage: [TenantId, number][] = []
    const isAnew = this.#isAnew && this.#hasSeenLimited
    if (this.#hasSeenLimited) {
      this.#isAnew = false
      for (const tenantId of this.#changed) {
        if (storage.length >= TOLD_MAX) break
        this.#changed.delete(tenantId)
        storage.push([tenantId, this.#bytes.get(tenantId) ?? 0])
      }
    }
    const groups = [...this.#changedGroups]
      .filter(([, [tenantId]]) => image.tenant(tenantId) !== undefined)
      .map(([number, [tenantId, count]]) => [tenantId, number, count] as const)
    this.#changedGroups.clear()
    this.#isLimitedChanged = this.#changed.size > 0 && this.#isLimitedChanged
    const message = { kind: 'tenant-holdings', brokerId, isAnew, storage, groups } as const
    this.told.onTold(message)
    for (const hearer of this.#hearers) control.post(hearer, message)
    return 1
  }
}
