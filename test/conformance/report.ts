/** Differences as a table. */
import type { Difference, Judged } from './diff.ts'

const COLUMNS = ['scenario', 'step', 'api', 'v', 'field', 'Kafka', 'Griot'] as const
const WIDTHS = [20, 44, 20, 8, 52, 60, 60]

/** `0-3,5` of 0, 1, 2, 3, 5. */
export function ranges(versions: readonly number[]): string {
  const sorted = [...versions].sort((a, b) => a - b)
  const parts: [number, number][] = []
  for (const version of sorted) {
    const last = parts.at(-1)
    if (last !== undefined && last[1] === version - 1) last[1] = version
    else parts.push([version, version])
  }
  return parts.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(',')
}

/** One line per difference; columns are as wide as their widest text, long texts are cut unless `wide`. */
export function table(differences: readonly Difference[], wide: boolean): string {
  const rows = differences.map((one) => [
    ...[one.scenario, one.step, one.api, ranges(one.versions), one.path, one.kafka, one.griot],
  ])
  const lines = [[...COLUMNS], ...rows].map((row) =>
    row.map((text, i) =>
      wide || text.length <= WIDTHS[i]! ? text : `${text.slice(0, WIDTHS[i]! - 1)}…`,
    ),
  )
  const widths = COLUMNS.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)))
  return lines
    .map((line) =>
      line
        .map((text, i) => text.padEnd(widths[i]!))
        .join(' | ')
        .trimEnd(),
    )
    .join('\n')
}

export function summary(judged: Judged, asked: number): string {
  const lines = [`${asked} requests sent to both`]
  lines.push(`${judged.known.length} differences that are listed with a reason`)
  lines.push(`${judged.unknown.length} differences that are not listed`)
  for (const one of judged.gone) {
    const { reason, ...what } = one
    lines.push(`listed, but seen no more: ${JSON.stringify(what)} (${reason})`)
  }
  return lines.join('\n')
}
