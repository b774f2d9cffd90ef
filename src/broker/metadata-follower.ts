import type { BrokerId, CellId, PartitionIndex, PartitionNumber, TenantId } from '../base/ids.ts'
import { partitionPath } from '../base/paths.ts'
import { applyMetadata } from '../image/apply-metadata.ts'
import type { MetadataEntry } from '../image/entry.ts'
import type { MetadataImage } from '../image/image.ts'
import { toldReplicas } from '../image/replica-moves.ts'
import type { MetadataMessage } from '../image/request.ts'
import type { TopicView } from '../image/view.ts'
import type { PeerName } from '../link/ports.ts'

export interface MetadataFollowerOptions {
  readonly image: MetadataImage
  readonly cellId: CellId
  readonly brokerId: BrokerId
  /** The broker's directory. */
  readonly root: string
  /** A replica of this broker went with its topic, or elsewhere; its files are in `directory`. */
  readonly onGone: (number: PartitionNumber, directory: string) => void
  /** This broker is to lead it first now, whether it leads or not. */
  readonly onPreferred: (number: PartitionNumber) => void
  /** Topics of any tenant are gone: the image, which is whole, does not hold them any more. */
  readonly onTopicsDeleted: (topics: readonly TopicView[]) => void
  /** A tenant is gone, after all that it had. */
  readonly onTenantDeleted: (tenantId: TenantId) => void
  /** Configs of some topics have changed. */
  readonly onConfigs: (isChanged: (topic: TopicView) => boolean) => void
  /** Another image, whole, has taken the place of the one before: whatever it does not name is gone. */
  readonly onWhole: () => void
}

interface Gone {
  readonly number: PartitionNumber
  readonly directory: string
}

/** Applies what the controller publishes to this thread's image, and says what that means for the replicas here. */
export class MetadataFollower {
  readonly #options: MetadataFollowerOptions
  #controller: PeerName | null = null

  constructor(options: MetadataFollowerOptions) {
    this.#options = options
  }

  /** An image has come: what is to be seen has been whole since. */
  get isWhole(): boolean {
    return this.#options.image.isWhole
  }

  /** And no newer one has begun to come: what is not named is not there. */
  get isCurrent(): boolean {
    return this.isWhole && !this.#options.image.isBegunAnew
  }

  /** Who has published last, of the latest term; null before the first. */
  get controller(): PeerName | null {
    return this.#controller
  }

  /** From a controller that is none any more it is ignored. */
  onMetadata(message: MetadataMessage, from: PeerName): void {
    const { image } = this.#options
    if (message.epoch < image.epoch) return
    this.#controller = from
    if (message.first === 0 || image.isBegunAnew) this.#takePart(message)
    else this.#takeDelta(message)
  }

  /** Of an image that nobody sees before it is whole. */
  #takePart(message: MetadataMessage): void {
    const { image, onWhole } = this.#options
    applyMetadata(image, message, (before) => {
      onWhole()
      const isGone = ({ topicId }: TopicView) => !image.hasTopic(topicId)
      this.#tellDeleted(Array.from(before.allTopics()).filter(isGone))
    })
  }

  #takeDelta(message: MetadataMessage): void {
    const { image, onGone, onConfigs, onTenantDeleted } = this.#options
    // asked before the image forgets them
    const gone = message.entries.flatMap((entry) => this.#goneBy(entry))
    const deleted = message.entries.flatMap((entry) => this.#deletedBy(entry))
    applyMetadata(image, message)
    for (const { number, directory } of gone) onGone(number, directory)
    this.#tellDeleted(deleted)
    for (const entry of message.entries) {
      if (entry.kind === 'tenant-deleted') onTenantDeleted(entry.tenantId)
      else if (entry.kind === 'partition-reassigned') this.#tellPreferred(entry)
    }
    const isChanged = changedBy(message.entries)
    if (isChanged !== null) onConfigs(isChanged)
  }

  #tellDeleted(topics: readonly TopicView[]): void {
    if (topics.length > 0) this.#options.onTopicsDeleted(topics)
  }

  #tellPreferred(entry: Extract<MetadataEntry, { kind: 'partition-reassigned' }>): void {
    const { image, cellId, brokerId, onPreferred } = this.#options
    const topic = image.topicById(entry.tenantId, entry.topicId)
    if (topic?.cellId !== cellId || toldReplicas(entry)[0] !== brokerId) return
    onPreferred(topic.numberOf(entry.index as PartitionIndex))
  }

  #deletedBy(entry: MetadataEntry): TopicView[] {
    if (entry.kind !== 'topic-deleted') return []
    const topic = this.#options.image.topicById(entry.tenantId, entry.topicId)
    return topic === undefined ? [] : [topic]
  }

  #goneBy(entry: MetadataEntry): Gone[] {
    if (entry.kind === 'partition-reassigned') return this.#movedBy(entry)
    if (entry.kind !== 'topic-deleted') return []
    const { image, cellId, brokerId, root } = this.#options
    const topic = image.topicById(entry.tenantId, entry.topicId)
    if (topic === undefined || topic.cellId !== cellId) return []
    const gone: Gone[] = []
    for (let i = 0; i < topic.partitionCount; i++) {
      const index = i as PartitionIndex
      const number = topic.numberOf(index)
      if (!image.holdersOf(number).includes(brokerId)) continue
      gone.push({ number, directory: partitionPath(root, topic.tenantId, topic.topicId, index) })
    }
    return gone
  }

  /** Where this broker held a replica, and is to hold none from now on. */
  #movedBy(entry: Extract<MetadataEntry, { kind: 'partition-reassigned' }>): Gone[] {
    const { image, cellId, brokerId, root } = this.#options
    const topic = image.topicById(entry.tenantId, entry.topicId)
    if (topic === undefined || topic.cellId !== cellId) return []
    if (entry.index >= topic.partitionCount) return []
    const index = entry.index as PartitionIndex
    const number = topic.numberOf(index)
    const isHere = [...toldReplicas(entry), ...entry.leaving].includes(brokerId)
    if (isHere || !image.holdersOf(number).includes(brokerId)) return []
    return [{ number, directory: partitionPath(root, topic.tenantId, topic.topicId, index) }]
  }
}

/** Tells the topics whose configs `entries` change; null for none. */
function changedBy(entries: readonly MetadataEntry[]): ((topic: TopicView) => boolean) | null {
  const ids = new Set<string>()
  for (const entry of entries) {
    if (entry.kind === 'topic-configs') ids.add(entry.topicId)
    else if (entry.kind === 'broker-configs') ids.add(entry.tenantId)
  }
  if (ids.size === 0) return null
  return ({ topicId, tenantId }) => ids.has(topicId) || ids.has(tenantId)
}
