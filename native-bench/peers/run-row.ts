/** One row, by turns: A B A B …, with the figures of each run and the ratios of each round as they come. */

import type { Sandbox } from '../common/sandbox.ts'
import { format, median } from '../common/statistics.ts'
import type { Side } from './broker.ts'
import {
  type Figures,
  goalText,
  type Outcome,
  type Round,
  ratioLine,
  ratioOf,
  ratiosOf,
  ratioText,
} from './measures.ts'
import { settle } from './page-cache.ts'
import type { FreshRow, LimitRow, Row, Standing, StandingRow, Timing } from './row.ts'
import { cpuSecondsOf } from './usage.ts'

const LAST_WORDS = 2_000

export interface Sides {
  readonly griot: Side
  /** Not asked for by a row that has no other broker. */
  readonly peer: () => Side
}

export interface RunOptions {
  readonly rounds: number
  readonly timing: Timing
  /** How long what a run left may be written to the disk before the next, at most. */
  readonly settleMs: number
  readonly sandbox: Sandbox
  readonly print: (line: string) => void
}

export interface Measured {
  readonly peer: string
  readonly rounds: readonly Round[]
  readonly notes: readonly string[]
}

export async function runRow(row: Row, sides: Sides, options: RunOptions): Promise<Measured> {
  switch (row.kind) {
    case 'standing':
      return await runStanding(row, sides, options)
    case 'fresh':
      return await runFresh(row, sides, options)
    case 'limit':
      return await runLimit(row, sides, options)
    default:
      return row satisfies never
  }
}

/** What a run said, in one line. */
function say(row: Row, name: string, figures: Figures, options: RunOptions): void {
  const parts = row.measures
    .filter(({ key }) => figures[key] !== undefined)
    .map(({ key, label, unit }) => `${label} ${format(figures[key]!)} ${unit}`.trim())
  options.print(`  ${name}: ${parts.join(', ')}`)
}

/** What runs said, once for all the runs of a side that said it. */
class Notes {
  readonly #runs = new Map<string, number[]>()

  add(side: string, round: number, notes: readonly string[]): void {
    for (const note of notes) {
      const text = `${side}: ${note}`
      this.#runs.set(text, [...(this.#runs.get(text) ?? []), round])
    }
  }

  lines(): string[] {
    return [...this.#runs].map(([text, rounds]) => {
      const which = rounds.length === 1 ? 'round' : 'rounds'
      return `${text} (${which} ${rounds.join(', ')}).`
    })
  }
}

/** Runs the rounds, each with a run of either side, and says the ratios of each round and of all. */
async function takeTurns(
  row: Row,
  names: Record<'griot' | 'peer', string>,
  runs: Record<'griot' | 'peer', () => Promise<Outcome>>,
  options: RunOptions,
): Promise<Pick<Measured, 'rounds' | 'notes'>> {
  const rounds: Round[] = []
  const notes = new Notes()
  const take = async (side: 'griot' | 'peer', round: number): Promise<Figures> => {
    const { figures, notes: said } = await runs[side]()
    say(row, names[side], figures, options)
    for (const note of said) options.print(`    ${note}`)
    notes.add(names[side], round, said)
    return figures
  }
  for (let at = 0; at < options.rounds; at++) {
    options.print(`round ${at + 1} of ${options.rounds}`)
    const griot = await take('griot', at + 1)
    rounds.push({ griot, peer: await take('peer', at + 1) })
    const ratios = row.measures
      .filter(({ goal }) => goal !== null)
      .map(({ key, label }) => `${label} ${ratioText(ratiosOf(rounds.slice(-1), key)[0]!)}`)
    options.print(`  ratio: ${ratios.join(', ')}`)
  }
  return { rounds, notes: notes.lines() }
}

async function runFresh(row: FreshRow, sides: Sides, options: RunOptions): Promise<Measured> {
  const peer = sides.peer()
  const run = (side: Side) => () => row.run(side, options.sandbox, options.timing)
  const names = { griot: sides.griot.label, peer: peer.label }
  const runs = { griot: run(sides.griot), peer: run(peer) }
  return { peer: peer.label, ...(await takeTurns(row, names, runs, options)) }
}

