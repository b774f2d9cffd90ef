import type { PartitionNumber } from '../base/ids.ts'
import { partitionPath } from '../base/paths.ts'
import type { MetadataView } from '../image/view.ts'
import { type Disk, DiskError } from '../log/disk.ts'
import type { ReplicaTable } from './replica-table.ts'

export interface LogSizesOptions {
  readonly image: MetadataView
  readonly table: ReplicaTable
  readonly disk: Disk
  /** The broker's directory. */
  readonly root: string
}

/**
 * Bytes of the segments of partitions, in their order; those that have not been open since the start are looked up on the disk. 0 for
 * what was never written or is not known; NaN where the disk does not tell. As bounded as the question: a few file calls each.
 */
export const logSizes = (
  partitions: readonly PartitionNumber[],
  options: LogSizesOptions,
): number[] =>
  partitions.map((number) => options.table.measuresOf(number)?.sizeBytes ?? onDisk(number, options))

function onDisk(number: PartitionNumber, { image, disk, root }: LogSizesOptions): number {
  const partition = image.partition(number)
  if (partition === undefined) return 0
  const { topic, index } = partition
  const directory = partitionPath(root, topic.tenantId, topic.topicId, index)
  try {
    return disk
      .list(directory)
      .filter((name) => name.endsWith('.log'))
      .reduce((sum, name) => sum + disk.size(`${directory}/${name}`), 0)
  } catch (error) {
    if (error instanceof DiskError) return Number.NaN
    throw error
  }
}
