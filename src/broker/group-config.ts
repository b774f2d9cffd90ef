import type { GroupCoordinatorConfig } from '../coordinator/group/config.ts'
import { brokerConfigNumber } from '../image/broker-config.ts'
import type { ConfigValues } from '../image/topic-config.ts'

const MS_PER_MINUTE = 60_000

/** The group coordinator's settings out of broker configs, by Kafka's names. */
export function groupConfigOf(values: ConfigValues): GroupCoordinatorConfig {
  const number = (name: string) => brokerConfigNumber(name, values)
  return {
    groupMinSessionTimeoutMs: number('group.min.session.timeout.ms'),
    groupMaxSessionTimeoutMs: number('group.max.session.timeout.ms'),
    groupInitialRebalanceDelayMs: number('group.initial.rebalance.delay.ms'),
    groupMaxSize: number('group.max.size'),
    offsetsRetentionMs: number('offsets.retention.minutes') * MS_PER_MINUTE,
    offsetsRetentionCheckIntervalMs: number('offsets.retention.check.interval.ms'),
    offsetMetadataMaxBytes: number('offset.metadata.max.bytes'),
  }
}
