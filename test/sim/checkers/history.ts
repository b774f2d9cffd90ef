/** What is committed of a partition, as any replica has ever said: it never changes, has no gap, and each producer's batches are there once, in order. */
import type { PartitionNumber } from '../../../src/base/ids.ts'
import {
  baseOffsetOf,
  baseSequenceOf,
  computedCrcOf,
  lastOffsetOf,
  producerIdOf,
  recordCountOf,
  storedCrcOf,
} from '../../../src/record/batch.ts'
import { RecordCursor } from '../../../src/record/records.ts'
import { SafetyError, safe } from '../sim-error.ts'

export interface CommittedBatch {
  readonly base: number
  readonly last: number
  readonly crc: number
  readonly producerId: number
  readonly baseSequence: number
  /** Of its first record, before the padding. */
  readonly label: string
}

const decoder = new TextDecoder()

const isWhole = (bytes: Uint8Array, at: number): boolean =>
  storedCrcOf(bytes, at) === computedCrcOf(bytes, at)

export function batchAt(bytes: Uint8Array, at: number): CommittedBatch {
  const base = baseOffsetOf(bytes, at)
  safe(isWhole(bytes, at), () => `a reader is given a damaged batch at ${base}`)
  const crc = storedCrcOf(bytes, at)
  const cursor = new RecordCursor(bytes, at)
  const value = cursor.next() ? cursor.value() : null
  const label = value === null ? '' : decoder.decode(value.subarray(0, 32)).replace(/\.+.*$/s, '')
  return {
    ...{ base, crc, label },
    last: lastOffsetOf(bytes, at),
    producerId: producerIdOf(bytes, at),
    baseSequence: baseSequenceOf(bytes, at),
  }
}

export class PartitionHistory {
  readonly number: PartitionNumber
  readonly #batches: CommittedBatch[] = []
  readonly #nextSequence = new Map<number, number>()
  readonly #labels = new Set<string>()
  /** What was acknowledged beyond the end: by base offset. */
  readonly #awaited = new Map<number, string>()
  /** The first offset that is not known to be committed. */
  end = 0

  constructor(number: PartitionNumber) {
    this.number = number
  }

  get size(): number {
    return this.#batches.length
  }

  /** Acknowledged, and not yet seen below any high watermark. */
  get awaited(): number {
    return this.#awaited.size
  }

  /** A replica has this below its high watermark, or a reader was given it. */
  see(who: string, bytes: Uint8Array, at: number): CommittedBatch {
    const base = baseOffsetOf(bytes, at)
    let batch: CommittedBatch
    try {
      batch = batchAt(bytes, at)
    } catch (error) {
      throw new SafetyError(`${who}, partition ${this.number}: ${(error as Error).message}`, {
        cause: error,
      })
    }
    if (base >= this.end) {
      safe(base === this.end, () => `${who}: a gap in ${this.number} at ${this.end}, then ${base}`)
      this.#extend(who, batch, recordCountOf(bytes, at))
      return batch
    }
    const known = this.at(base)
    safe(
      known !== undefined &&
        known.base === base &&
        known.last === batch.last &&
        known.crc === batch.crc,
      () =>
        `${who}: what is committed of partition ${this.number} has changed at ${base}: ${describe(known)} was there, now ${describe(batch)}`,
    )
    return batch
  }

  /** An answer with acks=all. */
  acknowledged(base: number, label: string): void {
    if (base >= this.end) {
      const other = this.#awaited.get(base)
      safe(other === undefined || other === label, () => `${other} and ${label} both got ${base}`)
      this.#awaited.set(base, label)
    } else this.#expect(this.at(base), base, label)
  }

  /** Whether one of the producer's newest batches begins with this record. */
  hasLabel(producerId: number, label: string): boolean {
    const newest = this.#batches.slice(-1_000)
    return newest.some((one) => one.producerId === producerId && one.label === label)
  }

  /** The newest of a producer's batches. */
  lastOf(producerId: number): string {
    const own = this.#batches.filter((batch) => batch.producerId === producerId).slice(-8)
    return own.map(describe).join(', ')
  }

  at(offset: number): CommittedBatch | undefined {
    let low = 0
    let high = this.#batches.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const batch = this.#batches[middle]!
      if (batch.last < offset) low = middle + 1
      else if (batch.base > offset) high = middle - 1
      else return batch
    }
    return undefined
  }

  #extend(who: string, batch: CommittedBatch, count: number): void {
    const { producerId, baseSequence, base, label } = batch
    if (producerId >= 0) {
      const next = this.#nextSequence.get(producerId) ?? 0
      const what = baseSequence < next ? 'twice' : 'before others'
      safe(
        baseSequence === next,
        () =>
          `${who}: partition ${this.number} has sequence ${baseSequence} of producer ${producerId} ${what} at ${base}, where ${next} is next`,
      )
      this.#nextSequence.set(producerId, next + count)
    } else if (label !== '' && label.startsWith('q')) {
      safe(!this.#labels.has(label), () => `${who}: ${label} is there twice, at ${base}`)
      this.#labels.add(label)
    }
    this.#batches.push(batch)
    this.end = batch.last + 1
    for (let offset = base; offset <= batch.last; offset++) {
      const awaited = this.#awaited.get(offset)
      if (awaited === undefined) continue
      this.#awaited.delete(offset)
      this.#expect(offset === base ? batch : undefined, offset, awaited)
    }
  }

  #expect(batch: CommittedBatch | undefined, base: number, label: string): void {
    safe(
      batch?.base === base && batch.label === label,
      () =>
        `${label} was acknowledged at ${base} of partition ${this.number}, where ${describe(batch)} is`,
    )
  }
}

const describe = (batch: CommittedBatch | undefined): string =>
  batch === undefined
    ? 'nothing'
    : `${batch.base}–${batch.last} ${batch.label} of producer ${batch.producerId} ${batch.crc.toString(16)}`
