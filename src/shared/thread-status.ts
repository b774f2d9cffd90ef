import { invariant } from '../base/assert.ts'
import { checkVersion, type Region, wordsOf } from './region.ts'

/*
 * What every thread says about itself: a line each, read by the health check.
 *
 *   byte            word                  stored by
 *        +-------------------------------+
 *      0 | version                       | creator
 *      4 | threads                       | creator
 *        +-------------------------------+
 *    128 × (1 + n):                        THREAD n, every word
 *      0 | heartbeat: turns begun, wraps |
 *      4 | state                         |
 *      8 | busy: 1 within a turn         |
 *     12 | last turn began (ms, wraps)   |  on thread n's own monotonic clock
 *     16 | turns that found work, wraps  |
 *     20 | busy time (µs, wraps)         |
 *        +-------------------------------+
 */
const THREAD_STATUS_VERSION = 1
const WORD_VERSION = 0
const WORD_THREADS = 1
const LINE_WORDS = 32
const HEARTBEAT = 0
const STATE = 1
const BUSY = 2
const LAST_TURN = 3
const WORKED = 4
const BUSY_US = 5

export const ThreadState = {
  ABSENT: 0,
  STARTING: 1,
  RUNNING: 2,
  STOPPING: 3,
  STOPPED: 4,
  FAILED: 5,
} as const
export type ThreadState = (typeof ThreadState)[keyof typeof ThreadState]

export const threadStatusBytes = (threads: number): number => (1 + threads) * LINE_WORDS * 4

/** Makes zeroed `region` a table for `threads` threads, all absent. Creating thread. */
export function formatThreadStatus(region: Region, threads: number): Region {
  invariant(region.byteLength >= threadStatusBytes(threads), 'thread status: region too small')
  const words = wordsOf(region)
  words[WORD_THREADS] = threads
  Atomics.store(words, WORD_VERSION, THREAD_STATUS_VERSION)
  return region
}

function lineOf(words: Int32Array, thread: number): number {
  checkVersion('thread status', Atomics.load(words, WORD_VERSION), THREAD_STATUS_VERSION)
  invariant(thread >= 0 && thread < words[WORD_THREADS]!, 'thread status: no line for this thread')
  return (1 + thread) * LINE_WORDS
}

/** A thread's own line, on that thread: the owner of every word in it, so plain loads of them are exact. */
export class ThreadStatusWriter {
  readonly #words: Int32Array
  readonly #line: number
  #turnBeganMs = 0

  constructor(region: Region, thread: number) {
    this.#words = wordsOf(region)
    this.#line = lineOf(this.#words, thread)
  }

  setState(state: ThreadState): void {
    Atomics.store(this.#words, this.#line + STATE, state)
  }

  /** Call as a turn begins, with this thread's monotonic milliseconds. */
  beginTurn(nowMs: number): void {
    const words = this.#words
    this.#turnBeganMs = nowMs
    words[this.#line + LAST_TURN] = Math.floor(nowMs)
    words[this.#line + BUSY] = 1
    Atomics.store(words, this.#line + HEARTBEAT, (words[this.#line + HEARTBEAT]! + 1) | 0)
  }

  /** Call as the turn ends, before any sleep: `work` is the sum of what `doWork` returned. */
  endTurn(nowMs: number, work: number): void {
    const words = this.#words
    if (work > 0) {
      words[this.#line + WORKED]!++
      words[this.#line + BUSY_US]! += Math.round((nowMs - this.#turnBeganMs) * 1000)
    }
    Atomics.store(words, this.#line + BUSY, 0)
  }
}

/** One thread's line as last read; counters are uint32 that wrap. */
export interface ThreadStatus {
  state: ThreadState
  busy: boolean
  turns: number
  workTurns: number
  busyUs: number
  lastTurnMs: number
}

/** Reads all lines, on the thread of the health check. Judges by its own clock only: each thread's starts elsewhere. */
export class ThreadStatusReader {
  readonly threads: number
  readonly #words: Int32Array
  readonly #seenHeartbeat: Int32Array
  readonly #seenAtMs: Float64Array

  constructor(region: Region) {
    this.#words = wordsOf(region)
    lineOf(this.#words, 0)
    this.threads = this.#words[WORD_THREADS]!
    this.#seenHeartbeat = new Int32Array(this.threads)
    this.#seenAtMs = new Float64Array(this.threads).fill(Number.NaN)
  }

  read(thread: number, out: ThreadStatus): ThreadStatus {
    const line = lineOf(this.#words, thread)
    out.state = Atomics.load(this.#words, line + STATE) as ThreadState
    out.busy = Atomics.load(this.#words, line + BUSY) === 1
    out.turns = Atomics.load(this.#words, line + HEARTBEAT) >>> 0
    out.workTurns = Atomics.load(this.#words, line + WORKED) >>> 0
    out.busyUs = Atomics.load(this.#words, line + BUSY_US) >>> 0
    out.lastTurnMs = Atomics.load(this.#words, line + LAST_TURN)
    return out
  }

  /**
   * For how long the thread has been inside one turn, in milliseconds of the caller's clock since this reader first saw
   * that turn; 0 while it sleeps or moves on. Call it regularly: what is not looked at is not seen.
   */
  stuckForMs(thread: number, nowMs: number): number {
    const line = lineOf(this.#words, thread)
    const heartbeat = Atomics.load(this.#words, line + HEARTBEAT)
    const busy = Atomics.load(this.#words, line + BUSY) === 1
    if (
      !busy ||
      heartbeat !== this.#seenHeartbeat[thread] ||
      Number.isNaN(this.#seenAtMs[thread])
    ) {
      this.#seenHeartbeat[thread] = heartbeat
      this.#seenAtMs[thread] = nowMs
      return 0
    }
    return nowMs - this.#seenAtMs[thread]!
  }
}
