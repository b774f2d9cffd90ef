import type { PartitionNumber } from '../base/ids.ts'
import { partitionPath } from '../base/paths.ts'
import type { MetadataView } from '../image/view.ts'
import type { DescribedLog } from '../link/control.ts'
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
 * The logs of partitions that lie here, led or followed, in their order. Bytes are those of the segments: of logs that have not been open since
 * the start as the disk tells; 0 for what was never written or is not known, NaN where the disk does not tell. As bounded as the question: a few
 * file calls each.
 */
export const describeLogs = (
  partitions: readonly PartitionNumber[],
  options: LogSizesOptions,
): DescribedLog[] => partitions.map((number) => describeLog(number, options))

function describeLog(number: PartitionNumber, options: LogSizesOptions): DescribedLog {
  const { table } = options
  const measures = table.measuresOf(number)
  if (measures === null) {
    const sizeBytes = sizeOnDisk(number, options)
    return { sizeBytes, logEndOffset: Number.NaN, highWatermark: Number.NaN }
  }
  const { sizeBytes, endOffset } = measures
  // of one that is closed nothing is above its high watermark
  const logEndOffset = table.get(number)?.log?.logEndOffset ?? endOffset
  return { sizeBytes, logEndOffset, highWatermark: endOffset }
}

/** Bytes of the segments of a log that has not been open since the start; NaN where the disk does not tell. */
export function sizeOnDisk(
  number: PartitionNumber,
  { image, disk, root }: Omit<LogSizesOptions, 'table'>,
): number {
  const partition = image.glance(number)
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
