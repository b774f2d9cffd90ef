import type { ProducerBatch } from './producers.ts'

/** Remembered per partition; the oldest go first. */
const REFUSED_MAX = 1_000
/** No client tries for so long. */
const REFUSED_MS = 600_000
/** Sequences go on at 0 after this many. */
const SEQUENCES = 2 ** 31

interface Refused {
  readonly epoch: number
  readonly sequence: number
  readonly sinceMs: number
}

/**
 * First batches of producers that were refused for a while: by a disk, or for want of a leader or of replicas. Of a producer that is not known any sequence is taken,
 * and so what was sent right behind a batch that was refused would go before it. On the broker's thread.
 */
export class RefusedProducers {
  readonly #refused = new Map<number, Refused>()

  /** A batch of a producer that is not known was refused, and will be sent again. */
  note({ producerId, epoch, baseSequence }: Readonly<ProducerBatch>, nowMs: number): void {
    const known = this.#refused.get(producerId)
    if (known !== undefined && known.epoch > epoch) return
    const isSame = known?.epoch === epoch
    if (isSame && !isAfter(known!.sequence, baseSequence)) return
    this.#refused.delete(producerId)
    this.#refused.set(producerId, { epoch, sequence: baseSequence, sinceMs: nowMs })
    if (this.#refused.size <= REFUSED_MAX) return
    for (const oldest of this.#refused.keys()) {
      this.#refused.delete(oldest)
      return
    }
  }

  /** The sequence of a batch that has to come before this one; −1 for none. */
  before({ producerId, epoch, baseSequence }: Readonly<ProducerBatch>): number {
    const known = this.#refused.get(producerId)
    if (known === undefined || known.epoch !== epoch) return -1
    return isAfter(baseSequence, known.sequence) ? known.sequence : -1
  }

  /** A batch of it was taken: what comes next is known from now on. */
  took(producerId: number): void {
    if (this.#refused.size > 0) this.#refused.delete(producerId)
  }

  expire(nowMs: number): void {
    for (const [producerId, { sinceMs }] of this.#refused) {
      if (nowMs - sinceMs >= REFUSED_MS) this.#refused.delete(producerId)
    }
  }
}

/** Sequences wrap: the nearer way round counts. */
function isAfter(sequence: number, other: number): boolean {
  const ahead = (sequence - other + SEQUENCES) % SEQUENCES
  return ahead > 0 && ahead < SEQUENCES / 2
}
