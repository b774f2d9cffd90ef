import { describe, expect, it } from 'vitest'
import { type BrokerBeat, BrokerState, newBrokerBeat } from '../../src/base/broker-beat.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { BrokerLiveness } from '../../src/link/broker-liveness.ts'
import {
  BeatReader,
  BeatWriter,
  BrokerLives,
  brokerBeatsBytes,
  formatBrokerBeats,
} from '../../src/shared/broker-beats.ts'
import { newRegion } from '../../src/shared/region.ts'

const SELF = 0
const PEER = 1

/** A cell of brokers in virtual time: each has turns of its own, and one watches the others. */
class Cell {
  nowMs = 10_000
  readonly told: string[] = []
  readonly liveness: BrokerLiveness
  readonly region
  readonly lives: BrokerLives
  readonly reader: BeatReader
  readonly writers: BeatWriter[] = []
  /** Takes turns, when rung or by itself. */
  readonly turns: boolean[] = []
  readonly nextTurnMs: number[] = []
  probes = 0
  looks = 0

  constructor(brokers = 3, timeoutMs?: number, hearsJoining = false) {
    this.region = formatBrokerBeats(newRegion(brokerBeatsBytes(brokers)), brokers)
    this.lives = new BrokerLives(this.region)
    this.reader = new BeatReader(this.region)
    this.liveness = new BrokerLiveness({
      ...{ brokers, self: SELF, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
      listener: {
        ...(hearsJoining
          ? { onJoining: (broker: number, n: number) => this.told.push(`${broker} joins ${n}`) }
          : {}),
        onReachable: (broker, incarnation) => this.told.push(`${broker} up ${incarnation}`),
        onUnreachable: (broker, status) => this.told.push(`${broker} ${status}`),
        probe: (broker) => {
          this.probes++
          // who sleeps wakes, and turns
          if (this.turns[broker]) this.writers[broker]!.beat(this.nowMs)
        },
      },
    })
    for (let broker = 0; broker < brokers; broker++) this.spawn(broker)
  }

  spawn(broker: number, state: BrokerState = BrokerState.SERVING): void {
    this.lives.spawning(broker)
    this.writers[broker] = new BeatWriter(this.region, broker)
    this.writers[broker].setState(state)
    this.turns[broker] = true
    this.nextTurnMs[broker] = this.nowMs + 500
  }

  /** Passes in milliseconds; brokers that turn do so twice a second, the watcher when it asked to. */
  pass(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs++) {
      for (const [broker, writer] of this.writers.entries()) {
        if (!this.turns[broker] || this.nowMs < this.nextTurnMs[broker]!) continue
        this.nextTurnMs[broker] = this.nowMs + 500
        writer.beat(this.nowMs)
      }
      if (this.nowMs >= this.liveness.nextLookAtMs) this.look()
    }
  }

  passUntil(isTrue: () => boolean, msMax = 10_000): void {
    for (let ms = 0; ms < msMax && !isTrue(); ms++) this.pass(1)
    expect(isTrue()).toBe(true)
  }

  look(): void {
    this.looks++
    this.liveness.look(this.nowMs, this.reader)
  }

  take(): string[] {
    return this.told.splice(0)
  }
}

