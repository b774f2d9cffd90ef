/** The partitions of a producer, in turn, and how many batches each was due. */
import { type Due, keyOf, type Times, type TopicPartition } from './messages.ts'

export interface Turn {
  readonly at: TopicPartition
  /** Batches of the measured window. */
  due: number
}

export class Rotation<T extends Turn> {
  readonly all: T[] = []
  #times: Times = { startUs: 0, fromUs: 0, toUs: 0 }
  #next = 0

  begin(times: Times): void {
    this.#times = times
  }

  /** Whose turn it is, with a batch that was meant to be sent then. */
  next(intendedUs: number): T {
    const turn = this.all[this.#next++ % this.all.length]!
    // by the time that a consumer will read
    const dueUs = this.#times.startUs + this.timestampOf(intendedUs)
    if (dueUs >= this.#times.fromUs && dueUs < this.#times.toUs) turn.due++
    return turn
  }

  /** What batches carry: whole microseconds since the run began. */
  timestampOf(intendedUs: number): number {
    return Math.max(0, Math.round(intendedUs - this.#times.startUs))
  }

  due(): Due {
    return Object.fromEntries(this.all.map(({ at, due }) => [keyOf(at), due]))
  }
}
