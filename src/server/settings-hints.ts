/** Settings that are allowed, and do not do what whoever gave them may think. */
import { brokerConfigValues } from './broker-configs.ts'
import type { EngineSettings } from './options.ts'

/** A sentence each, for the log of a start. */
export function settingsHints(settings: EngineSettings): string[] {
  const { brokers, racks } = settings
  const hints: string[] = []
  const factor = Number(brokerConfigValues(settings)['default.replication.factor'] ?? 0)
  if (factor > brokers) {
    hints.push(
      `default.replication.factor is ${factor}, and there ${are(brokers)}: topics that do not say how many replicas they want are refused`,
    )
  }
  const all = Array.from({ length: brokers }, (_, index) => String(index + 1))
  const without = all.filter((broker) => racks[broker] === undefined)
  if (without.length > 0 && without.length < brokers) {
    hints.push(
      `replicas are spread over racks only once every broker has one: --rack names none for ${without.join(', ')}`,
    )
  }
  return hints
}

const are = (brokers: number): string => (brokers === 1 ? 'is 1 broker' : `are ${brokers} brokers`)
