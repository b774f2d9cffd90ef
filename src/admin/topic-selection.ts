/** Which topics a scrape asks for: names and patterns of the query, and a bound on what they may come to. HTTP front's thread. */
import type { MetadataView, TopicView } from '../image/view.ts'

/** Partitions told in one scrape; series are a few times as many. */
export const SCRAPE_PARTITIONS_MAX = 10_000
/** Names and patterns in one query. */
export const PATTERNS_MAX = 100

/** The query is refused; the message says what was wrong, and the limit. */
export class ScrapeQueryError extends Error {
  override name = 'ScrapeQueryError'
}

/** Refuses what a scrape does not know: a misspelt parameter would leave out what was asked for without a word. */
export function checkParameters(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys()) {
    if (known.includes(name)) continue
    throw new ScrapeQueryError(
      `unknown parameter ${JSON.stringify(name)}: /metrics knows ${known.slice(0, -1).join(', ')} and ${known.at(-1)}`,
    )
  }
}

/** Names of topics, groups or tenants, `*` in them for any text. */
export class NamePatterns {
  readonly #parts: readonly (readonly string[])[]

  private constructor(patterns: readonly string[]) {
    this.#parts = patterns.map((pattern) => pattern.split('*'))
  }

  /**
   * From `name=a,b*&name=c`; null where `name` is not in the query. `check` returns what is wrong with a pattern, or null. Throws
   * {@link ScrapeQueryError}.
   */
  static of(
    query: URLSearchParams,
    name: string,
    check: (pattern: string) => string | null = () => null,
  ): NamePatterns | null {
    const given = query.getAll(name)
    if (given.length === 0) return null
    const patterns = given.flatMap((list) => list.split(',')).filter((pattern) => pattern !== '')
    if (patterns.length === 0) {
      throw new ScrapeQueryError(`${name} is empty: it takes names, separated by commas, or *`)
    }
    if (patterns.length > PATTERNS_MAX) {
      throw new ScrapeQueryError(
        `${name} has ${patterns.length} names, at most ${PATTERNS_MAX} are taken: use * in them`,
      )
    }
    for (const pattern of patterns) {
      const fault = check(pattern)
      if (fault !== null) {
        throw new ScrapeQueryError(`${name}: ${JSON.stringify(pattern)} ${fault}`)
      }
    }
    return new NamePatterns(patterns)
  }

  matches(name: string): boolean {
    return this.#parts.some((parts) => matchesParts(name, parts))
  }
}

/** Leftmost match of each part in turn: enough where the only wildcard is any text, and never slow. */
function matchesParts(name: string, parts: readonly string[]): boolean {
  const first = parts[0]!
  if (parts.length === 1) return name === first
  const last = parts.at(-1)!
  if (!name.startsWith(first) || !name.endsWith(last)) return false
  const end = name.length - last.length
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return at <= end
}

/** What no topic can be called; groups may have any name. */
export const checkTopicPattern = (pattern: string): string | null =>
  /^[\w.*-]+$/.test(pattern)
    ? null
    : 'can name no topic: their names have letters, digits, ".", "_" and "-"; * stands for any text'

export interface TopicSelection {
  readonly topics: readonly { readonly tenant: string; readonly topic: TopicView }[]
  /** Topics that were asked for and are beyond {@link SCRAPE_PARTITIONS_MAX}. */
  readonly leftOut: number
}

/** What `patterns` name, of all tenants, in name order per tenant. */
export function selectTopics(
  image: MetadataView,
  patterns: NamePatterns,
  partitionsMax: number = SCRAPE_PARTITIONS_MAX,
): TopicSelection {
  const topics: { tenant: string; topic: TopicView }[] = []
  let partitions = 0
  let leftOut = 0
  for (const { tenantId, name: tenant } of image.tenants()) {
    for (const topic of image.topics(tenantId)) {
      if (!patterns.matches(topic.name)) continue
      if (partitions + topic.partitionCount > partitionsMax) {
        leftOut++
        continue
      }
      partitions += topic.partitionCount
      topics.push({ tenant, topic })
    }
  }
  return { topics, leftOut }
}
