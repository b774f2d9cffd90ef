/** `griot topic config get|set|delete|append|subtract`, and rpk's `topic alter-config`. */
import {
  alterConfigs,
  type ConfigChange,
  describeResourceConfigs,
  ResourceType,
} from '../kafka-client/admin.ts'
import { didYouMean } from '../server/nearest.ts'
import { type ClusterOptions, printJsonValue, runOnCluster } from './cluster.ts'
import { FailedError, UsageError } from './failure.ts'
import { printOutcomes } from './outcomes.ts'
import { renderTable } from './table.ts'
import { configOf } from './topic-change.ts'
import { findTopics } from './topic-names.ts'

export async function runConfigGet(
  topic: string,
  keys: readonly string[],
  options: ClusterOptions & { readonly all?: boolean },
): Promise<void> {
  await runOnCluster(options, async ({ client, json }) => {
    await findTopics(client, [topic], false)
    const [result] = await describeResourceConfigs(client, ResourceType.TOPIC, [topic])
    if (result!.error !== null) throw result!.error
    const all = result!.configs
    const names = all.map(({ name }) => name)
    for (const key of keys) {
      if (!names.includes(key)) {
        throw new FailedError(`there is no config "${key}"${didYouMean(key, names)}`)
      }
    }
    const isShown = (name: string, isOverride: boolean) =>
      keys.length > 0 ? keys.includes(name) : options.all || isOverride
    const shown = all.filter(({ name, isOverride }) => isShown(name, isOverride))
    if (json) {
      const values = shown.map(({ name, value, source, isOverride, isSensitive }) => ({
        ...{ name, value: isSensitive ? null : value, source, overridden: isOverride },
      }))
      printJsonValue(values)
    } else if (shown.length === 0) {
      console.error(`topic ${topic} has no configs of its own (--all shows all)`)
    } else {
      const rows = shown.map(({ name, value, source, isSensitive }) => [
        ...[name, isSensitive ? '(sensitive)' : value, source],
      ])
      process.stdout.write(renderTable(['CONFIG', 'VALUE', 'SOURCE'], rows))
    }
  })
}

type Operation = ConfigChange['operation']

export interface ChangeOptions extends ClusterOptions {
  readonly dry?: boolean
}

/** Keys for `delete`, `key=value` for the others. */
export async function runConfigChange(
  operation: Operation,
  topic: string,
  texts: readonly string[],
  options: ChangeOptions,
): Promise<void> {
  await change([topic], () => texts.map((text) => changeOf(operation, text)), options)
}

export interface AlterOptions extends ChangeOptions {
  readonly set?: readonly string[]
  readonly delete?: readonly string[]
  readonly append?: readonly string[]
  readonly subtract?: readonly string[]
}

/** rpk's form: several topics, several operations. */
export async function runAlterConfig(
  topics: readonly string[],
  options: AlterOptions,
): Promise<void> {
  const operations = ['set', 'delete', 'append', 'subtract'] as const
  const changesOf = () =>
    operations.flatMap((operation) =>
      (options[operation] ?? []).map((text) => changeOf(operation, text)),
    )
  await change(topics, changesOf, options)
}

function changeOf(operation: Operation, text: string): ConfigChange {
  if (operation !== 'delete') return { operation, ...configOf(`config ${operation}`, text) }
  if (!/^[\w.-]+$/.test(text)) throw new UsageError(`config delete ${text}: wants a KEY`)
  return { operation, name: text, value: null }
}

async function change(
  topics: readonly string[],
  changesOf: () => ConfigChange[],
  options: ChangeOptions,
): Promise<void> {
  await runOnCluster(options, async ({ client, json }) => {
    const changes = changesOf()
    if (changes.length === 0) throw new UsageError('nothing to change: -s KEY=VALUE or -d KEY')
    await findTopics(client, topics, false)
    const outcomes = await alterConfigs(client, ResourceType.TOPIC, topics, changes, options.dry)
    printOutcomes('topic', options.dry ? 'would be altered' : 'altered', outcomes, json)
  })
}
