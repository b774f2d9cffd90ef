/** How much may be set: it stays in memory on every thread, and in the metadata log. */
import { ErrorCode } from '../base/error-code.ts'
import { type Refusal, refuse } from '../image/results.ts'
import type { ConfigValues } from '../image/topic-config.ts'

/** Names and values of one resource together. */
export const CONFIG_CHARS_MAX = 65_536
/** Of one resource: what is in force is gathered for each request. Kafka has 300 for its brokers, which take unknown ones as well. */
export const CONFIGS_MAX = 1_000
/**
 * Of all topics, brokers and groups of a tenant together, the ids of its groups with them: five configs for each of a hundred
 * thousand topics.
 */
export const TENANT_CONFIG_CHARS_MAX = 16 * 2 ** 20

export function charsOf(configs: ConfigValues): number {
  let chars = 0
  for (const name in configs) chars += name.length + configs[name]!.length
  return chars
}

/** What a group takes: nothing without configs, its id as well with some. */
export const groupChars = (groupId: string, configs: ConfigValues): number => {
  const chars = charsOf(configs)
  return chars === 0 ? 0 : groupId.length + chars
}

export function refuseSize(what: string, configs: ConfigValues): Refusal | null {
  const count = Object.keys(configs).length
  if (count > CONFIGS_MAX) {
    return refuse(
      ErrorCode.POLICY_VIOLATION,
      `The configs of ${what} would be ${count}, the limit is ${CONFIGS_MAX}.`,
    )
  }
  const chars = charsOf(configs)
  if (chars <= CONFIG_CHARS_MAX) return null
  return refuse(
    ErrorCode.POLICY_VIOLATION,
    `The configs of ${what} would take ${chars} characters, the limit is ${CONFIG_CHARS_MAX}.`,
  )
}

/** Of a tenant that has used `used`; what takes no more than before always passes. */
export function refuseTotal(used: number, more: number): Refusal | null {
  if (more <= 0 || used + more <= TENANT_CONFIG_CHARS_MAX) return null
  return refuse(
    ErrorCode.POLICY_VIOLATION,
    `The configs of all topics, brokers and groups may take ${TENANT_CONFIG_CHARS_MAX} characters: ${used} are used, ${more} more are asked for.`,
  )
}
