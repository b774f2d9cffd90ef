import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { count } from '../clients/requirements.ts'
import { attack, type Manner, type Outcome } from './attacker.ts'
import { FrameMaker, type HostileFrame, type World } from './frames.ts'
import { Prng, seedOf } from './prng.ts'
import { reportOf, Target } from './target.ts'
import { clearWorld, joinGroupOnce, type Member, makeWorld } from './world.ts'

/** Most go away without waiting for what they are told only now and then. */
const MANNERS: readonly Manner[] = [
  ...(['packet', 'packet', 'packet', 'pieces', 'pieces', 'bytes', 'unread'] as const),
  ...(['unread', 'reset', 'drop'] as const),
]

const FRAMES = count(12_000, 110_000)
const CONCURRENT = 8
/** RSS after as many frames as were sent before may not be above that by more. */
const GROWTH_MB = 64

describe.skipIf(process.platform !== 'linux')('hostile frames', () => {
  let target: Target

  beforeAll(async () => {
    target = await Target.start()
  })

  afterAll(() => target?.stop())

  it(
    'from every field of every API and version: an error or an end for each, and nobody else notices',
    async () => {
      const seed = seedOf(4_2026)
      const tally = new Tally()
      const first = new Assault(target, seed, tally)
      await first.run(FRAMES / 4)
      await clearWorld(target.engine.bootstrap)
      const before = await target.settledRssMb()
      const probe = target.probe()
      const second = new Assault(target, seed + 1, tally)
      await second.run((FRAMES / 4) * 3)
      const seen = await probe.end()
      await clearWorld(target.engine.bootstrap)
      const gauges = await target.whenQuiet(1)
      const after = await target.settledRssMb()
      console.log(
        `seed ${seed}: ${tally.frames} frames of ${first.cases} cases on ${tally.connections} connections; ${tally}; ` +
          `RSS ${before.toFixed(0)} MB before the last three quarters, ${after.toFixed(0)} after; ${reportOf(seen)}`,
      )
      console.log(`errors answered: ${tally.errorCodes}`)
      expect(tally.faults).toEqual([])
      expect(target.bugs).toEqual([])
      expect(seen.faults).toEqual([])
      expect(seen.healthMax).toBeLessThan(10_000)
      expect(gauges).toMatchObject({
        ...{ inFlightBytes: 0, pinnedBytes: 0, fileBufferBytes: 0, commandsParked: 0 },
        ...{ fetchesParked: 0, producesPending: 0, connectionsWaiting: 0, connections: 0 },
      })
      expect(after - before).toBeLessThan(GROWTH_MB)
      // Every connection that was ended has its line, or is counted in one.
      expect(gauges.rejected).toBeGreaterThan(0)
      expect(
        target.linesOf('connection closed because of what came in over it') + target.linesLeftOut,
      ).toBeGreaterThanOrEqual(gauges.rejected)
    },
    count(55_000, 900_000),
  )
})

/** What came of all frames. */
class Tally {
  frames = 0
  connections = 0
  readonly faults: string[] = []
  readonly #outcomes = new Map<Outcome, number>()
  readonly #errors = new Map<number, number>()

  add(frames: readonly HostileFrame[], told: Awaited<ReturnType<typeof attack>>): void {
    this.frames += frames.length
    this.connections++
    for (const one of told.outcomes) this.#outcomes.set(one, (this.#outcomes.get(one) ?? 0) + 1)
    for (const code of told.errors) this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1)
    if (this.faults.length < 5) this.faults.push(...told.faults)
  }

  get errorCodes(): string {
    const rows = [...this.#errors].sort(([a], [b]) => a - b)
    return rows.map(([code, times]) => `${code}×${times}`).join(' ')
  }

  toString(): string {
    return [...this.#outcomes].map(([outcome, times]) => `${times} ${outcome}`).join(', ')
  }
}

/** Several hostile clients at once, each a new connection every few frames. */
class Assault {
  readonly #target: Target
  readonly #random: Prng
  readonly #tally: Tally
  readonly #maker: FrameMaker
  #world: World = { names: {}, topicIds: [], producerIds: [], sessionIds: [] }
  #member: Member | null = null
  #left = 0
  #correlationId = 1

  constructor(target: Target, seed: number, tally: Tally) {
    this.#target = target
    this.#random = new Prng(seed)
    this.#tally = tally
    this.#maker = new FrameMaker(this.#random, () => this.#world)
  }

  get cases(): number {
    return this.#maker.cases
  }

  async run(frames: number): Promise<void> {
    this.#left = frames
    this.#member ??= await joinGroupOnce(this.#target.engine.bootstrap)
    this.#world = await makeWorld(this.#target.engine.bootstrap, this.#member)
    let sinceWorld = 0
    while (this.#left > 0 && this.#tally.faults.length < 5) {
      // What there was has been deleted by now, or has moved on.
      if (sinceWorld++ % 100 === 99) {
        this.#world = await makeWorld(this.#target.engine.bootstrap, this.#member)
      }
      await Promise.all(Array.from({ length: CONCURRENT }, () => this.#connection()))
    }
  }

  async #connection(): Promise<void> {
    const frames: HostileFrame[] = []
    const firstId = this.#correlationId
    const wanted = 1 + this.#random.below(8)
    // A frame that is damaged as such ends its connection, or takes the next one's bytes for its own: it comes last.
    while (frames.length < wanted && (frames.at(-1)?.kind ?? 'field') === 'field') {
      frames.push(this.#maker.make(this.#correlationId++))
    }
    this.#left -= frames.length
    const { host, port } = this.#target
    const manner = this.#random.pick(MANNERS)
    const at = { host, port: port + this.#random.below(3) }
    this.#tally.add(frames, await attack(at, frames, firstId, manner, this.#random))
  }
}
