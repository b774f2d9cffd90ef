/** What replication costs: the same workload on topics with one replica and with three, of one engine, by turns. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sandbox } from '../common/sandbox.ts'
import { format } from '../common/statistics.ts'
import type { Broker, Side } from '../peers/broker.ts'
import type { Figures, Outcome } from '../peers/measures.ts'
import { settle } from '../peers/page-cache.ts'
import type { Standing, StandingRow, Timing } from '../peers/row.ts'
import { rowsWith } from '../peers/rows-replicated.ts'
import { rssBytesOf } from '../peers/usage.ts'
import { REPLICAS } from '../peers/variants.ts'

const MB = 1e6

export const COMPARED = rowsWith(1).map(({ name }) => name)
export const KILLED = 'kill-leader'

/** One workload with one replica and with three. */
export interface Pair {
  readonly name: string
  readonly one: StandingRow
  readonly three: StandingRow
}

export interface PairRounds {
  readonly pair: Pick<Pair, 'name'> & { readonly one: Pick<StandingRow, 'measures'> }
  readonly rounds: readonly { readonly one: Figures; readonly three: Figures }[]
}

/** NaN where nobody could tell, or nothing was compared. */
export interface Memory {
  readonly idleMB: number
  readonly loadedMB: number
}

export interface Found {
  readonly pairs: readonly PairRounds[]
  /** Of an engine of its own for each; none where brokers could not be killed, or were not to be. */
  readonly kills: readonly Figures[]
  readonly memory: Memory
  readonly notes: readonly string[]
}

export interface MeasureOptions {
  /** Of {@link COMPARED} and {@link KILLED}. */
  readonly workloads: readonly string[]
  readonly rounds: number
  readonly timing: Timing
  readonly settleMs: number
  readonly sandbox: Sandbox
  /** Gets the engine of the comparison. */
  readonly side: Side
  /** Gets those whose brokers are killed, or says why there is none. */
  readonly killed: { readonly side: Side; readonly row: StandingRow } | string
  readonly print: (line: string) => void
}

export const pairsOf = (names: readonly string[]): Pair[] => {
  const [one, three] = [rowsWith(1), rowsWith(REPLICAS)]
  return names
    .filter((name) => COMPARED.includes(name))
    .map((name) => {
      const of = (rows: readonly StandingRow[]) => rows.find((row) => row.name === name)!
      return { name, one: of(one), three: of(three) }
    })
}

export async function measureReplication(options: MeasureOptions): Promise<Found> {
  return await new Measuring(options).run()
}

class Measuring {
  readonly #options: MeasureOptions
  readonly #pairs: { readonly pair: Pair; readonly rounds: { one: Figures; three: Figures }[] }[]
  readonly #kills: Figures[] = []
  readonly #notes = new Set<string>()

  constructor(options: MeasureOptions) {
    this.#options = options
    this.#pairs = pairsOf(options.workloads).map((pair) => ({ pair, rounds: [] }))
  }

  async run(): Promise<Found> {
    // an engine that nobody asks anything of would be no measure of anything
    const memory = this.#pairs.length === 0 ? await this.#onlyKills() : await this.#compare()
    return { pairs: this.#pairs, kills: this.#kills, memory, notes: [...this.#notes] }
  }

  async #onlyKills(): Promise<Memory> {
    await this.#rounds(() => this.#kill())
    return { idleMB: Number.NaN, loadedMB: Number.NaN }
  }

  async #rounds(run: () => Promise<void>): Promise<void> {
    const { rounds, print } = this.#options
    for (let round = 0; round < rounds; round++) {
      print(`round ${round + 1} of ${rounds}`)
      await run()
    }
  }

  async #compare(): Promise<Memory> {
    const { side, sandbox, timing } = this.#options
    const broker = await side.start(sandbox.directory())
    const standing = { side, broker }
    try {
      await sleep(timing.restMs)
      const idleMB = rssBytesOf(broker) / MB
      for (const { pair } of this.#pairs) await this.#warmUp(pair, standing)
      await this.#rounds(async () => {
        for (const { pair, rounds } of this.#pairs) rounds.push(await this.#both(pair, standing))
        await this.#kill()
      })
      await sleep(timing.restMs)
      return { idleMB, loadedMB: rssBytesOf(broker) / MB }
    } catch (error) {
      throw withLastWords(error as Error, broker)
    } finally {
      await broker.stop('SIGKILL')
    }
  }

  async #warmUp(pair: Pair, standing: Standing): Promise<void> {
    const { timing, print, settleMs } = this.#options
    const seconds = timing.freshWarmupSeconds.griot
    print(`warming up ${pair.name}, 2 × ${seconds} s`)
    for (const row of [pair.one, pair.three]) {
      await warmUp(row, standing, { ...timing, seconds, warmupSeconds: 0 })
      await settle(settleMs)
    }
  }

  async #both(pair: Pair, standing: Standing): Promise<{ one: Figures; three: Figures }> {
    const one = await this.#take(`${pair.name}, RF 1`, pair.one, standing)
    return { one, three: await this.#take(`${pair.name}, RF ${REPLICAS}`, pair.three, standing) }
  }

  async #take(name: string, row: StandingRow, standing: Standing): Promise<Figures> {
    const { timing, settleMs } = this.#options
    const outcome = await row.run(standing, timing)
    await settle(settleMs)
    this.#say(name, row, outcome)
    return outcome.figures
  }

  #say(name: string, row: StandingRow, { figures, notes }: Outcome): void {
    const parts = row.measures
      .filter(({ key }) => figures[key] !== undefined)
      .map(({ key, label, unit }) => `${label} ${format(figures[key]!)} ${unit}`.trim())
    this.#options.print(`  ${name}: ${parts.join(', ')}`)
    for (const note of notes) {
      this.#options.print(`    ${note}`)
      this.#notes.add(`${name}: ${note}`)
    }
  }

  /** The leader's broker dies once, of an engine that is started for that: its disk calls pass through what could fail them. */
  async #kill(): Promise<void> {
    const { workloads, killed, sandbox, timing } = this.#options
    if (!workloads.includes(KILLED)) return
    if (typeof killed === 'string') {
      this.#notes.add(`${KILLED} is skipped: ${killed}`)
      return
    }
    const { side, row } = killed
    const directory = sandbox.directory()
    const broker = await side.start(directory)
    const standing = { side, broker }
    try {
      const seconds = timing.freshWarmupSeconds.griot
      await warmUp(row, standing, { ...timing, seconds, warmupSeconds: 0 })
      this.#kills.push(await this.#take(KILLED, row, standing))
    } catch (error) {
      throw withLastWords(error as Error, broker)
    } finally {
      await broker.stop('SIGKILL')
      sandbox.remove(directory)
    }
  }
}

const warmUp = async (row: StandingRow, standing: Standing, timing: Timing): Promise<void> => {
  if (row.warmup === undefined) await row.run(standing, timing)
  else await row.warmup(standing, timing)
}

const LAST_WORDS = 2_000

function withLastWords(error: Error, broker: Broker): Error {
  const said = broker.stderr().trim().slice(-LAST_WORDS)
  if (said === '') return error
  return new Error(`${error.message}\nthe engine said:\n${said}`, { cause: error })
}
