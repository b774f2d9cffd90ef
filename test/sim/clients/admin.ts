/** Makes and deletes topics through the controller as a front does, has the beginning of logs deleted, and leaderships moved. */
import { ErrorCode, errorName } from '../../../src/base/error-code.ts'
import {
  asBrokerId,
  asPartitionIndex,
  type PartitionNumber,
  type TopicId,
} from '../../../src/base/ids.ts'
import { newUuid } from '../../../src/base/uuid.ts'
import type { TopicResult } from '../../../src/image/request.ts'
import { CELL } from '../../broker/world.ts'
import type { SimCluster } from '../sim-cluster.ts'
import { safe } from '../sim-error.ts'

/** Whether it was done is not known: NOT_CONTROLLER never comes through, it is asked again. */
const TRANSIENT: readonly number[] = [ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.REQUEST_TIMED_OUT]

/** A topic that this client alone makes and deletes, each asked for once. */
interface Extra {
  readonly name: string
  readonly topicId: string
  /** `doubtful`: asked, and not answered, or not for certain. */
  is: 'there' | 'gone' | 'doubtful'
}

export class Admin {
  readonly #cluster: SimCluster
  readonly #configs: Readonly<Record<string, string>>
  /** Topics that are there by the controller's word, but for the extra ones. */
  readonly made = new Set<string>()
  readonly #extras: Extra[] = []
  #names = 0
  #correlation = 0

  constructor(cluster: SimCluster, configs: Readonly<Record<string, string>>) {
    this.#cluster = cluster
    this.#configs = configs
  }

  /** To be asked again until it is there, so that another request may have made it. */
  create(name: string, partitions: number, configs: Readonly<Record<string, string>> = {}): void {
    this.#create({ name, topicId: this.#newId(), partitions, configs }, ({ error, message }) => {
      if (error === ErrorCode.NONE || error === ErrorCode.TOPIC_ALREADY_EXISTS) this.made.add(name)
      else checkTransient(name, 'made', error, message)
    })
  }

  /** Of a new name, or of one whose topic was deleted. */
  createExtra(): void {
    if (this.#cluster.front.image.defaultTenant === undefined) return
    const extra: Extra = { name: this.#freeName(), topicId: this.#newId(), is: 'doubtful' }
    this.#extras.push(extra)
    const { name, topicId } = extra
    this.#create({ name, topicId, partitions: 1, configs: {} }, (result) => {
      const { error, message } = result
      if (error !== ErrorCode.NONE) return checkTransient(name, 'made', error, message)
      const told = result.topicId
      safe(told === topicId, () => `topic ${name} was asked for as ${topicId}, and is ${told}`)
      extra.is = 'there'
    })
  }

  deleteExtra(): void {
    const { front } = this.#cluster
    const tenant = front.image.defaultTenant
    const extra = this.#extras.find((one) => one.is === 'there')
    if (extra === undefined || tenant === undefined) return
    const { name } = extra
    extra.is = 'doubtful'
    const knownId = front.image.topicByName(tenant.tenantId, name)?.topicId
    const ref = knownId === undefined ? { name } : { name, knownId }
    front.request({ kind: 'delete-topics', topics: [ref] }, (response) => {
      if (response?.kind !== 'delete-topics') return
      const { error, message } = response.results[0]!
      // a front that does not know which topic is meant cannot tell that it was done by an earlier try
      const isUnsure = knownId === undefined && error === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
      if (error === ErrorCode.NONE) extra.is = 'gone'
      else if (!isUnsure) checkTransient(name, 'deleted', error, message)
    })
  }

  #create(
    topic: {
      readonly name: string
      readonly topicId: string
      readonly partitions: number
      readonly configs: Readonly<Record<string, string>>
    },
    answered: (result: TopicResult) => void,
  ): void {
    const all = { ...this.#configs, ...topic.configs }
    const configs = Object.entries(all).map(([name, value]) => ({ name, value }))
    const topics = [{ ...topic, replicationFactor: 3, assignments: [], configs }]
    const request = { kind: 'create-topics', validateOnly: false, topics } as const
    this.#cluster.front.request(request, (response) => {
      if (response?.kind === 'create-topics') answered(response.results[0]!)
    })
  }

  #newId(): string {
    return newUuid(this.#cluster.random)
  }

  #freeName(): string {
    const isFree = ({ name }: Extra) =>
      this.#extras.every((one) => one.name !== name || one.is === 'gone')
    const free = this.#cluster.random.chance(0.5) ? this.#extras.find(isFree) : undefined
    return free?.name ?? `extra-${++this.#names}`
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

  /** At the end: what the controller said is there is in everybody's image, what it said is gone is not, and nothing is that was not asked for. */
  check(): void {
    const { image } = this.#cluster.front
    const tenant = image.defaultTenant
    safe(tenant, () => 'there is no tenant')
    const isThere = (name: string) => image.topicByName(tenant.tenantId, name) !== undefined
    for (const name of this.made)
      safe(isThere(name), () => `topic ${name} was made, and is not there`)
    const found = new Map([...image.topics(tenant.tenantId)].map((one) => [one.topicId, one.name]))
    for (const { name, topicId, is } of this.#extras) {
      const isFound = found.get(topicId as TopicId) === name
      safe(isFound || is !== 'there', () => `topic ${name} ${topicId} was made, and is not there`)
      safe(!isFound || is !== 'gone', () => `topic ${name} ${topicId} was deleted, and is there`)
      found.delete(topicId as TopicId)
    }
    for (const [topicId, name] of found) {
      safe(
        !name.startsWith('extra-'),
        () => `topic ${name} ${topicId} was not asked for, and is there`,
      )
    }
  }
}

function checkTransient(name: string, what: string, error: number, message: string | null): void {
  const why = () => `topic ${name} cannot be ${what}: ${errorName(error)} ${message}`
  safe(TRANSIENT.includes(error), why)
}
