import type {
  BrokerId,
  CellId,
  PartitionIndex,
  PartitionNumber,
  TenantId,
  TopicId,
} from '../base/ids.ts'
import type { MetadataView, TopicView } from '../image/view.ts'
import type { Disk } from '../log/disk.ts'

const TENANT = /^[0-9a-f]{16}$/
const PARTITION = /^([0-9a-f]{32})-(\d+)$/

/** `number`: of a replica that is elsewhere now, and may come back; null where the topic is gone. */
export type OrphanFound = (directory: string, number: PartitionNumber | null) => void

/** A directory of that tenant, which is gone. */
export type TenantFound = (tenantId: TenantId) => void

export interface OrphanSearchOptions {
  readonly disk: Disk
  readonly root: string
  readonly cellId: CellId
  readonly brokerId: BrokerId
  readonly image: MetadataView
}

/**
 * Finds replica directories that no metadata names: topics deleted and replicas moved while this broker was away, or half removed; and directories of tenants that are gone. Begun only when
 * the image is whole; one tenant's directory per step. Anything that is not named like ours is left alone.
 */
export class OrphanSearch {
  readonly #options: OrphanSearchOptions
  readonly #found: OrphanFound
  readonly #foundTenant: TenantFound
  #tenants: string[] = []

  constructor(options: OrphanSearchOptions, found: OrphanFound, foundTenant: TenantFound) {
    this.#options = options
    this.#found = found
    this.#foundTenant = foundTenant
  }

  /** Throws DiskError. */
  begin(): void {
    const { disk, root } = this.#options
    this.#tenants = disk.list(root).filter((name) => TENANT.test(name))
  }

  /** Looks at one tenant; returns 0 when there is none left. Throws DiskError. */
  step(): number {
    const tenant = this.#tenants.pop()
    if (tenant === undefined) return 0
    const tenantId = tenant as TenantId
    const { disk, root, image } = this.#options
    for (const name of disk.list(`${root}/${tenant}`)) {
      if (!this.#isOrphan(tenantId, name)) continue
      this.#found(`${root}/${tenant}/${name}`, this.#numberOf(tenantId, name))
    }
    if (image.tenant(tenantId) === undefined) this.#foundTenant(tenantId)
    return 1
  }

  /** Asked again of one that was found, before it is removed: its replica may have come back. */
  isOrphan(directory: string): boolean {
    const [tenant, name] = directory.slice(this.#options.root.length + 1).split('/')
    return this.#isOrphan(tenant as TenantId, name!)
  }

  #numberOf(tenantId: TenantId, name: string): PartitionNumber | null {
    const [, topicId, index] = PARTITION.exec(name)!
    const { cellId, image } = this.#options
    const topic = image.topicById(tenantId, topicId as TopicId)
    if (topic?.cellId !== cellId || Number(index) >= topic.partitionCount) return null
    return topic.numberOf(Number(index) as PartitionIndex)
  }

  #isOrphan(tenantId: TenantId, name: string): boolean {
    const [, topicId, index] = PARTITION.exec(name) ?? []
    if (topicId === undefined) return false
    const topic = this.#options.image.topicById(tenantId, topicId as TopicId)
    return topic === undefined || !this.#isOurs(topic, Number(index))
  }

  #isOurs(topic: TopicView, index: number): boolean {
    const { cellId, brokerId, image } = this.#options
    if (topic.cellId !== cellId || index >= topic.partitionCount) return false
    const number = topic.numberOf(index as PartitionIndex)
    return !image.isReplicated(number) || image.holdersOf(number).includes(brokerId)
  }
}
