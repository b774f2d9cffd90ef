import { invariant } from '../base/assert.ts'
import { type BrokerBeat, BrokerState } from '../base/broker-beat.ts'
import { checkVersion, type Region, wordsOf } from './region.ts'

/*
 * Beats of brokers: a row each, by which peers, fronts and the server tell whether its thread lives.
 *
 *   byte            word                                  stored by
 *        +-----------------------------------------------+
 *      0 | version                                       | creator
 *      4 | brokers                                       | creator
 *        +-----------------------------------------------+
 *    128 × (1 + n):  broker of index n
 *      0 | spawned: incarnation started last, from 1     | SERVER, before it starts the thread
 *      4 | ended: incarnation whose thread runs no more  | SERVER, after its channel has closed
 *        +-----------------------------------------------+
 *     64 | incarnation that stores these                 | the THREAD of broker n, every word: a successor
 *     68 | state                                         | begins only after its predecessor's exit
 *     72 | beats, wraps                                  |
 *     76 | last turn (ms of its own monotonic clock, wraps)|
 *        +-----------------------------------------------+
 *
 * A thread beats in turns that it takes anyway, never for the sake of beating: see `link/broker-liveness.ts` for what that asks of
 * readers. Its incarnation is stored last when it takes its row over, so that who sees it sees no state of its predecessor.
 */
const BROKER_BEATS_VERSION = 1
const WORD_VERSION = 0
const WORD_BROKERS = 1
const ROW_WORDS = 32
const SPAWNED = 0
const ENDED = 1
const INCARNATION = 16
const STATE = 17
const BEATS = 18
const LAST_TURN = 19

/** A thread in a hurry beats no more often than this: turns take microseconds. */
export const BEAT_EVERY_MS = 50

export const brokerBeatsBytes = (brokers: number): number => (1 + brokers) * ROW_WORDS * 4

/** Makes zeroed `region` a table for `brokers` brokers, none of which was started. Creating thread. */
export function formatBrokerBeats(region: Region, brokers: number): Region {
  invariant(region.byteLength >= brokerBeatsBytes(brokers), 'broker beats: region too small')
  const words = wordsOf(region)
  words[WORD_BROKERS] = brokers
  Atomics.store(words, WORD_VERSION, BROKER_BEATS_VERSION)
  return region
}

function rowOf(words: Int32Array, broker: number): number {
  checkVersion('broker beats', Atomics.load(words, WORD_VERSION), BROKER_BEATS_VERSION)
  invariant(broker >= 0 && broker < words[WORD_BROKERS]!, 'broker beats: no row for this broker')
  return (1 + broker) * ROW_WORDS
}

/** The server's side, on its thread: which incarnations there are. Brokers are named by index, from 0. */
export class BrokerLives {
  readonly #words: Int32Array

  constructor(region: Region) {
    this.#words = wordsOf(region)
    rowOf(this.#words, 0)
  }

  /** Before a broker's thread is started; its incarnation. The one before must have ended. */
  spawning(broker: number): number {
    const words = this.#words
    const row = rowOf(words, broker)
    invariant(words[row + SPAWNED] === words[row + ENDED], 'a broker has one thread at a time')
    const incarnation = (words[row + SPAWNED]! + 1) | 0
    Atomics.store(words, row + SPAWNED, incarnation)
    return incarnation
  }

  /** The thread that was started last runs no more: it may not have exited yet. */
  ended(broker: number): void {
    const words = this.#words
    const row = rowOf(words, broker)
    Atomics.store(words, row + ENDED, words[row + SPAWNED]!)
  }
}

/** A broker's own row, on its thread: takes it over as {@link BrokerState} STARTING. */
export class BeatWriter {
  readonly incarnation: number
  readonly #words: Int32Array
  readonly #row: number
  #nextAtMs = Number.NEGATIVE_INFINITY

  constructor(region: Region, broker: number) {
    const words = wordsOf(region)
    const row = rowOf(words, broker)
    this.#words = words
    this.#row = row
    this.incarnation = Atomics.load(words, row + SPAWNED)
    Atomics.store(words, row + STATE, BrokerState.STARTING)
    Atomics.store(words, row + BEATS, (words[row + BEATS]! + 1) | 0)
    Atomics.store(words, row + INCARNATION, this.incarnation)
  }

  setState(state: BrokerState): void {
    Atomics.store(this.#words, this.#row + STATE, state)
  }

  /** Call in every turn, with this thread's monotonic milliseconds: it stores something every {@link BEAT_EVERY_MS} at most. */
  beat(nowMs: number): void {
    if (nowMs < this.#nextAtMs) return
    const words = this.#words
    const row = this.#row
    this.#nextAtMs = nowMs + BEAT_EVERY_MS
    words[row + LAST_TURN] = Math.floor(nowMs)
    Atomics.store(words, row + BEATS, (words[row + BEATS]! + 1) | 0)
  }
}

/** Reads every row, on any thread. */
export class BeatReader {
  readonly brokers: number
  readonly #words: Int32Array

  constructor(region: Region) {
    this.#words = wordsOf(region)
    rowOf(this.#words, 0)
    this.brokers = this.#words[WORD_BROKERS]!
  }

  read(broker: number, out: BrokerBeat): BrokerBeat {
    const words = this.#words
    const row = rowOf(words, broker)
    // "ended" before "spawned": else the end of a thread that began between the two loads could be seen without its beginning
    out.ended = Atomics.load(words, row + ENDED)
    out.spawned = Atomics.load(words, row + SPAWNED)
    out.incarnation = Atomics.load(words, row + INCARNATION)
    out.state = Atomics.load(words, row + STATE) as BrokerState
    out.beats = Atomics.load(words, row + BEATS)
    out.lastTurnMs = Atomics.load(words, row + LAST_TURN)
    return out
  }
}
