/** What a move cost its clients, as a table. */
import { markdownTable } from '../common/markdown.ts'
import { format } from '../common/statistics.ts'
import type { WorkloadResult } from '../load/result.ts'
import type { MoveFound } from './measure.ts'

const MS = 1_000
const MB = 1e6

type Line = readonly [string, (result: WorkloadResult) => number]

const groupOf = (result: WorkloadResult, name: string) =>
  result.groups.find((group) => group.name === name)!

const LINES: readonly Line[] = [
  ['written, MB/s', ({ produced }) => produced!.bytesPerSecond / MB],
  ['produce p50, ms', ({ produced }) => produced!.latencyUs!.p50 / MS],
  ['produce p99, ms', ({ produced }) => produced!.latencyUs!.p99 / MS],
  ['produce p99.9, ms', ({ produced }) => produced!.latencyUs!.p999 / MS],
  ['longest without an acknowledgement, ms', ({ produced }) => produced!.longestGapUs! / MS],
  ['requests sent again', ({ produced }) => produced!.resent],
  ['read at the end, MB/s', (result) => groupOf(result, 'tail').bytesPerSecond / MB],
  ['fetch at the end p99, ms', (result) => groupOf(result, 'tail').latencyUs!.p99 / MS],
  ['read from the beginning, MB/s', (result) => groupOf(result, 'catch-up').bytesPerSecond / MB],
]

export function moveText({ still, moving, from, to, bytes, moveMs, lost }: MoveFound): string {
  const rows = LINES.map(([label, of]) => {
    const [before, during] = [of(still), of(moving)]
    const ratio = before === 0 ? '–' : (during / before).toFixed(2)
    return [label, format(before), format(during), ratio]
  })
  const seconds = (moveMs / 1000).toFixed(1)
  const rate = format(bytes / MB / (moveMs / 1000))
  const isWithin = moveMs / 1000 <= moving.seconds
  return [
    markdownTable(['', 'without a move', 'with it', 'ratio'], rows),
    '',
    `${(bytes / 1e9).toFixed(1)} GB moved from brokers ${from.join(', ')} to ${to.join(', ')} in ${seconds} s (${rate} MB/s to each of them, beside what was written); no client got an error.`,
    isWithin
      ? `Both were measured for ${moving.seconds} s.`
      : `**The move took longer than the ${moving.seconds} s that were measured.**`,
    lost === null ? 'All that was acknowledged is there.' : `**${lost}**`,
    ...[...still.notes, ...moving.notes].map((note) => `- ${note}`),
  ].join('\n')
}
