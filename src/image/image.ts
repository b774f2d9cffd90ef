/**
 * The metadata image: what the cluster holds, at one position of the metadata log. One per thread; only {@link MetadataImage.apply}
 * changes it, everyone else takes {@link MetadataView}.
 */
import { createRequire } from 'node:module'
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
import { BrokerDirectories } from './broker-directories.ts'
import { METADATA_FORMAT, type MetadataEntry, type PartitionPlacement } from './entry.ts'
import { PartitionTable } from './partition-table.ts'
import {
  joinedOf,
  type Reassignment,
  type ReplicaMove,
  ReplicaMoves,
  reassignmentOf,
  toldReplicas,
} from './replica-moves.ts'
import type { MetadataMessage } from './request.ts'
import { TenantRow, TopicRow } from './rows.ts'
import { imageEntries } from './snapshot.ts'
import { fixedTopicConfigs, type TopicConfigs } from './tenant-configs.ts'
import { type ToldLeader, ToldLeaders } from './told-leaders.ts'
import type { ConfigValues } from './topic-config.ts'
import type { BrokerDirectory, MetadataView, PartitionView, TenantView, TopicView } from './view.ts'

/** The tenant of clients that do not authenticate. */
export const DEFAULT_TENANT_NAME = 'default'

const NO_BROKERS: readonly BrokerId[] = []

export class MetadataImage implements MetadataView {
  #offset = 0
  #clusterId = ''
  #cells = 0
  #brokersPerCell = 0
  readonly #configs: TopicConfigs
  readonly #tenants = new Map<TenantId, TenantRow>()
  readonly #tenantNames = new Map<string, TenantRow>()
  readonly #topics = new Map<TopicId, TopicRow>()
  /** Topic rows by slot, which partition columns refer to; freed slots are used again. */
  readonly #rows: (TopicRow | undefined)[] = []
  readonly #freeRows: number[] = []
  #partitions = new PartitionTable()
  readonly #directories = new BrokerDirectories()
  readonly #told = new ToldLeaders()
  readonly #moves = new ReplicaMoves()
  #nextPartition = 1
  /** More messages of a snapshot follow. */
  #isPartial = false
  #epoch = 0

  /** `brokerConfigs`: static broker configs that give topics their defaults. */
  constructor(brokerConfigs: ConfigValues = {}) {
    this.#configs = fixedTopicConfigs(brokerConfigs)
  }

  get offset(): number {
    return this.#offset
  }

  /** The latest term of a controller that has been heard of; it stays when the image begins anew. */
  get epoch(): number {
    return this.#epoch
  }

  get clusterId(): string {
    return this.#clusterId
  }

  get cells(): number {
    return this.#cells
  }

  get brokersPerCell(): number {
    return this.#brokersPerCell
  }

  get tenantCount(): number {
    return this.#tenants.size
  }

  get topicCount(): number {
    return this.#topics.size
  }

  get partitionCount(): number {
    return this.#partitions.count
  }

  get defaultTenant(): TenantView | undefined {
    return this.#tenantNames.get(DEFAULT_TENANT_NAME)
  }

  tenant(id: TenantId): TenantRow | undefined {
    return this.#tenants.get(id)
  }

  tenantByName(name: string): TenantView | undefined {
    return this.#tenantNames.get(name)
  }

