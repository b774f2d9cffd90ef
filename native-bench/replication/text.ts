/** What replication costs, as a table and as figures that `compare` reads. */
import { markdownTable } from '../common/markdown.ts'
import type { Figure } from '../common/report.ts'
import { format, median, spread } from '../common/statistics.ts'
import { type Measure, ratioText } from '../peers/measures.ts'
import { REPLICAS } from '../peers/variants.ts'
import type { Found, PairRounds } from './measure.ts'

/** What Kafka 4.3.1 took with three nodes on this project's machine (11.0–12.4 s), and the share of it that is the goal. */
const KAFKA_GAP_MS = 12_000
const GAP_GOAL_MS = KAFKA_GAP_MS / 60

/** What is more where it is better; of all others less is. */
const HIGHER: ReadonlySet<string> = new Set(['rateMB', 'requests'])
/** Of the client, or of the workload: no cost of replication. */
const ASIDE: ReadonlySet<string> = new Set(['client', 'wire', 'replicas'])

interface Row {
  readonly measure: Measure
  readonly one: readonly number[]
  readonly three: readonly number[]
  /** Of the two runs of one round. */
  readonly ratios: readonly number[]
}

function rowsOf({ pair, rounds }: PairRounds): Row[] {
  return pair.one.measures
    .filter(({ key }) => !ASIDE.has(key))
    .map((measure) => {
      const of = (run: 'one' | 'three') =>
        rounds.map((round) => round[run][measure.key] ?? Number.NaN)
      const ratios = of('three').map((value, at) => value / of('one')[at]!)
      return { measure, one: of('one'), three: of('three'), ratios: ratios.filter(Number.isFinite) }
    })
}

const spreadOf = (values: readonly number[]): string => {
  const known = values.filter(Number.isFinite)
  return known.length === 0 ? '–' : spread(known)
}

/** `median (min–max)` with the digits that count in a ratio. */
function ratioSpread(ratios: readonly number[]): string {
  if (ratios.length === 0) return '–'
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)]
  return `${ratioText(median(ratios))} (${ratioText(least)}–${ratioText(most)})`
}

export function replicationText(found: Found): string {
  const head = ['workload', 'measure', 'RF 1', `RF ${REPLICAS}`, `RF ${REPLICAS} : RF 1`]
  const lines = found.pairs.flatMap((one) =>
    rowsOf(one).map(({ measure: { label, unit }, one: single, three, ratios }, at) => [
      at === 0 ? one.pair.name : '',
      `${label}, ${unit}`,
      ...[spreadOf(single), spreadOf(three), ratioSpread(ratios)],
    ]),
  )
  const parts = lines.length === 0 ? [] : [markdownTable(head, lines), '']
  parts.push(...shortOf(found), ...killLines(found), ...memoryLines(found))
  return [...parts, ...found.notes.map((note) => `${note}.`)].join('\n')
}

/** The ratios are about nothing where three replicas were not to be had. */
function shortOf({ pairs, kills }: Found): string[] {
  const made = [...pairs.flatMap(({ rounds }) => rounds.map(({ three }) => three)), ...kills]
  const least = Math.min(...made.map(({ replicas }) => replicas ?? 0))
  if (made.length === 0 || least >= REPLICAS) return []
  return [
    `**Topics that were to have ${REPLICAS} replicas have ${least}: this is not what replication costs.**`,
    '',
  ]
}

function killLines({ kills }: Found): string[] {
  if (kills.length === 0) return []
  const gaps = kills.map(({ gapMs }) => gapMs ?? Number.NaN)
  const resent = kills.map((one) => one.resent ?? Number.NaN)
  const isReached = median(gaps) <= GAP_GOAL_MS
  const goal = `goal ${GAP_GOAL_MS} ms, 1/60 of three Kafka nodes’ ${KAFKA_GAP_MS / 1000} s: ${isReached ? 'reached' : '**not reached**'}`
  return [
    `The leader’s broker killed under load: longest time without an acknowledgement ${spreadOf(gaps)} ms (${goal}); the client sent ${spreadOf(resent)} requests again.`,
  ]
}

function memoryLines({ memory: { idleMB, loadedMB } }: Found): string[] {
  if (!Number.isFinite(idleMB)) return []
  return [`RSS: ${format(idleMB)} MB idle after the start, ${format(loadedMB)} MB after all of it.`]
}

export function replicationFigures({ pairs, kills, memory }: Found): Figure[] {
  const figures: Figure[] = []
  const add = (name: string, unit: string, better: Figure['better'], all: readonly number[]) => {
    const values = all.filter(Number.isFinite)
    if (values.length > 0) figures.push({ name, unit, better, values })
  }
  for (const one of pairs) {
    for (const { measure, one: single, three, ratios } of rowsOf(one)) {
      const better = HIGHER.has(measure.key) ? 'higher' : 'lower'
      const name = (what: string) => `${one.pair.name}, ${what}: ${measure.label}`
      add(name('RF 1'), measure.unit, better, single)
      add(name(`RF ${REPLICAS}`), measure.unit, better, three)
      add(name(`RF ${REPLICAS} : RF 1`), 'ratio', better, ratios)
    }
  }
  const gaps = kills.map(({ gapMs }) => gapMs ?? Number.NaN)
  add('kill-leader: longest time without an acknowledgement', 'ms', 'lower', gaps)
  add('RSS idle', 'MB', 'lower', [memory.idleMB])
  add('RSS after all', 'MB', 'lower', [memory.loadedMB])
  return figures
}
