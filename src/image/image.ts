/** The metadata image: what the cluster holds, at one position of the metadata log. One per thread; only {@link MetadataImage.apply} changes it, everyone else takes {@link MetadataView}. */
import { InvariantError, invariant } from '../base/assert.ts'
import type {
  BrokerId,
  CellId,
  PartitionIndex,
  PartitionNumber,
  TenantId,
  TopicId,
} from '../base/ids.ts'
import { replicaIdOf } from '../base/replica-id.ts'
import { BrokerDirectories, type DirectoryEntry } from './broker-directories.ts'
import { METADATA_FORMAT, type MetadataEntry } from './entry.ts'
import { PartitionTable } from './partition-table.ts'
import type { PlansView } from './plan-rows.ts'
import {
  joinedOf,
  type Reassignment,
  type ReplicaMove,
  ReplicaMoves,
  reassignmentOf,
} from './replica-moves.ts'
import type { MetadataMessage } from './request.ts'
import type { TenantRow, TopicRow } from './rows.ts'
import { imageHash } from './snapshot.ts'
import type { ApiKeyView } from './tenant-access.ts'
import { fixedTopicConfigs, type TopicConfigs } from './tenant-configs.ts'
import { DEFAULT_TENANT_NAME } from './tenant-name.ts'
import { isTenantEntry, type TenantEntry, TenantRows } from './tenant-rows.ts'
import { type ToldLeader, ToldLeaders } from './told-leaders.ts'
import type { ConfigValues } from './topic-config.ts'
import {
  addPartitions,
  createTopic,
  deleteTopic,
  reassign,
  type TopicTables,
} from './topic-entries.ts'
import { TopicRows } from './topic-rows.ts'
import type { BrokerDirectory, MetadataView, PartitionView, TenantView, TopicView } from './view.ts'

const NO_BROKERS: readonly BrokerId[] = []

type Numbered = Extract<MetadataEntry, { kind: 'topic-created' | 'partitions-added' }>

export class MetadataImage implements MetadataView {
  #offset = 0
  #cluster = { clusterId: '', cells: 0, brokersPerCell: 0 }
  #configs: TopicConfigs
  #tenants: TenantRows
  #topics = new TopicRows()
  #partitions = new PartitionTable()
  #directories = new BrokerDirectories()
  /** One of the image and of what is to take its place. */
  #told = new ToldLeaders()
  #moves = new ReplicaMoves()
  #nextPartition = 1
  #epoch = 0
  /** What has come of the image that is to take this one's place: nobody sees it before it is whole. */
  #next: MetadataImage | null = null
  #isWhole = false

  /** `brokerConfigs`: static broker configs that give topics their defaults. `keepsAccess`: of a thread at which somebody logs in. */
  constructor(brokerConfigs: ConfigValues = {}, { keepsAccess = true } = {}) {
    this.#configs = fixedTopicConfigs(brokerConfigs)
    this.#tenants = new TenantRows(keepsAccess)
  }

  get offset(): number {
    return this.#offset
  }

  /** The latest term of a controller that has been heard of; it stays when the image begins anew. */
  get epoch(): number {
    return this.#epoch
  }

  /** A controller's image has come here, all of it; what is to be seen has been whole since. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** A newer image has begun to come: there may be more than is to be seen here. */
  get isBegunAnew(): boolean {
    return this.#next !== null
  }

  get clusterId(): string {
    return this.#cluster.clusterId
  }

  get cells(): number {
    return this.#cluster.cells
  }

  get brokersPerCell(): number {
    return this.#cluster.brokersPerCell
  }

  get tenantCount(): number {
    return this.#tenants.count
  }

  get topicCount(): number {
    return this.#topics.count
  }

  get partitionCount(): number {
    return this.#partitions.count
  }

  get defaultTenant(): TenantView | undefined {
    return this.#tenants.byName(DEFAULT_TENANT_NAME)
  }

  tenant(id: TenantId): TenantRow | undefined {
    return this.#tenants.get(id)
  }

  tenantByName(name: string): TenantView | undefined {
    return this.#tenants.byName(name)
  }

  tenants(): Iterable<TenantRow> {
    return this.#tenants.all()
  }

  get plans(): PlansView {
    return this.#tenants.plans
  }

  apiKey(keyId: string): { readonly tenant: TenantView; readonly key: ApiKeyView } | undefined {
    return this.#tenants.key(keyId)
  }

