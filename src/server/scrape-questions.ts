/** What scrapes ask of other threads: by topic, of consumer groups, and what each tenant uses. HTTP front's thread. */

import { type AskGroups, GROUPS_PARAMETER, groupSources } from '../admin/group-metrics.ts'
import type { SourcesOnRequest } from '../admin/metrics-route.ts'
import type { TenantApiOptions } from '../admin/tenant-access.ts'
import { TENANTS_PARAMETER, tenantSources } from '../admin/tenant-metrics.ts'
import type { ReadTenantUses } from '../admin/tenant-use.ts'
import { TOPICS_PARAMETER, topicSources } from '../admin/topic-metrics.ts'
import { checkParameters } from '../admin/topic-selection.ts'
import type { Region } from '../base/region.ts'
import type { ControlMessage } from '../link/control.ts'
import type { ControlPort } from '../link/ports.ts'
import type { GroupStatsClient } from './group-stats-client.ts'
import { PartitionCensus, type PartitionCounts } from './partition-census.ts'
import { TenantUseReader } from './tenant-use-reader.ts'
import type { ThreadData } from './thread.ts'
import { TopicStatsClient } from './topic-stats-client.ts'
import { HTTP_FRONT } from './wiring.ts'

type ClusterSeen = Pick<TenantApiOptions, 'image' | 'holdings'>

export class ScrapeQuestions {
  readonly #data: ThreadData
  readonly #control: ControlPort
  /** From here to each broker, from index 0. */
  readonly #commandRings: Region[]
  /** Names, leaders, and what brokers have told: the thread's. */
  readonly #cluster: ClusterSeen
  readonly #topics: TopicStatsClient
  /** What all threads have counted, as it stands. */
  readonly readUses: ReadTenantUses
  readonly #census: PartitionCensus
  #groups: GroupStatsClient | null = null
  #loading: Promise<GroupStatsClient> | null = null

  constructor(
    data: ThreadData,
    control: ControlPort,
    cluster: ClusterSeen,
    monotonicMs: () => number,
  ) {
    this.#data = data
    this.#control = control
    this.#cluster = cluster
    this.#commandRings = data.wiring.fronts[HTTP_FRONT]!.map(({ requests }) => requests)
    this.readUses = new TenantUseReader(data.wiring).read
    this.#topics = new TopicStatsClient(this.#cluster.image, control)
    this.#census = new PartitionCensus({
      image: this.#cluster.image,
      brokers: data.settings.brokers,
      monotonicMs,
      pause: () => new Promise((resolve) => setImmediate(resolve)),
    })
  }

  /** What a scrape gets besides, by its query. */
  readonly sources: SourcesOnRequest = async (query) => {
    checkParameters(query, [TOPICS_PARAMETER, GROUPS_PARAMETER, TENANTS_PARAMETER])
    const ask = (topics: Parameters<TopicStatsClient['ask']>[0]) => this.#topics.ask(topics)
    return [
      ...(await topicSources(query, this.#cluster.image, ask)),
      ...(await groupSources(query, this.#cluster.image, this.#askGroups, ask)),
      ...tenantSources(query, this.#cluster, this.readUses),
    ]
  }

  readonly partitions = (): Promise<PartitionCounts> => this.#census.counts()

  /** Takes what is for scrapes; all else is left alone. */
  onMessage(message: ControlMessage): void {
    this.#census.onMessage(message)
    if (message.kind === 'topic-stats') this.#topics.onAnswer(message)
    else if (message.kind === 'coordinated') {
      this.#groups?.onAnswers(message.brokerId, message.heads, message.bytes)
    } else if (message.kind === 'broker-gone') this.#groups?.onBrokerGone(message.brokerId)
    else if (message.kind === 'broker-back') {
      this.#commandRings[message.brokerId - 1] = message.writes
      this.#groups?.onBrokerBack(message.brokerId, message.writes)
    }
  }

  readonly #askGroups: AskGroups = async (matches) => {
    this.#loading ??= this.#loadGroups()
    return (await this.#loading).ask(matches)
  }

  /** With the codec of its requests: the start does not pay for it. */
  async #loadGroups(): Promise<GroupStatsClient> {
    const { GroupStatsClient } = await import('./group-stats-client.ts')
    this.#groups = new GroupStatsClient(
      this.#cluster.image,
      this.#data,
      this.#control,
      this.#commandRings,
    )
    return this.#groups
  }
}
