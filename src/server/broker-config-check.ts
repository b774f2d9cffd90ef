/**
 * Whether the engine heeds the broker configs that an option gives. A file of its own, loaded when there are any: the definitions are large,
 * and neither threads that have no use for them nor a start without such an option should wait for them.
 */
import { heededBrokerConfigs, validateBrokerConfig } from '../image/broker-config.ts'
import type { ConfigValues } from '../image/topic-config.ts'
import { didYouMean } from './nearest.ts'

/** null, or a sentence without its subject, which is the option. */
export function refuseBrokerConfig(configs: ConfigValues): string | null {
  const known = heededBrokerConfigs()
  for (const [name, value] of Object.entries(configs)) {
    if (!known.includes(name)) {
      return `${quoted(name, value)} is refused, it names ${name}, which is no broker config that can be given here${didYouMean(name, known)}`
    }
    const refused = validateBrokerConfig(name, value)
    if (refused !== null) return `${quoted(name, value)} is refused: ${refused}`
  }
  return null
}

/** The one of several that is wrong, as it is written. */
const quoted = (name: string, value: string): string => JSON.stringify(`${name}=${value}`)
