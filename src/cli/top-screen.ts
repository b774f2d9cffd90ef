/** What `griot top` shows: tables cut to the height of the terminal. */
import { sizeText } from './progress.ts'
import { printable, renderTable } from './table.ts'
import type { Rates } from './top-sample.ts'

export const SORTS = ['rate', 'records', 'name'] as const
export type Sort = (typeof SORTS)[number]

export interface ScreenOptions {
  readonly title: string
  readonly sort: Sort
  /** Lines that fit; Infinity where nothing is cut. */
  readonly rows: number
  readonly columns: number
}

export function renderRates(rates: Rates, { title, sort, rows, columns }: ScreenOptions): string {
  const topicRate = rates.topics.reduce((sum, { recordsPerSecond }) => sum + recordsPerSecond, 0)
  const head =
    `${title}  ${count(rates.brokers.length, 'broker')}, ${count(rates.topics.length, 'topic')}, ` +
    `${count(rates.groups.length, 'group')}, ${rateText(topicRate)} records/s`
  const sections = [brokerTable(rates), groupTable(rates), topicTable(rates, sort)]
  const shown = cutToFit(sections.filter(Boolean), rows - 1)
  return [head, ...shown.flatMap((section) => ['', ...section])]
    .map((line) => [...line].slice(0, columns).join(''))
    .join('\n')
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`

const rateText = (rate: number): string =>
  rate >= 100 || rate === 0 ? Math.round(rate).toLocaleString('en') : rate.toFixed(1)

const bytesText = (rate: number | null): string | null =>
  rate === null ? null : `${sizeText(rate)}/s`

function brokerTable({ brokers, threads, metricsMissing }: Rates): string {
  const busy = threads
    .filter(({ busy }) => busy >= 0.005)
    .sort((a, b) => b.busy - a.busy)
    .map(({ thread, busy }) => `${thread} ${Math.round(busy * 100)}%`)
  const rows = brokers.map((b) => [
    ...[b.nodeId, b.address, b.leads],
    b.recordsInPerSecond === null ? null : rateText(b.recordsInPerSecond),
    bytesText(b.bytesInPerSecond),
    bytesText(b.bytesOutPerSecond),
  ])
  const table = renderTable(['BROKER', 'ADDRESS', 'LEADS', 'RECORDS/S', 'IN', 'OUT'], rows)
  if (metricsMissing !== null) return `${table}no rates of brokers: ${printable(metricsMissing)}\n`
  return busy.length === 0 ? table : `${table}busy: ${busy.join(', ')}\n`
}

function groupTable({ groups }: Rates): string {
  if (groups.length === 0) return ''
  const rows = [...groups]
    .sort((a, b) => b.lag - a.lag || (a.groupId < b.groupId ? -1 : 1))
    .map((g) => [g.groupId, g.state, g.members, rateText(g.recordsPerSecond), g.lag])
  return renderTable(['GROUP', 'STATE', 'MEMBERS', 'RECORDS/S', 'LAG'], rows)
}

function topicTable({ topics }: Rates, sort: Sort): string {
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1)
  const rows = [...topics]
    .sort((a, b) => {
      if (sort === 'rate') return b.recordsPerSecond - a.recordsPerSecond || byName(a, b)
      if (sort === 'records') return b.end - b.start - (a.end - a.start) || byName(a, b)
      return byName(a, b)
    })
    .map((t) => [
      ...[t.name, t.partitions, rateText(t.recordsPerSecond), t.end - t.start],
      t.offline === 0 ? '' : `${t.offline} without a leader`,
    ])
  return renderTable(['TOPIC', 'PARTITIONS', 'RECORDS/S', 'RECORDS', ''], rows)
}

/** Sections as lines, the longer ones cut so that all fit with a blank line before each. */
export function cutToFit(sections: readonly string[], rows: number): string[][] {
  const lines = sections.map((section) => section.trimEnd().split('\n'))
  for (;;) {
    const used = lines.reduce((sum, section) => sum + section.length + 1, 0)
    if (used <= rows) return lines
    const longest = lines.reduce((a, b) => (b.length > a.length ? b : a))
    if (longest.length <= 2) return lines
    longest.splice(Math.max(2, longest.length - Math.ceil((used - rows) / 2) - 1))
  }
}
