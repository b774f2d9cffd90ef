/** Connections that the system has accepted and that are not open yet. On the front's thread. */
import type { Owner } from './owner.ts'
import type { ReadTurns } from './read-turns.ts'

export interface Arrival {
  open(): void
  /** It is not to be. */
  drop(): void
}

/** In the order in which they came, from `head` on. */
interface Lane {
  readonly waiting: Arrival[]
  head: number
}

/** So many that are open are let go of at a time. */
const SPLICE_AT = 1024
/** Of the connections that there may be, so many of one owner’s may wait, and these in any case. */
const WAITING_SHARE = 1 / 4
const WAITING_MIN = 8

/**
 * Opens what has come in by turns, as requests are handed over: of each owner as long as a turn lasts, if it has paid for what it had. To accept takes 5 µs,
 * all that comes of it 50 to 100, and hundreds come at once.
 */
export class Arrivals {
  readonly #turns: ReadTurns
  /** In the order of their turns; none is empty. */
  readonly #lanes = new Map<Owner, Lane>()
  #size = 0
  #nextAtMs = Number.POSITIVE_INFINITY

  constructor(turns: ReadTurns) {
    this.#turns = turns
  }

  get size(): number {
    return this.#size
  }

  /** When the first of them may be opened: monotonic milliseconds, or Infinity. */
  get nextAtMs(): number {
    return this.#nextAtMs
  }

  add(owner: Owner, arrival: Arrival): void {
    let lane = this.#lanes.get(owner)
    if (lane === undefined) {
      lane = { waiting: [], head: 0 }
      this.#lanes.set(owner, lane)
      this.#nextAtMs = Math.min(this.#nextAtMs, this.#turns.goesOnAtMs(owner))
    }
    lane.waiting.push(arrival)
    this.#size++
  }

  /**
   * Before another one of `owner` comes: where a share of the connections that there may be wait already, the oldest is dropped, since who has short ones has
   * closed it by now, and they would push out those of others. Returns how many waited then, else 0.
   */
  makeRoom(owner: Owner, connectionsMax: number): number {
    const lane = this.#lanes.get(owner)
    if (lane === undefined) return 0
    const waiting = lane.waiting.length - lane.head
    if (waiting < Math.max(WAITING_MIN, Math.floor(connectionsMax * WAITING_SHARE))) return 0
    this.#size--
    lane.waiting[lane.head++]!.drop()
    letGo(lane)
    if (lane.head === lane.waiting.length) this.#lanes.delete(owner)
    return waiting
  }

  /** Opens those whose turn has come; returns how many. `isFirst`: who has had connections opened in its last turn, and others that have yielded, has those go on first. */
  open(isFirst = false): number {
    if (!this.#turns.isOver(this.#nextAtMs)) return 0
    this.#nextAtMs = Number.POSITIVE_INFINITY
    let opened = 0
    const untilMs = this.#turns.allUntilMs
    for (const [owner, lane] of [...this.#lanes]) {
      if (opened > 0 && this.#turns.isOver(untilMs)) {
        // the others come first next time, at once
        this.#nextAtMs = Number.NEGATIVE_INFINITY
        break
      }
      const isReadFirst = isFirst && owner.hasOpened && owner.yielded.size > 0
      if (!isReadFirst && this.#turns.isOver(this.#turns.goesOnAtMs(owner))) {
        opened += this.#openOf(owner, lane)
        // its next turn comes after all others
        this.#lanes.delete(owner)
        if (lane.head < lane.waiting.length) this.#lanes.set(owner, lane)
      }
      if (this.#lanes.has(owner))
        this.#nextAtMs = Math.min(this.#nextAtMs, this.#turns.goesOnAtMs(owner))
    }
    return opened
  }

  dropAll(): void {
    for (const { waiting, head } of this.#lanes.values())
      for (const arrival of waiting.slice(head)) arrival.drop()
    this.#lanes.clear()
    this.#size = 0
    this.#nextAtMs = Number.POSITIVE_INFINITY
  }

  #openOf(owner: Owner, lane: Lane): number {
    const { waiting } = lane
    const opened = this.#turns.open(owner, () => {
      this.#size--
      waiting[lane.head++]!.open()
      return lane.head < waiting.length
    })
    letGo(lane)
    return opened
  }
}

function letGo(lane: Lane): void {
  if (lane.head < SPLICE_AT) return
  lane.waiting.splice(0, lane.head)
  lane.head = 0
}
