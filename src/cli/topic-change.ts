/** `griot topic create`, `delete` and `add-partitions`. */
import { ErrorCode } from '../base/error-code.ts'
import { addPartitions, createNewTopics, deleteTopicsByName } from '../kafka-client/admin.ts'
import { countOf } from './client-properties.ts'
import { type ClusterOptions, runOnCluster } from './cluster.ts'
import { confirmDeletion } from './confirm.ts'
import { FailedError, UsageError } from './failure.ts'
import { printOutcomes } from './outcomes.ts'
import { findTopics } from './topic-names.ts'

interface CreateOptions extends ClusterOptions {
  readonly partitions?: string
  readonly replicas?: string
  readonly topicConfig?: readonly string[]
  readonly ifNotExists?: boolean
  readonly dry?: boolean
}

/** What the cluster has by default. */
const AS_THE_BROKER_HAS_IT = -1

export async function runTopicCreate(
  names: readonly string[],
  options: CreateOptions,
): Promise<void> {
  await runOnCluster(options, async ({ client, json }) => {
    const countOr = (option: string, text: string | undefined) =>
      text === undefined || text === '-1' ? AS_THE_BROKER_HAS_IT : countOf(option, text, 1)
    const partitions = countOr('-p', options.partitions)
    const replicationFactor = countOr('-r', options.replicas)
    const configs = (options.topicConfig ?? []).map((text) => configOf('-c', text))
    const created = await createNewTopics(
      client,
      names.map((name) => ({ name, partitions, replicationFactor, configs })),
      options.dry,
    )
    for (const { name, replicationFactor: made } of created) {
      // versions before 5 do not tell
      if (made < 0 || replicationFactor < 0 || made === replicationFactor) continue
      console.error(
        `griot: topic ${name}: -r ${replicationFactor} was asked for, ${made} replica${made === 1 ? ' was' : 's were'} made`,
      )
    }
    const outcomes = created.map((topic) => {
      const isThere = options.ifNotExists && topic.error?.code === ErrorCode.TOPIC_ALREADY_EXISTS
      if (isThere) return { name: topic.name, error: null, details: { status: 'exists' } }
      return {
        ...{ name: topic.name, error: topic.error },
        // versions before 5 do not tell
        details:
          topic.partitions < 0
            ? {}
            : { partitions: topic.partitions, replicas: topic.replicationFactor },
      }
    })
    printOutcomes('topic', options.dry ? 'would be created' : 'created', outcomes, json)
  })
}

/** `key=value` or `key:value`. Throws a {@link UsageError} that names the option. */
export function configOf(option: string, text: string): { name: string; value: string } {
  const match = /^([\w.-]+)[=:](.*)$/s.exec(text)
  if (match === null) throw new UsageError(`${option} ${text}: wants KEY=VALUE`)
  return { name: match[1]!, value: match[2]! }
}

interface DeleteOptions extends ClusterOptions {
  readonly regex?: boolean
  readonly yes?: boolean
  readonly dry?: boolean
}

export async function runTopicDelete(
  names: readonly string[],
  options: DeleteOptions,
): Promise<void> {
  await runOnCluster(options, async ({ client, json }) => {
    const isRegex = options.regex ?? false
    const found = await findTopics(client, names, isRegex)
    // a pattern such as .* never means the cluster's own topics
    const topics = found.filter(({ isInternal }) => !isRegex || !isInternal).map(({ name }) => name)
    if (topics.length === 0) throw new FailedError('no topic matches')
    if (options.dry) {
      const outcomes = topics.map((name) => ({ name, error: null }))
      printOutcomes('topic', 'would be deleted', outcomes, json)
      return
    }
    if (!options.yes) {
      const internal = found.filter(({ isInternal }) => isInternal).map(({ name }) => name)
      if (isRegex) await confirmDeletion(`-r would delete ${topics.length} topics`, topics)
      else if (internal.length > 0) await confirmDeletion(lossOf(internal), internal)
    }
    printOutcomes('topic', 'deleted', await deleteTopicsByName(client, topics), json)
  })
}

/** What goes with topics of the cluster's own. */
function lossOf(internal: readonly string[]): string {
  const losses = internal.map((name) => {
    if (name === '__consumer_offsets') return 'all groups and committed offsets are lost'
    if (name === '__transaction_state') return 'all that is known of transactions is lost'
    return `what the cluster keeps in ${name} is lost`
  })
  return `these topics are the cluster's own, with them ${losses.join(', ')}`
}

interface AddPartitionsOptions extends ClusterOptions {
  readonly num?: string
  readonly to?: string
  readonly dry?: boolean
}

export async function runAddPartitions(
  names: readonly string[],
  options: AddPartitionsOptions,
): Promise<void> {
  await runOnCluster(options, async ({ client, json }) => {
    const { num, to } = options
    if ((num === undefined) === (to === undefined)) {
      throw new UsageError('one of -n (partitions to add) and --to (partitions in all) is wanted')
    }
    const topics = (await findTopics(client, names, false)).map(({ name, partitions }) => ({
      name,
      count: to === undefined ? partitions.length + countOf('-n', num!, 1) : countOf('--to', to, 1),
    }))
    const outcomes = await addPartitions(client, topics, options.dry)
    printOutcomes(
      'topic',
      options.dry ? 'would be extended' : 'extended',
      outcomes.map((outcome) => ({
        ...outcome,
        details: { partitions: topics.find(({ name }) => name === outcome.name)?.count },
      })),
      json,
    )
  })
}