  topicByName(tenantId: TenantId, name: string): TopicView | undefined {
    return this.#tenants.get(tenantId)?.topicByName(name)
  }

  topicById(tenantId: TenantId, topicId: TopicId): TopicView | undefined {
    const row = this.#topics.get(topicId)
    return row?.tenantId === tenantId ? row : undefined
  }

  topics(tenantId: TenantId): readonly TopicRow[] {
    return this.#tenants.get(tenantId)?.topics() ?? []
  }

  hasTopic(topicId: TopicId): boolean {
    return this.#topics.has(topicId)
  }

  /** Of all tenants, in no particular order, as by {@link glance}. */
  allTopics(): Iterable<TopicView> {
    return this.#topics.all()
  }

  partition(number: PartitionNumber): PartitionView | undefined {
    const topic = this.topicOf(number)
    return topic === undefined ? undefined : this.#partitionOf(number, topic)
  }

  glance(number: PartitionNumber): PartitionView | undefined {
    const slot = this.#partitions.slotOf(number)
    if (slot < 0) return undefined
    return this.#partitionOf(number, this.#topics.glance(this.#partitions.topicAt(slot)))
  }

  #partitionOf(number: PartitionNumber, topic: TopicView): PartitionView {
    const slot = this.#partitions.slotOf(number)
    return {
      topic,
      index: this.#partitions.indexAt(slot) as PartitionIndex,
      leader: this.#partitions.leaderAt(slot),
      leaderEpoch: this.#partitions.leaderEpochAt(slot),
      replicas: this.#partitions.replicasAt(slot),
    }
  }

  hasPartition(number: PartitionNumber): boolean {
    return this.#partitions.slotOf(number) >= 0
  }

  cellOf(number: PartitionNumber): CellId | 0 {
    const slot = this.#partitions.slotOf(number)
    return slot < 0 ? 0 : this.#topics.cellAt(this.#partitions.topicAt(slot))
  }

  topicOf(number: PartitionNumber): TopicView | undefined {
    const slot = this.#partitions.slotOf(number)
    return slot < 0 ? undefined : this.#topics.at(this.#partitions.topicAt(slot))
  }

  leaderOf(number: PartitionNumber): BrokerId | 0 {
    const slot = this.#partitions.slotOf(number)
    return slot < 0 ? 0 : this.#partitions.leaderAt(slot)
  }

  leaderEpochOf(number: PartitionNumber): number {
    const slot = this.#partitions.slotOf(number)
    return slot < 0 ? -1 : this.#partitions.leaderEpochAt(slot)
  }

  replicasOf(number: PartitionNumber): readonly BrokerId[] {
    const slot = this.#partitions.slotOf(number)
    return slot < 0 ? NO_BROKERS : this.#partitions.replicasAt(slot)
  }

  isReplicated(number: PartitionNumber): boolean {
    return this.replicasOf(number).length > 1 || this.#moves.get(number) !== undefined
  }

  holdersOf(number: PartitionNumber): readonly BrokerId[] {
    const replicas = this.replicasOf(number)
    const leaving = this.#moves.get(number)?.leaving ?? NO_BROKERS
    return leaving.length === 0 ? replicas : [...new Set([...replicas, ...leaving])]
  }

  wantedReplicasOf(number: PartitionNumber): readonly BrokerId[] {
    const move = this.#moves.get(number)
    return move === undefined ? this.replicasOf(number) : (move.target ?? move.replicas)
  }

  reassignmentOf(number: PartitionNumber): Reassignment | undefined {
    const move = this.#moves.get(number)
    return move === undefined ? undefined : reassignmentOf(move)
  }

  moveGenerationOf(number: PartitionNumber): number {
    return this.#moves.get(number)?.generation ?? 0
  }

  joinGenerationOf(number: PartitionNumber, broker: BrokerId): number {
    const move = this.#moves.get(number)
    return move === undefined ? 0 : joinedOf(move, broker)
  }

  movingPartitions(): ReadonlySet<PartitionNumber> {
    return this.#moves.pending()
  }

  /** For snapshots: of a partition whose replicas have moved or are about to. */
  moveOf(number: PartitionNumber): ReplicaMove | undefined {
    return this.#moves.get(number)
  }

  isrOf(number: PartitionNumber): readonly BrokerId[] {
    const known = this.#told.get(number)?.isr
    return known ?? this.#replicasBefore(number).filter((one) => !this.mayLack(number, one))
  }

  /** Those that hold a replica, without those that are to hold one some day. */
  #replicasBefore(number: PartitionNumber): readonly BrokerId[] {
    return this.#moves.get(number)?.replicas ?? this.replicasOf(number)
  }

  mayLack(number: PartitionNumber, broker: BrokerId): boolean {
    if (this.#directories.areFilled || !this.isReplicated(number)) return false
    if (this.#told.keepsUp(number, broker)) return false
    return this.#directories.mayLack(this.cellOf(number) as CellId, broker, number)
  }

  isLost(number: PartitionNumber): boolean {
    const told = this.#told.get(number)
    if (told?.isLost === true) return true
    if (this.#directories.areFilled || (told?.leader ?? 0) !== 0) return false
    const replicas = this.#replicasBefore(number)
    const lacking = replicas.filter((broker) => this.mayLack(number, broker)).length
    return 2 * lacking >= replicas.length && lacking > 0
  }

  firstReplicaIds(number: PartitionNumber): readonly number[] {
    const cellId = this.cellOf(number)
    if (cellId === 0) return []
    const move = this.#moves.get(number)
    if (move !== undefined && !move.isFirst) return []
    const first = move?.replicas ?? this.replicasOf(number)
    // what its broker had forgotten before there was a group, no group was promised
    if (move !== undefined && first.length === 1) return [replicaIdOf(first[0]!, move.firstLife)]
    return first.map((broker) => this.#directories.replicaIdAt(cellId, broker, number))
  }

  brokerDirectory(cellId: CellId, brokerId: BrokerId): BrokerDirectory | undefined {
    return this.#directories.get(cellId, brokerId)
  }

  /** For snapshots. */
  get directories(): BrokerDirectories {
    return this.#directories
  }

  /**
   * From the broker that leads or led a replicated partition: false where nothing has changed for readers, or a later epoch is known. What
   * comes before the entry that makes it replicated is kept until that comes, what comes after its deletion is dropped.
   */
  noteLeader(number: PartitionNumber, told: ToldLeader): boolean {
    if (this.#isGone(number) || !this.#told.note(number, told)) return false
    if (this.#next !== null) this.#next.#setLeader(number, told)
    return this.#setLeader(number, told)
  }

  #setLeader(number: PartitionNumber, { leader, leaderEpoch }: ToldLeader): boolean {
    const slot = this.#partitions.slotOf(number)
    if (slot < 0 || !this.isReplicated(number)) return false
    this.#partitions.setLeader(slot, leader, leaderEpoch)
    return true
  }

  /** How many partitions' leaders have been told. */
  get toldCount(): number {
    return this.#told.size
  }

  /** One more than the highest partition number that has come. */
  get nextPartition(): PartitionNumber {
    return this.#nextPartition as PartitionNumber
  }

  partitionNumbers(): Iterable<PartitionNumber> {
    return this.#partitions.numbers()
  }

  hash(): string {
    return imageHash(this)
  }

  /** Applies the entry at `offset` and moves past it; throws {@link InvariantError} on what cannot follow. */
  apply(entry: MetadataEntry): void {
    if (isTenantEntry(entry)) this.#tenants.change(entry)
    else this.#apply(entry)
    this.#offset++
  }

  #apply(entry: Exclude<MetadataEntry, TenantEntry>): void {
    switch (entry.kind) {
      case 'cluster-formed':
        this.#formCluster(entry)
        break
      case 'tenant-created':
        invariant(this.clusterId !== '', 'the cluster is formed before its first tenant')
        this.#tenants.add(entry, this.#configs)
        break
      case 'topic-created':
        createTopic(this.#tables, entry)
        this.#numbered(entry)
        break
      case 'topic-deleted':
        deleteTopic(this.#tables, entry)
        break
      case 'partitions-added':
        addPartitions(this.#tables, entry)
        this.#numbered(entry)
        break
      case 'partition-reassigned':
        reassign(this.#tables, entry)
        break
      case 'topic-configs': {
        const topic = this.#topics.get(entry.topicId)
        invariant(topic?.tenantId === entry.tenantId, 'configs belong to a topic that exists')
        topic.setConfigs(entry.configs)
        break
      }
      case 'broker-configs':
        this.#tenants.of(entry).changeConfigs().setBroker(entry.brokerId, entry.configs)
        break
      case 'group-configs':
        this.#tenants.of(entry).changeConfigs().setGroup(entry.groupId, entry.configs)
        break
      case 'broker-directory': {
        const before = this.#directories.get(entry.cellId, entry.brokerId)
        this.#directories.add(entry)
        if (this.#isWhole) this.#onDirectory(entry, before)
        break
      }
      case 'next-partition':
        this.#nextPartition = Math.max(this.#nextPartition, entry.next)
        break
      case 'producer-ids':
        this.#tenants.of(entry).handOutProducerIds(entry.next)
        break
      default:
        entry satisfies never
        throw new InvariantError(`an entry of unknown kind ${(entry as MetadataEntry).kind}`)
    }
  }

  /** Back to nothing, before a snapshot. */
  clear(): void {
    this.#exchange(this.#emptyOne())
  }

  /** What was applied from nothing on was a snapshot of the log at `offset`, of however many entries. */
  restatedAt(offset: number): void {
    this.#offset = offset
    this.#told.prune((number) => !this.#isGone(number))
  }

  /** A controller leads in this term. */
  noteEpoch(epoch: number): void {
    invariant(epoch >= this.#epoch, 'terms of controllers rise')
    this.#epoch = epoch
  }

  /**
   * The entries of a message. An image that begins anew is put together aside; with its last message it takes this one's place, in one go for everybody who reads
   * here, and what was here before is returned. null: it is not that far, or the entries just follow.
   */
  take(message: MetadataMessage): MetadataImage | null {
    const { first, offset, entries, more } = message
    if (first === 0) this.#next = this.#emptyOne()
    const image = this.#next ?? this
    if (first !== image.#offset) {
      throw new InvariantError(`metadata from ${first} cannot follow an image at ${image.#offset}`)
    }
    for (const entry of entries) image.apply(entry)
    // what starts an image has fewer entries than the log, or a few more
    invariant(image !== this || offset === image.#offset, 'entries are as many as positions')
    image.#offset = offset
    if (image === this || more === true) return null
    this.#next = null
    this.#exchange(image)
    this.#isWhole = true
    for (const directory of this.#directories.last()) {
      this.#onDirectory(directory, image.brokerDirectory(directory.cellId, directory.brokerId))
    }
    this.#told.prune((number) => !this.#isGone(number))
    return image
  }

  /** One that is another than `before` has not what its broker's replicas had, whoever may have said so. */
  #onDirectory(now: DirectoryEntry, before: BrokerDirectory | undefined): void {
    if (before === undefined || before.life === now.life) return
    const { cellId, brokerId } = now
    const mayLack = (number: PartitionNumber) => this.#directories.mayLack(cellId, brokerId, number)
    for (const told of this.#told.withoutReplica(brokerId, mayLack)) this.#setLeader(...told)
  }

  #emptyOne(): MetadataImage {
    const image = new MetadataImage({}, this.#tenants)
    image.#configs = this.#configs
    image.#told = this.#told
    return image
  }

  /** All that entries tell. */
  #exchange(other: MetadataImage): void {
    ;[this.#offset, other.#offset] = [other.#offset, this.#offset]
    ;[this.#cluster, other.#cluster] = [other.#cluster, this.#cluster]
    ;[this.#tenants, other.#tenants] = [other.#tenants, this.#tenants]
    ;[this.#topics, other.#topics] = [other.#topics, this.#topics]
    ;[this.#partitions, other.#partitions] = [other.#partitions, this.#partitions]
    ;[this.#directories, other.#directories] = [other.#directories, this.#directories]
    ;[this.#moves, other.#moves] = [other.#moves, this.#moves]
    ;[this.#nextPartition, other.#nextPartition] = [other.#nextPartition, this.#nextPartition]
  }

  /** Numbers rise and are never used again: what is not there below the highest is no more. */
  #isGone(number: PartitionNumber): boolean {
    return number < this.#nextPartition && this.#partitions.slotOf(number) < 0
  }

  get #tables(): TopicTables {
    const [tenants, topics, partitions] = [this.#tenants, this.#topics, this.#partitions]
    return { tenants, topics, partitions, told: this.#told, moves: this.#moves }
  }

  #numbered({ firstPartition, placements }: Numbered): void {
    this.#nextPartition = Math.max(this.#nextPartition, firstPartition + placements.length)
  }

  #formCluster(entry: Extract<MetadataEntry, { kind: 'cluster-formed' }>): void {
    invariant(this.clusterId === '', 'a cluster is formed once')
    if (entry.format > METADATA_FORMAT) {
      throw new InvariantError(
        `the metadata log has format ${entry.format}, this version reads up to ${METADATA_FORMAT}`,
      )
    }
    this.#cluster = entry
  }
}
