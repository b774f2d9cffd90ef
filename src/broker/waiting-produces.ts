/** A produce that is staged or written, and not answered yet. */
export interface WaitingProduce {
  front: number
  correlation: number
  /** acks=all: it waits for min.insync.replicas, too. */
  isAll: boolean
  lastOffset: number
  baseOffset: number
  logAppendTimeMs: number
  logStartOffset: number
  /** Of its batch. */
  byteLength: number
}

export const newWaitingProduce = (): WaitingProduce => ({
  front: 0,
  correlation: 0,
  isAll: true,
  lastOffset: -1,
  baseOffset: -1,
  logAppendTimeMs: -1,
  logStartOffset: -1,
  byteLength: 0,
})

const FIELDS = 8
const INITIAL = 8
const empty = new Float64Array(0)

/**
 * One partition's unanswered produces in the order of their staging: a ring of numbers, so that a produce allocates nothing.
 * The newest `unwritten` of them belong to the write that is still to come.
 */
export class WaitingProduces {
  #values = empty
  #capacity = 0
  #head = 0
  #size = 0
  #unwritten = 0

  get size(): number {
    return this.#size
  }

  get unwritten(): number {
    return this.#unwritten
  }

  /** Last offset of the oldest; only with a size above 0. */
  get firstLastOffset(): number {
    return this.#values[(this.#head & (this.#capacity - 1)) * FIELDS + 2]!
  }

  /** Whether the oldest is of acks=all; only with a size above 0. */
  get isFirstAll(): boolean {
    return this.#values[(this.#head & (this.#capacity - 1)) * FIELDS + 6] === 1
  }

  push(produce: Readonly<WaitingProduce>): void {
    if (this.#size === this.#capacity) this.#grow()
    this.#put(this.#size++, produce)
    this.#unwritten++
  }

  /** Takes the oldest; it must have been written. */
  shift(into: WaitingProduce): void {
    this.#get(0, into)
    this.#head = (this.#head + 1) & (this.#capacity - 1)
    this.#size--
  }

  markWritten(): void {
    this.#unwritten = 0
  }

  /** The write failed: takes out every unwritten produce that `isLost` names, and counts the others as written. */
  dropUnwritten(scratch: WaitingProduce, isLost: (produce: WaitingProduce) => boolean): void {
    this.#drop(this.#size - this.#unwritten, scratch, isLost)
  }

  /** All are written: takes out those that `isLost` names. */
  drop(scratch: WaitingProduce, isLost: (produce: WaitingProduce) => boolean): void {
    this.#drop(0, scratch, isLost)
  }

  #drop(from: number, scratch: WaitingProduce, isLost: (produce: WaitingProduce) => boolean): void {
    let kept = from
    for (let i = from; i < this.#size; i++) {
      this.#get(i, scratch)
      if (!isLost(scratch)) this.#put(kept++, scratch)
    }
    this.#size = kept
    this.#unwritten = 0
  }

  /** Lets go of the memory; only when empty. */
  release(): void {
    if (this.#size > 0) return
    this.#values = empty
    this.#capacity = 0
    this.#head = 0
  }

  #put(index: number, produce: Readonly<WaitingProduce>): void {
    const at = ((this.#head + index) & (this.#capacity - 1)) * FIELDS
    const values = this.#values
    values[at] = produce.front
    values[at + 1] = produce.correlation
    values[at + 2] = produce.lastOffset
    values[at + 3] = produce.baseOffset
    values[at + 4] = produce.logAppendTimeMs
    values[at + 5] = produce.logStartOffset
    values[at + 6] = produce.isAll ? 1 : 0
    values[at + 7] = produce.byteLength
  }

  #get(index: number, into: WaitingProduce): void {
    const at = ((this.#head + index) & (this.#capacity - 1)) * FIELDS
    const values = this.#values
    into.front = values[at]!
    into.correlation = values[at + 1]!
    into.lastOffset = values[at + 2]!
    into.baseOffset = values[at + 3]!
    into.logAppendTimeMs = values[at + 4]!
    into.logStartOffset = values[at + 5]!
    into.isAll = values[at + 6] === 1
    into.byteLength = values[at + 7]!
  }

  #grow(): void {
    const capacity = this.#capacity === 0 ? INITIAL : this.#capacity * 2
    const values = new Float64Array(capacity * FIELDS)
    const fromHead = this.#values.subarray(this.#head * FIELDS)
    values.set(fromHead)
    values.set(this.#values.subarray(0, this.#head * FIELDS), fromHead.length)
    this.#values = values
    this.#capacity = capacity
    this.#head = 0
  }
}