  tenants(): Iterable<TenantRow> {
    return this.#tenants.values()
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

  partition(number: PartitionNumber): PartitionView | undefined {
    const slot = this.#partitions.slotOf(number)
    if (slot < 0) return undefined
    return {
      topic: this.#rows[this.#partitions.topicAt(slot)]!,
      index: this.#partitions.indexAt(slot) as PartitionIndex,
      leader: this.#partitions.leaderAt(slot),
      leaderEpoch: this.#partitions.leaderEpochAt(slot),
      replicas: this.#partitions.replicasAt(slot),
    }
  }

  topicOf(number: PartitionNumber): TopicView | undefined {
    const slot = this.#partitions.slotOf(number)
    return slot < 0 ? undefined : this.#rows[this.#partitions.topicAt(slot)]
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
    return this.#told.get(number)?.isr ?? this.replicasOf(number)
  }

  firstReplicaIds(number: PartitionNumber): readonly number[] {
    const cellId = this.topicOf(number)?.cellId
    if (cellId === undefined) return []
    const move = this.#moves.get(number)
    if (move !== undefined && !move.isFirst) return []
    const first = move?.replicas ?? this.replicasOf(number)
    const isAlone = move !== undefined && first.length === 1
    // what its broker had forgotten before there was a group, no group was promised
    if (isAlone) return [replicaIdOf(first[0]!, move.firstLife)]
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
    const slot = this.#partitions.slotOf(number)
    if (slot < 0 && this.#isGone(number)) return false
    if (!this.#told.note(number, told) || slot < 0 || !this.isReplicated(number)) return false
    this.#partitions.setLeader(slot, told.leader, told.leaderEpoch)
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
    // loaded only for this: it would take each thread 5 ms of its start
    const crypto = createRequire(import.meta.url)('node:crypto') as typeof import('node:crypto')
    const hash = crypto.createHash('sha256')
    for (const entry of imageEntries(this)) hash.update(JSON.stringify(entry))
    return hash.digest('hex')
  }

  /** Applies the entry at `offset` and moves past it; throws {@link InvariantError} on what cannot follow. */
  apply(entry: MetadataEntry): void {
    switch (entry.kind) {
      case 'cluster-formed':
        this.#formCluster(entry)
        break
      case 'tenant-created':
        this.#createTenant(entry)
        break
      case 'topic-created':
        this.#createTopic(entry)
        break
      case 'topic-deleted':
        this.#deleteTopic(entry)
        break
      case 'partitions-added':
        this.#addPartitions(entry)
        break
      case 'partition-reassigned':
        this.#reassign(entry)
        break
      case 'topic-configs': {
        const topic = this.#topics.get(entry.topicId)
        invariant(topic?.tenantId === entry.tenantId, 'configs belong to a topic that exists')
        topic.setConfigs(entry.configs)
        break
      }
      case 'broker-configs':
        this.#tenantOf(entry).changeConfigs().setBroker(entry.brokerId, entry.configs)
        break
      case 'group-configs':
        this.#tenantOf(entry).changeConfigs().setGroup(entry.groupId, entry.configs)
        break
      case 'broker-directory':
        this.#directories.add(entry)
        break
      case 'next-partition':
        this.#nextPartition = Math.max(this.#nextPartition, entry.next)
        break
      case 'producer-ids': {
        const tenant = this.#tenantOf(entry)
        invariant(entry.next >= tenant.nextProducerId, 'producer ids are never handed out twice')
        tenant.nextProducerId = entry.next
        break
      }
      default:
        entry satisfies never
        throw new InvariantError(
          `a metadata entry of unknown kind ${(entry as MetadataEntry).kind}`,
        )
    }
    this.#offset++
  }

  /** Back to nothing, before a snapshot. */
  clear(): void {
    this.#partitions = new PartitionTable()
    this.#tenants.clear()
    this.#tenantNames.clear()
    this.#topics.clear()
    this.#rows.length = 0
    this.#freeRows.length = 0
    this.#directories.clear()
    this.#moves.clear()
    this.#nextPartition = 1
    this.#clusterId = ''
    this.#offset = 0
  }

  /** A snapshot has fewer entries than the log that it stands for: says where it ends. */
  seek(offset: number): void {
    invariant(offset >= this.#offset, 'an image never moves back')
    this.#offset = offset
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

  /** After each message; what was told of partitions that have gone is forgotten as soon as a snapshot is whole. */
  messageEnds(message: MetadataMessage): void {
    const isSnapshot = message.first === 0 || this.#isPartial
    this.#isPartial = message.more === true
    if (isSnapshot && !this.#isPartial) this.#told.prune((number) => !this.#isGone(number))
  }

  /** Numbers rise and are never used again: what is not there below the highest is no more. */
  #isGone(number: PartitionNumber): boolean {
    return number < this.#nextPartition && this.#partitions.slotOf(number) < 0
  }

  #formCluster(entry: Extract<MetadataEntry, { kind: 'cluster-formed' }>): void {
    invariant(this.#clusterId === '', 'a cluster is formed once')
    if (entry.format > METADATA_FORMAT) {
      throw new InvariantError(
        `the metadata log has format ${entry.format}, this version reads up to ${METADATA_FORMAT}`,
      )
    }
    this.#clusterId = entry.clusterId
    this.#cells = entry.cells
    this.#brokersPerCell = entry.brokersPerCell
  }

  #createTenant(entry: Extract<MetadataEntry, { kind: 'tenant-created' }>): void {
    invariant(this.#clusterId !== '', 'the cluster is formed before its first tenant')
    invariant(!this.#tenants.has(entry.tenantId), 'a tenant id is used once')
    invariant(!this.#tenantNames.has(entry.name), 'a tenant name is used once')
    const row = new TenantRow(entry, this.#configs)
    this.#tenants.set(entry.tenantId, row)
    this.#tenantNames.set(entry.name, row)
  }

  #createTopic(entry: Extract<MetadataEntry, { kind: 'topic-created' }>): void {
    const tenant = this.#tenants.get(entry.tenantId)
    invariant(tenant, 'a topic belongs to a tenant that exists')
    invariant(!this.#topics.has(entry.topicId), 'a topic id is used once')
    invariant(tenant.topicByName(entry.name) === undefined, 'a topic name is used once per tenant')
    const slot = this.#freeRows.pop() ?? this.#rows.length
    const row = new TopicRow(entry, tenant, slot)
    this.#rows[slot] = row
    this.#topics.set(entry.topicId, row)
    tenant.add(row)
    this.#place(row, 0, entry.firstPartition, entry.placements)
  }

  #addPartitions(entry: Extract<MetadataEntry, { kind: 'partitions-added' }>): void {
    const row = this.#topics.get(entry.topicId)
    invariant(row?.tenantId === entry.tenantId, 'partitions are added to a topic that exists')
    const firstIndex = row.partitionCount
    this.#tenantOf(entry).grow(row, entry.firstPartition, entry.placements.length)
    this.#place(row, firstIndex, entry.firstPartition, entry.placements)
  }

  #reassign(entry: Extract<MetadataEntry, { kind: 'partition-reassigned' }>): void {
    const row = this.#topics.get(entry.topicId)
    const isThere = row?.tenantId === entry.tenantId && entry.index < row.partitionCount
    invariant(isThere, 'replicas move of a partition that exists')
    const number = row.numberOf(entry.index as PartitionIndex)
    this.#moves.set(number, entry)
    const slot = this.#partitions.slotOf(number)
    this.#partitions.setReplicas(slot, toldReplicas(entry))
    const told = this.#told.get(number)
    if (told !== undefined) this.#partitions.setLeader(slot, told.leader, told.leaderEpoch)
    else if (!entry.replicas.includes(this.#partitions.leaderAt(slot) as BrokerId)) {
      // nobody has said who leads: it is asked first
      this.#partitions.setLeader(slot, entry.replicas[0]!, 0)
    }
  }

  #place(
    row: TopicRow,
    firstIndex: number,
    firstPartition: number,
    placements: readonly PartitionPlacement[],
  ): void {
    this.#nextPartition = Math.max(this.#nextPartition, firstPartition + placements.length)
    placements.forEach(({ leader, leaderEpoch, replicas }, i) => {
      const number = (firstPartition + i) as PartitionNumber
      const told = replicas.length > 1 ? this.#told.get(number) : undefined
      const led = told ?? { leader, leaderEpoch }
      this.#partitions.add(number, row.slot, firstIndex + i, led.leader, led.leaderEpoch, replicas)
    })
  }

  #tenantOf({ tenantId }: { readonly tenantId: TenantId }): TenantRow {
    const tenant = this.#tenants.get(tenantId)
    invariant(tenant, 'a tenant that something belongs to exists')
    return tenant
  }

  #deleteTopic(entry: Extract<MetadataEntry, { kind: 'topic-deleted' }>): void {
    const row = this.#topics.get(entry.topicId)
    invariant(row?.tenantId === entry.tenantId, 'a topic that is deleted exists')
    for (let index = 0; index < row.partitionCount; index++) {
      const number = row.numberOf(index as PartitionIndex)
      this.#partitions.remove(number)
      this.#told.forget(number)
      this.#moves.delete(number)
    }
    this.#topics.delete(entry.topicId)
    this.#tenants.get(entry.tenantId)!.remove(row)
    this.#rows[row.slot] = undefined
    this.#freeRows.push(row.slot)
  }
}

/**
 * Applies a control message: `first` = 0 starts anew, else it must begin where the image ends. Throws {@link InvariantError} on
 * a gap. The image is whole unless the message says `more`. False, and nothing is done: it is of a controller that is none any more.
 */
export function applyMetadata(image: MetadataImage, message: MetadataMessage): boolean {
  if (message.epoch < image.epoch) return false
  image.noteEpoch(message.epoch)
  if (message.first === 0 && image.offset !== 0) image.clear()
  if (message.first !== image.offset) {
    throw new InvariantError(
      `metadata from ${message.first} cannot follow an image at ${image.offset}`,
    )
  }
  for (const entry of message.entries) image.apply(entry)
  image.seek(message.offset)
  image.messageEnds(message)
  return true
}