/** An error while brokers run says what these said last. */
async function withLastWords<T>(brokers: readonly Standing[], run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    const said = brokers
      .map(({ side, broker }) => ({ label: side.label, text: broker.stderr().trim() }))
      .filter(({ text }) => text !== '')
      .map(({ label, text }) => `\n${label} said:\n${text.slice(-LAST_WORDS)}`)
    throw new Error(`${(error as Error).message}${said.join('')}`, { cause: error })
  }
}

async function stand(side: Side, options: RunOptions): Promise<Standing> {
  return { side, broker: await side.start(options.sandbox.directory()) }
}

/** A run that says what the other side took meanwhile: of one core, as it had nothing to do. */
async function beside(
  other: Standing,
  shares: number[],
  settleMs: number,
  run: () => Promise<Outcome>,
): Promise<Outcome> {
  const [from, before] = [performance.now(), cpuSecondsOf(other.broker)]
  const found = await run()
  shares.push(((cpuSecondsOf(other.broker) - before) * 1000) / (performance.now() - from))
  await settle(settleMs)
  return found
}

async function runStanding(row: StandingRow, sides: Sides, options: RunOptions): Promise<Measured> {
  const { print } = options
  const peerSide = sides.peer()
  print(`starting ${sides.griot.label} and ${peerSide.label}`)
  const both = {
    griot: await stand(sides.griot, options),
    peer: await stand(peerSide, options),
  }
  const all = [both.griot, both.peer]
  const measured = await withLastWords(all, () => measureStanding(row, both, options))
  await Promise.all(all.map(({ broker }) => broker.stop('SIGKILL')))
  return measured
}

async function measureStanding(
  row: StandingRow,
  both: Record<'griot' | 'peer', Standing>,
  options: RunOptions,
): Promise<Measured> {
  const { print, timing, settleMs } = options
  for (const standing of [both.griot, both.peer]) {
    const seconds = timing.freshWarmupSeconds[standing.side.name]
    print(`warming up ${standing.side.label}, ${seconds} s`)
    const warm = { ...timing, seconds, warmupSeconds: 0 }
    if (row.warmup !== undefined) await row.warmup(standing, warm)
    else await row.run(standing, warm)
    await settle(settleMs)
  }
  const prepared = (await row.prepare?.(both, timing)) ?? []
  for (const note of prepared) print(note)
  const shares = { griot: [] as number[], peer: [] as number[] }
  const names = { griot: both.griot.side.label, peer: both.peer.side.label }
  const { rounds, notes } = await takeTurns(
    row,
    names,
    {
      griot: () => beside(both.peer, shares.peer, settleMs, () => row.run(both.griot, timing)),
      peer: () => beside(both.griot, shares.griot, settleMs, () => row.run(both.peer, timing)),
    },
    options,
  )
  const share = (of: number[]) => `${(median(of) * 100).toFixed(1)} %`
  const idle = `While the other ran, ${names.griot} took ${share(shares.griot)} of a core and ${names.peer} ${share(shares.peer)}.`
  return { peer: names.peer, rounds, notes: [...prepared, ...notes, idle] }
}

async function runLimit(row: LimitRow, sides: Sides, options: RunOptions): Promise<Measured> {
  const { timing } = options
  const griot = await stand(sides.griot, options)
  const turns = await withLastWords([griot], async () => {
    await row.prepare?.(griot, timing)
    return await takeTurns(
      row,
      { griot: griot.side.label, peer: row.peer },
      { griot: () => row.run(griot, timing), peer: () => row.runLimit(timing) },
      options,
    )
  })
  await griot.broker.stop('SIGKILL')
  return { peer: row.peer, ...turns }
}

/** The end of a row: each ratio with its spread, its goal, and whether that was reached. */
export function verdict(row: Row, { rounds }: Pick<Measured, 'rounds'>): string[][] {
  return row.measures
    .filter(({ goal }) => goal !== null)
    .map((measure) => {
      const ratio = ratioOf(rounds, measure)
      const goal = goalText(measure.goal)
      if (ratio === null) return [measure.label, 'not measured here', goal, '–']
      return [measure.label, ratioLine(ratio), goal, ratio.isReached ? 'yes' : 'no']
    })
}
