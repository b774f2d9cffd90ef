/** Makes and deletes topics through the controller, has the beginning of logs deleted, and leaderships moved. */
import { ErrorCode, errorName } from '../../../src/base/error-code.ts'
import { asBrokerId, asPartitionIndex, type PartitionNumber } from '../../../src/base/ids.ts'
import { CELL } from '../../broker/world.ts'
import type { SimCluster } from '../sim-cluster.ts'
import { safe } from '../sim-error.ts'

const TRANSIENT: readonly number[] = [
  ...[ErrorCode.NOT_CONTROLLER, ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.REQUEST_TIMED_OUT],
]

export class Admin {
  readonly #cluster: SimCluster
  readonly #configs: Readonly<Record<string, string>>
  /** Topics that are there by the controller's word. */
  readonly made = new Set<string>()
  /** Asked to be made or deleted, and not answered for certain. */
  readonly #doubtful = new Set<string>()
  #extra = 0
  #correlation = 0

  constructor(cluster: SimCluster, configs: Readonly<Record<string, string>>) {
    this.#cluster = cluster
    this.#configs = configs
  }

  /** Asks until it is there. */
  create(name: string, partitions: number, configs: Readonly<Record<string, string>> = {}): void {
    const { front } = this.#cluster
    const all = { ...this.#configs, ...configs }
    const topic = { name, partitions, replicationFactor: 3, assignments: [] }
    const values = Object.entries(all).map(([key, value]) => ({ name: key, value }))
    const topics = [{ ...topic, configs: values }]
    front.request({ kind: 'create-topics', validateOnly: false, topics }, (response) => {
      if (response?.kind !== 'create-topics') return
      const { error, message } = response.results[0]!
      if (error === ErrorCode.NONE || error === ErrorCode.TOPIC_ALREADY_EXISTS) this.made.add(name)
      else {
        safe(
          TRANSIENT.includes(error),
          () => `topic ${name} is refused: ${errorName(error)} ${message}`,
        )
      }
    })
  }

  createExtra(): void {
    const name = `extra-${++this.#extra}`
    this.#doubtful.add(name)
    this.create(name, 1)
  }

  deleteExtra(): void {
    const name = [...this.made].find((one) => one.startsWith('extra-'))
    if (name === undefined) return
    this.made.delete(name)
    this.#doubtful.add(name)
    this.#cluster.front.request({ kind: 'delete-topics', topics: [{ name }] }, () => {})
  }

  deleteRecords(partition: PartitionNumber, offset: number): void {
    const proxy = this.#cluster.front.dispatcher.leaderOf(CELL, partition)
    proxy?.deleteRecords(partition, offset, { onDeleted: () => {} }, 0)
  }

  moveLeadership(partition: PartitionNumber, to: number): void {
    const { front } = this.#cluster
    const leader = front.image.leaderOf(partition)
    if (leader === 0 || leader === to) return
    const correlation = ++this.#correlation
    front.post(leader, { kind: 'move-leadership', correlation, partition, to: asBrokerId(to) })
  }

  partitionsOf(name: string): PartitionNumber[] {
    const { image } = this.#cluster.front
    const topic = image.defaultTenant && image.topicByName(image.defaultTenant.tenantId, name)
    if (topic === undefined) return []
    return Array.from({ length: topic.partitionCount }, (_, i) =>
      topic.numberOf(asPartitionIndex(i)),
    )
  }

  /** At the end: what the controller said is there is in everybody's image. */
  check(): void {
    const { image } = this.#cluster.front
    const tenant = image.defaultTenant
    safe(tenant, () => 'there is no tenant')
    for (const name of this.made) {
      if (this.#doubtful.has(name) && !name.startsWith('extra-')) continue
      const isThere = image.topicByName(tenant.tenantId, name) !== undefined
      safe(isThere, () => `topic ${name} was made, and is not there`)
    }
  }
}
