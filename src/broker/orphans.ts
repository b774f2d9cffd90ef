import type { CellId, PartitionIndex, TenantId, TopicId } from '../base/ids.ts'
import type { MetadataView } from '../image/view.ts'
import type { Disk } from '../log/disk.ts'

const TENANT = /^[0-9a-f]{16}$/
const PARTITION = /^([0-9a-f]{32})-(\d+)$/

/**
 * Finds replica directories that no metadata names: topics deleted while this broker was away, or half removed. Begun only when
 * the image is whole; one tenant's directory per step. Anything that is not named like ours is left alone.
 */
export class OrphanSearch {
  readonly #disk: Disk
  readonly #root: string
  readonly #cellId: CellId
  readonly #image: MetadataView
  readonly #found: (directory: string) => void
  #tenants: string[] = []

  constructor(
    disk: Disk,
    root: string,
    cellId: CellId,
    image: MetadataView,
    found: (directory: string) => void,
  ) {
    this.#disk = disk
    this.#root = root
    this.#cellId = cellId
    this.#image = image
    this.#found = found
  }

  /** Throws DiskError. */
  begin(): void {
    this.#tenants = this.#disk.list(this.#root).filter((name) => TENANT.test(name))
  }

  /** Looks at one tenant; returns 0 when there is none left. Throws DiskError. */
  step(): number {
    const tenant = this.#tenants.pop()
    if (tenant === undefined) return 0
    const tenantId = tenant as TenantId
    for (const name of this.#disk.list(`${this.#root}/${tenant}`)) {
      const [, topicId, index] = PARTITION.exec(name) ?? []
      if (topicId === undefined) continue
      const topic = this.#image.topicById(tenantId, topicId as TopicId)
      const isOurs = topic !== undefined && topic.cellId === this.#cellId
      if (isOurs && (Number(index) as PartitionIndex) < topic.partitionCount) continue
      this.#found(`${this.#root}/${tenant}/${name}`)
    }
    return 1
  }
}