describe('liveness of brokers', () => {
  it('finds all reachable, and stays quiet while they idle: no more looks than turns, hardly a probe', () => {
    const cell = new Cell()
    cell.pass(60_000)
    expect(cell.take()).toEqual(['1 up 1', '2 up 1'])
    expect(cell.looks).toBeLessThanOrEqual(60_000 / 500 + 10)
    expect(cell.probes).toBeLessThan(10)
    expect(cell.liveness.isReachable(SELF)).toBe(true)
  })

  it('finds one that hangs within the time-out and a look, and hears when it is back', () => {
    const cell = new Cell()
    cell.pass(2_000)
    cell.take()
    cell.turns[PEER] = false
    const hungAtMs = cell.nowMs
    cell.passUntil(() => cell.told.length > 0)
    expect(cell.take()).toEqual(['1 hung'])
    expect(cell.nowMs - hungAtMs).toBeGreaterThanOrEqual(500)
    expect(cell.nowMs - hungAtMs).toBeLessThanOrEqual(1_600)
    expect(cell.liveness.statusOf(PEER)).toBe('hung')
    cell.pass(10_000)
    expect(cell.take()).toEqual([])
    cell.turns[PEER] = true
    cell.pass(1_100)
    expect(cell.take()).toEqual(['1 up 1'])
  })

  it('accuses nobody who merely sleeps: a probe wakes it', () => {
    const cell = new Cell()
    cell.pass(600)
    // never turns by itself, but lives
    cell.nextTurnMs.fill(Number.POSITIVE_INFINITY)
    cell.pass(30_000)
    expect(cell.take()).toEqual(['1 up 1', '2 up 1'])
    expect(cell.probes).toBeGreaterThan(50)
  })

  it.each([500, 1_000, 5_000, 3_600_000])(
    'accuses nobody after the whole process stood still for %i ms, whenever that began',
    (pausedMs) => {
      const random = new SeededRandom(5)
      const cell = new Cell()
      cell.pass(2_000)
      cell.take()
      for (let i = 0; i < 200; i++) {
        cell.pass(random.below(1_000))
        // nobody turns meanwhile
        cell.nowMs += pausedMs
        cell.look()
      }
      cell.pass(5_000)
      expect(cell.take()).toEqual([])
    },
  )

  it('gives those that are slow to come back after such a pause their time', () => {
    for (let beforeMs = 0; beforeMs < 1_000; beforeMs += 10) {
      const cell = new Cell()
      cell.pass(2_000)
      cell.take()
      cell.pass(beforeMs)
      cell.nowMs += 60_000
      cell.turns.fill(false)
      cell.pass(400)
      cell.turns.fill(true)
      cell.pass(2_000)
      expect(cell.take()).toEqual([])
    }
  })

  it('asks again after a pause whom it had asked before, and waits for the answer', () => {
    for (let askedMs = 20; askedMs < 450; askedMs += 10) {
      const cell = new Cell()
      cell.pass(2_000)
      cell.take()
      cell.turns.fill(false)
      cell.probes = 0
      cell.passUntil(() => cell.probes > 0)
      cell.pass(askedMs)
      const { probes } = cell
      cell.nowMs += 60_000
      cell.pass(150)
      expect(cell.probes).toBeGreaterThan(probes)
      cell.turns.fill(true)
      cell.pass(2_000)
      expect(cell.take()).toEqual([])
    }
  })

  it('finds one that hangs although the reader is late now and then', () => {
    const cell = new Cell()
    cell.pass(2_000)
    cell.take()
    cell.turns[PEER] = false
    for (let i = 0; i < 3; i++) {
      cell.pass(700)
      cell.nowMs += 2_000
    }
    cell.pass(3_000)
    expect(cell.take()).toEqual(['1 hung'])
  })

  it('is told of an ended thread with the next look, and of its successor once that serves', () => {
    const cell = new Cell()
    cell.pass(2_000)
    cell.take()
    cell.turns[PEER] = false
    cell.lives.ended(PEER)
    cell.nowMs += 30
    cell.look()
    expect(cell.take()).toEqual(['1 gone'])
    cell.spawn(PEER, BrokerState.STARTING)
    cell.pass(3_000)
    expect(cell.take()).toEqual([])
    expect(cell.liveness.statusOf(PEER)).toBe('starting')
    cell.writers[PEER]!.setState(BrokerState.SERVING)
    cell.pass(600)
    expect(cell.take()).toEqual(['1 up 2'])
    expect(cell.liveness.incarnationOf(PEER)).toBe(2)
  })

  it('tells who wants to know that one turns and does not serve yet, soon, and judges it as the others', () => {
    const cell = new Cell(3, undefined, true)
    cell.pass(2_000)
    cell.take()
    cell.lives.ended(PEER)
    cell.spawn(PEER, BrokerState.STARTING)
    cell.pass(600)
    expect(cell.take()).toEqual(['1 gone'])
    cell.writers[PEER]!.setState(BrokerState.JOINING)
    // whoever elects with it waits for it
    cell.pass(25)
    expect(cell.take()).toEqual(['1 joins 2'])
    cell.turns[PEER] = false
    cell.pass(3_000)
    expect(cell.take()).toEqual(['1 hung'])
    cell.turns[PEER] = true
    cell.pass(1_000)
    expect(cell.take()).toEqual(['1 joins 2'])
    cell.writers[PEER]!.setState(BrokerState.SERVING)
    cell.pass(600)
    expect(cell.take()).toEqual(['1 up 2'])
  })

  it('tells the end of one that was joining, and nothing of it to who does not ask', () => {
    for (const hearsJoining of [true, false]) {
      const cell = new Cell(3, undefined, hearsJoining)
      cell.pass(2_000)
      cell.lives.ended(PEER)
      cell.spawn(PEER, BrokerState.JOINING)
      cell.pass(600)
      cell.take()
      cell.lives.ended(PEER)
      cell.pass(600)
      expect(cell.take()).toEqual(['1 gone'])
    }
  })

  it('tells the end of one thread before the beginning of the next, however quick that was', () => {
    const cell = new Cell()
    cell.pass(2_000)
    cell.take()
    cell.lives.ended(PEER)
    cell.spawn(PEER)
    cell.pass(600)
    expect(cell.take()).toEqual(['1 gone', '1 up 2'])
  })

  it('does not take the state of a predecessor for that of a thread that has not begun', () => {
    const cell = new Cell()
    cell.pass(2_000)
    cell.take()
    cell.lives.ended(PEER)
    cell.lives.spawning(PEER)
    cell.pass(1_000)
    expect(cell.take()).toEqual(['1 gone'])
    expect(cell.liveness.statusOf(PEER)).toBe('starting')
  })

  it('counts one that is stopping, and no more one that has stopped', () => {
    const cell = new Cell()
    cell.pass(2_000)
    cell.take()
    cell.writers[PEER]!.setState(BrokerState.STOPPING)
    cell.pass(1_000)
    expect(cell.take()).toEqual([])
    cell.writers[PEER]!.setState(BrokerState.STOPPED)
    cell.pass(1_000)
    expect(cell.take()).toEqual(['1 gone'])
  })

  it('keeps to a time-out that is given', () => {
    const cell = new Cell(2, 200)
    cell.pass(1_000)
    cell.take()
    cell.turns[PEER] = false
    const hungAtMs = cell.nowMs
    cell.passUntil(() => cell.told.length > 0)
    expect(cell.nowMs - hungAtMs).toBeLessThanOrEqual(400)
  })
})

describe('the table of beats', () => {
  it('tells what its broker and the server have stored', () => {
    const cell = new Cell(2)
    const beat: BrokerBeat = newBrokerBeat()
    cell.writers[1]!.beat(123.9)
    expect(cell.reader.read(1, beat)).toEqual({
      ...{ spawned: 1, ended: 0, incarnation: 1, state: BrokerState.SERVING },
      ...{ beats: 2, lastTurnMs: 123 },
    })
    // a thread in a hurry
    for (let ms = 124; ms < 1_124; ms++) cell.writers[1]!.beat(ms)
    expect(cell.reader.read(1, beat).beats).toBe(21)
    cell.lives.ended(1)
    expect(cell.reader.read(1, beat).ended).toBe(1)
  })

  it('has one thread per broker at a time, and rows for its brokers only', () => {
    const cell = new Cell(2)
    expect(() => cell.lives.spawning(1)).toThrow('one thread at a time')
    expect(() => new BeatWriter(cell.region, 2)).toThrow('no row')
    const words = new Int32Array(cell.region.sab)
    words[0] = 2
    expect(() => new BeatReader(cell.region)).toThrow('layout version 2')
  })
})
