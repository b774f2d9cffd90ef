/** `--limit LIMIT=MAX`, of tenants and plans. */
import { UsageError } from './failure.ts'

export const LIMIT_NAMES =
  'topics, partitions, connections, keys, users, storageBytes, groups, messageBytes or requestBytes (may be repeated)'

/** K, M, G and T behind a number are powers of 1024, as in other options. */
const UNITS = ['', 'K', 'M', 'G', 'T']

export const collect = (value: string, before: readonly string[] = []): string[] => [
  ...before,
  value,
]

/** As the engine takes them; null takes one away. Throws {@link UsageError}. */
export const limitsOf = (given: readonly string[]): Readonly<Record<string, number | null>> =>
  Object.fromEntries(given.map(limitOf))

function limitOf(text: string): [string, number | null] {
  const [, name, none, max, unit = ''] =
    /^([\w-]+)=(?:(none)|(\d{1,15})([KMGT])?)$/.exec(text) ?? []
  if (name === undefined) {
    throw new UsageError(
      `option --limit: "${text}" is refused, it wants LIMIT=MAX or LIMIT=none, such as topics=100`,
    )
  }
  return [name, none === undefined ? Number(max) * 1024 ** UNITS.indexOf(unit) : null]
}
