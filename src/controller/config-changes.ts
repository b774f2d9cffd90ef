/** What single changes make of the configs that a resource has (IncrementalAlterConfigs). */
import { ErrorCode } from '../base/error-code.ts'
import type { ConfigDefinition } from '../image/config-def.ts'
import type { ConfigChange } from '../image/request.ts'
import { type Refusal, refuse } from '../image/results.ts'
import type { ConfigValues } from '../image/topic-config.ts'

/** Kafka's AlterConfigOp.OpType. */
export const ConfigOperation = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 } as const

export interface Changed {
  readonly configs: ConfigValues
}

type DefinitionOf = (name: string) => ConfigDefinition | undefined

/** Of topics and groups, as Kafka's controller does it. */
export function changedConfigs(
  before: ConfigValues,
  changes: readonly ConfigChange[],
  definitionOf: DefinitionOf,
): Changed | Refusal {
  return apply(before, changes, definitionOf, ({ name, operation }) => {
    const word = operation === ConfigOperation.APPEND ? 'APPEND' : 'SUBTRACT'
    const message = `Can't ${word} to key ${name} because its type is not LIST.`
    return refuse(ErrorCode.INVALID_CONFIG, message)
  })
}

/** Of brokers, as Kafka's brokers do it. */
export function changedBrokerConfigs(
  before: ConfigValues,
  changes: readonly ConfigChange[],
  definitionOf: DefinitionOf,
): Changed | Refusal {
  return apply(before, changes, definitionOf, ({ name, operation }) => {
    if (definitionOf(name) === undefined) {
      return refuse(ErrorCode.INVALID_CONFIG, `Unknown config name: ${name}`)
    }
    const word = operation === ConfigOperation.APPEND ? 'append' : 'subtract'
    const message = `Config value ${word} is not allowed for config key: ${name}`
    return refuse(ErrorCode.INVALID_CONFIG, message)
  })
}

function apply(
  before: ConfigValues,
  changes: readonly ConfigChange[],
  definitionOf: DefinitionOf,
  notAList: (change: ConfigChange) => Refusal,
): Changed | Refusal {
  // A null prototype: config names come from clients.
  const configs: Record<string, string> = Object.assign(Object.create(null), before)
  for (const change of changes) {
    const { name, operation } = change
    const value = change.value ?? ''
    if (operation === ConfigOperation.SET) configs[name] = value
    else if (operation === ConfigOperation.DELETE) delete configs[name]
    else {
      const definition = definitionOf(name)
      if (definition?.type !== 'LIST') return notAList(change)
      const parts = listOf(configs[name] ?? definition.default ?? '')
      configs[name] =
        operation === ConfigOperation.APPEND
          ? [...parts, ...notIn(new Set(parts), value.split(','))].join(',')
          : without(parts, value.split(',')).join(',')
    }
  }
  return { configs: { ...configs } }
}

const listOf = (text: string): string[] => text.split(',').filter((one) => one !== '')

const notIn = (known: ReadonlySet<string>, parts: readonly string[]): string[] =>
  parts.filter((one) => !known.has(one))

/** Each of `gone` takes the first such away, as Java's List.remove. */
function without(parts: readonly string[], gone: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const one of gone) counts.set(one, (counts.get(one) ?? 0) + 1)
  return parts.filter((one) => {
    const count = counts.get(one) ?? 0
    if (count > 0) counts.set(one, count - 1)
    return count === 0
  })
}
