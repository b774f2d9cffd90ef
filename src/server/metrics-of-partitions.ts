/** What `/metrics` tells of partitions that brokers lead and hold. HTTP front's thread. */
import type { MetricSource } from '../admin/metrics-route.ts'
import type { PartitionCounts } from './partition-census.ts'
import { brokerIds } from './wiring.ts'

type ByBroker = Exclude<keyof PartitionCounts, 'offline'>

export function partitionSources(
  brokers: number,
  counts: () => Promise<PartitionCounts>,
): MetricSource[] {
  const perBroker = (name: string, help: string, which: ByBroker): MetricSource => ({
    kind: 'gauge',
    name: `kafka_server_replicamanager_${name}`,
    help,
    read: async () => {
      const byBroker = (await counts())[which]
      return brokerIds(brokers).map((id) => ({
        labels: { broker: String(id) },
        value: byBroker[id]!,
      }))
    },
  })
  return [
    perBroker('leadercount', 'Partitions led', 'led'),
    perBroker('partitioncount', 'Partitions that the broker has a replica of', 'held'),
    perBroker(
      'underreplicatedpartitions',
      'Partitions led of which not all replicas keep up',
      'underReplicated',
    ),
    perBroker(
      'underminisrpartitioncount',
      'Partitions led of which fewer replicas keep up than min.insync.replicas',
      'underMinIsr',
    ),
    perBroker(
      'reassigningpartitions',
      'Partitions led whose replicas are being moved',
      'reassigning',
    ),
    {
      kind: 'gauge',
      name: 'kafka_controller_kafkacontroller_offlinepartitionscount',
      help: 'Partitions without a leader',
      read: async () => [{ labels: {}, value: (await counts()).offline }],
    },
  ]
}
