/** Names of files and directories in a data directory: one place, since brokers write what fronts read. */
import type { BrokerId, CellId, PartitionIndex, TenantId, TopicId } from './ids.ts'

/** Kafka's spelling: the segment's base offset, 20 digits. */
export const segmentName = (baseOffset: number, suffix: string): string =>
  `${String(baseOffset).padStart(20, '0')}${suffix}`

/** A broker's own directory. Cell 1 has no level of its own as long as there is one cell. */
export const brokerPath = (root: string, cell: CellId, broker: BrokerId): string =>
  cell === 1 ? `${root}/broker-${broker}` : `${root}/cell-${cell}-broker-${broker}`

/** A replica's directory within its broker's. */
export const partitionPath = (
  brokerRoot: string,
  tenantId: TenantId,
  topicId: TopicId,
  index: PartitionIndex,
): string => `${brokerRoot}/${tenantId}/${topicId}-${index}`

/** A segment file of a replica, as the front that reads it derives it. */
export const segmentPath = (
  root: string,
  cell: CellId,
  broker: BrokerId,
  tenantId: TenantId,
  topicId: TopicId,
  index: PartitionIndex,
  baseOffset: number,
): string =>
  `${partitionPath(brokerPath(root, cell, broker), tenantId, topicId, index)}/${segmentName(baseOffset, '.log')}`
