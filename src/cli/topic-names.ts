/** Which topics a command means: by name, or by a regular expression over those that there are. */
import type { KafkaClient } from '../kafka-client/client.ts'
import type { TopicMetadata } from '../kafka-client/metadata.ts'
import { didYouMean } from '../server/nearest.ts'
import { parsed } from './cluster.ts'
import { FailedError } from './failure.ts'

/** Whole names that match, as rpk has it. */
export const nameFilter = (pattern: string): RegExp =>
  parsed('-r', () => new RegExp(`^(?:${pattern})$`))

/** Topics by name, or by patterns with `isRegex`; all without any. Throws a {@link FailedError} for one that is not there. */
export async function findTopics(
  client: KafkaClient,
  names: readonly string[],
  isRegex: boolean,
): Promise<TopicMetadata[]> {
  // all of them, so that a wrong name can be told the nearest
  const { topics } = await client.metadata(null)
  const sorted = [...topics].sort((a, b) => (a.name < b.name ? -1 : 1))
  if (names.length === 0) return sorted
  if (isRegex) {
    const filters = names.map(nameFilter)
    return sorted.filter(({ name }) => filters.some((filter) => filter.test(name)))
  }
  return names.map((name) => {
    const found = sorted.find((topic) => topic.name === name)
    if (found !== undefined) return found
    throw unknownTopic(name, sorted)
  })
}

export function unknownTopic(name: string, topics: readonly TopicMetadata[]): FailedError {
  const names = topics.map((topic) => topic.name)
  const hint = didYouMean(name, names) || '; `griot topic list` shows those that there are'
  return new FailedError(`there is no topic "${name}"${hint}`)
}
