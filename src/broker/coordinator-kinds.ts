import type { TenantId } from '../base/ids.ts'
import type { Logger } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { GroupCoordinator } from '../coordinator/group/coordinator.ts'
import type { HostedCoordinator } from '../coordinator/hosted.ts'
import { tenantLimit } from '../image/tenant-limits.ts'
import type { ConfigValues } from '../image/topic-config.ts'
import type { MetadataView, TopicView } from '../image/view.ts'
import type { CallToken } from './coordinator-answers.ts'
import { groupConfigOf } from './group-config.ts'

export interface CoordinatorKindsOptions {
  readonly brokerConfigs: ConfigValues
  /** What the ids of a tenant's members are drawn from. */
  readonly randomFor: (tenantId: TenantId) => Random
  readonly logger: Logger
}

/** What coordinates in which internal topic. */
export function coordinatorKinds({ brokerConfigs, randomFor, logger }: CoordinatorKindsOptions) {
  const groupConfig = groupConfigOf(brokerConfigs)
  return (
    { tenantId, name }: TopicView,
    image: MetadataView,
    groupsElsewhere: () => number,
  ): HostedCoordinator<CallToken> | null => {
    if (name !== '__consumer_offsets') return null
    return new GroupCoordinator<CallToken>({
      config: () => groupConfig,
      limit: () => ({
        max: tenantLimit(image, tenantId, 'groups'),
        elsewhere: groupsElsewhere(),
      }),
      topics: {
        idOf: (topic) => image.topicByName(tenantId, topic)?.topicId,
        nameOf: (id) => image.topicById(tenantId, id)?.name,
        partitionsOf: (topic) => image.topicByName(tenantId, topic)?.partitionCount ?? 0,
      },
      random: randomFor(tenantId),
      logger: {
        log: (level, message, fields) =>
          logger.log(level, message, {
            ...fields,
            tenant: image.tenant(tenantId)?.name,
            tenantId,
          }),
      },
    })
  }
}
