/** Puts together what coordinates in a broker's partitions, and who answers for it. */
import type { MetadataView } from '../image/view.ts'
import type { BatchBuffers } from './batch-buffers.ts'
import type { BrokerAgentOptions } from './broker-agent.ts'
import { CoordinateHandler } from './coordinate.ts'
import { CoordinatorAnswers } from './coordinator-answers.ts'
import { Coordinators } from './coordinators.ts'
import type { LeaderPartitions } from './leader-partitions.ts'

export function coordination(
  { control, cellId, brokerId, environment, newCoordinator }: BrokerAgentOptions,
  partitions: LeaderPartitions,
  buffers: BatchBuffers,
  image: MetadataView,
  isImageWhole: () => boolean,
) {
  const { logger, clock } = environment
  const answers = new CoordinatorAnswers(control, cellId, brokerId)
  const table = new Coordinators({
    partitions,
    answers,
    logger,
    clock,
    newCoordinator: (topic, number) => {
      const groupsElsewhere = () => partitions.holdings.groupsElsewhere(topic.tenantId, number)
      return newCoordinator?.(topic, image, groupsElsewhere) ?? null
    },
    onRotten: (replica) => {
      if (replica.isReplicated) partitions.replication.stepping.distrust(replica)
    },
    isImageWhole,
  })
  partitions.holdings.coordinated = () => table.all()
  const { drainControl } = partitions
  const handler = new CoordinateHandler({
    coordinators: table,
    answers,
    buffers,
    drainControl,
    logger,
    use: partitions.use,
  })
  return { table, handler }
}
