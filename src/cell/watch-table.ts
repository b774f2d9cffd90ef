import { invariant } from '../base/assert.ts'
import type { PartitionNumber } from '../base/ids.ts'

/** Somebody who waits for records of one partition; in at most one table at a time. */
export abstract class Waiter {
  /** Of {@link WatchTable}. */
  watch: PartitionWatch | null = null
  /** Of {@link WatchTable}: where it waits, or waited last. */
  table: WatchTable | null = null
  offset = 0
  previous: Waiter | null = null
  next: Waiter | null = null

  /** The high watermark is beyond `offset` now, or `error` says why nobody may wait any more. Not in the table any more. */
  abstract onWoken(error: number): void

  /** Waits no more, wherever it does. */
  leave(): void {
    this.table?.remove(this)
  }
}

/** Those who wait for one partition, and what the broker has been asked on their behalf. */
export class PartitionWatch {
  readonly partition: PartitionNumber
  first: Waiter | null = null
  /** Offset of the WATCH that the broker has, −1 for none. */
  outstanding = -1
  queued = false

  constructor(partition: PartitionNumber) {
    this.partition = partition
  }
}

/** What a watch table needs of its broker's command ring: false when there is no room now. */
export type SendWatch = (partition: PartitionNumber, offset: number) => boolean

/**
 * Parked readers of one broker's partitions: at most one WATCH per partition is out, however many wait, and one WOKEN
 * touches only those who wait for its partition. Waiters give as offset a high watermark that they have seen. Belongs
 * to the front's thread.
 */
export class WatchTable {
  /** Waiters looked at because of WOKENs, for tests: never more than wait for the woken partition. */
  visits = 0
  readonly #send: SendWatch | null
  readonly #watches = new Map<PartitionNumber, PartitionWatch>()
  /** Watches that have no room in the ring yet. */
  readonly #queue: PartitionWatch[] = []
  /** Waiters whose wake-up was due when they came. */
  #due: Waiter[] = []
  #outstanding = 0

  /** `send` is null where there is nobody to ask: they wait until they are told. */
  constructor(send: SendWatch | null) {
    this.#send = send
  }

  /** WATCH commands that the broker has not answered. */
  get outstanding(): number {
    return this.#outstanding
  }

  /** Offset of the WATCH that is out for `partition`, −1 for none. */
  outstandingAt(partition: PartitionNumber): number {
    return this.#watches.get(partition)?.outstanding ?? -1
  }

  /** Partitions that somebody waits for, or that the broker has been asked about. */
  get size(): number {
    return this.#watches.size
  }

  get hasWork(): boolean {
    return this.#due.length > 0 || this.#queue.length > 0
  }

  /** Somebody is to be woken by the next {@link doWork}. */
  get hasDue(): boolean {
    return this.#due.length > 0
  }

  add(partition: PartitionNumber, offset: number, waiter: Waiter): void {
    invariant(waiter.watch === null, 'a waiter waits for one partition')
    let watch = this.#watches.get(partition)
    if (watch === undefined) {
      watch = new PartitionWatch(partition)
      this.#watches.set(partition, watch)
    }
    waiter.offset = offset
    waiter.table = this
    this.#link(watch, waiter)
    // The high watermark has passed `offset` already: somebody saw it where the broker was asked to look.
    if (watch.outstanding > offset) this.#due.push(waiter)
    else if (watch.outstanding < 0) this.#enqueue(watch)
  }

  remove(waiter: Waiter): void {
    const watch = waiter.watch
    if (watch === null) return
    this.#unlink(watch, waiter)
    this.#dropIfUnused(watch)
  }

  /** The broker has answered a WATCH. */
  onWoken(partition: PartitionNumber, error: number, highWatermark: number): void {
    const watch = this.#watches.get(partition)
    invariant(watch !== undefined && watch.outstanding >= 0, 'a WOKEN that no WATCH asked for')
    watch.outstanding = -1
    this.#outstanding--
    let waiter = watch.first
    while (waiter !== null) {
      this.visits++
      const next: Waiter | null = waiter.next
      if (error !== 0 || waiter.offset < highWatermark) {
        this.#unlink(watch, waiter)
        waiter.onWoken(error)
      }
      waiter = next
    }
    if (watch.first !== null) this.#enqueue(watch)
    else this.#dropIfUnused(watch)
  }

  /** Whoever waits for the partition is told `error`. */
  dismiss(partition: PartitionNumber, error: number): void {
    const watch = this.#watches.get(partition)
    if (watch === undefined) return
    // those who come meanwhile wait
    let waiter = watch.first
    while (waiter !== null) {
      const next: Waiter | null = waiter.next
      this.#unlink(watch, waiter)
      waiter.onWoken(error)
      waiter = next
    }
    this.#dropIfUnused(watch)
  }

  /** Whoever waits for anything is told `error`. */
  dismissAll(error: number): void {
    for (const partition of [...this.#watches.keys()]) this.dismiss(partition, error)
  }

  /** Wakes who is due and sends what there is room for; returns how much was done. */
  doWork(): number {
    let work = 0
    if (this.#due.length > 0) {
      const due = this.#due
      this.#due = []
      for (const waiter of due) {
        if (waiter.watch === null || waiter.watch.outstanding <= waiter.offset) continue
        this.remove(waiter)
        waiter.onWoken(0)
        work++
      }
    }
    return work + this.sendQueued()
  }

  /** The broker is gone: everybody is told `error`, and nothing is outstanding any more. */
  failAll(error: number): void {
    const watches = [...this.#watches.values()]
    this.#watches.clear()
    this.#queue.length = 0
    this.#due = []
    this.#outstanding = 0
    for (const watch of watches) {
      watch.outstanding = -1
      watch.queued = false
      for (let waiter = watch.first; waiter !== null; waiter = watch.first) {
        this.#unlink(watch, waiter)
        waiter.onWoken(error)
      }
    }
  }

  #enqueue(watch: PartitionWatch): void {
    if (watch.queued || this.#send === null) return
    watch.queued = true
    this.#queue.push(watch)
  }

  /** Sends WATCHes that wait, as far as there is room; returns how many. */
  sendQueued(): number {
    const queue = this.#queue
    let sent = 0
    let at = 0
    for (; at < queue.length; at++) {
      const watch = queue[at]!
      if (watch.first !== null && watch.outstanding < 0) {
        const offset = lowestOffset(watch)
        if (this.#send === null || !this.#send(watch.partition, offset)) break
        watch.outstanding = offset
        this.#outstanding++
        sent++
      }
      watch.queued = false
      this.#dropIfUnused(watch)
    }
    if (at > 0) queue.splice(0, at)
    return sent
  }

  #dropIfUnused(watch: PartitionWatch): void {
    if (watch.first !== null || watch.outstanding >= 0 || watch.queued) return
    this.#watches.delete(watch.partition)
  }

  #link(watch: PartitionWatch, waiter: Waiter): void {
    waiter.watch = watch
    waiter.previous = null
    waiter.next = watch.first
    if (watch.first !== null) watch.first.previous = waiter
    watch.first = waiter
  }

  #unlink(watch: PartitionWatch, waiter: Waiter): void {
    const { previous, next } = waiter
    if (previous === null) watch.first = next
    else previous.next = next
    if (next !== null) next.previous = previous
    waiter.watch = null
    waiter.previous = waiter.next = null
  }
}

function lowestOffset(watch: PartitionWatch): number {
  let lowest = Number.POSITIVE_INFINITY
  for (let waiter = watch.first; waiter !== null; waiter = waiter.next) {
    if (waiter.offset < lowest) lowest = waiter.offset
  }
  return lowest
}
