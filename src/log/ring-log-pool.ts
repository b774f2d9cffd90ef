import type { PartitionNumber } from '../base/ids.ts'
import type { Arena } from '../shared/arena.ts'
import { type RingLogPublication, RingLogWriter } from '../shared/ring-log-writer.ts'

export interface RingLogPoolOptions {
  readonly arena: Arena
  /** How many fronts may read. */
  readonly fronts: number
  /** Size of a partition's first ring; 64 KB unless given. */
  readonly minBytes?: number
  /** Largest ring; 8 MB or an eighth of the arena's budget, whichever is less, unless given. */
  readonly maxBytes?: number
}

/** Who has a ring and can be asked to give it up. */
export interface RingLogHolder {
  /** Monotonic time of the last append. */
  readonly ringUsedAtMs: number
  /** Retires the ring, through {@link RingLogPool.retire}, unless it cannot be spared now. */
  giveUpRing(): void
}

/** A ring unused for this long may be taken for another partition when the arena is full. */
const SPARE_AFTER_MS = 1_000
/** Holders looked at for a spare ring, per request. */
const PRESSURE_LOOKS = 32

/**
 * The ring logs of one broker's partitions, out of its arena's budget. A retired ring counts until no front has a
 * pin in it. On the broker's thread.
 */
export class RingLogPool {
  readonly minBytes: number
  readonly maxBytes: number
  readonly #arena: Arena
  readonly #fronts: number
  readonly #holders = new Set<RingLogHolder>()
  #retired: RingLogWriter[] = []
  #generation = 0

  constructor(options: RingLogPoolOptions) {
    this.#arena = options.arena
    this.#fronts = options.fronts
    this.minBytes = options.minBytes ?? 64 * 1024
    const eighth = 2 ** Math.floor(Math.log2(options.arena.budgetBytes / 8))
    this.maxBytes = Math.max(this.minBytes, options.maxBytes ?? Math.min(8 * 2 ** 20, eighth))
  }

  get usedBytes(): number {
    return this.#arena.usedBytes
  }

  get retiredCount(): number {
    return this.#retired.length
  }

  /** A ring of at least `bytes` for `holder`, or null when there is none to be had now. */
  take(
    holder: RingLogHolder,
    partition: PartitionNumber,
    bytes: number,
    offsets: RingLogPublication,
    nowMs: number,
  ): RingLogWriter | null {
    if (bytes > this.maxBytes) return null
    let region = this.#arena.allocate(bytes)
    if (region === null) {
      this.sweep()
      this.#makeRoom(nowMs, holder)
      region = this.#arena.allocate(bytes)
      if (region === null) return null
    }
    // int32 that wraps, without 0: two billion rings later the blocks have long been formatted anew.
    this.#generation = (this.#generation + 1) | 0 || 1
    return new RingLogWriter(region, {
      logStartOffset: offsets.logStartOffset,
      highWatermark: offsets.highWatermark,
      lastStableOffset: offsets.lastStableOffset,
      logEndOffset: offsets.logEndOffset,
      generation: this.#generation,
      partition,
      fronts: this.#fronts,
    })
  }

  /** `holder` has a ring, and may be asked for it. */
  hold(holder: RingLogHolder): void {
    this.#holders.add(holder)
  }

  /** Ends `ring` for readers; its block comes back once no front has a pin left. */
  retire(holder: RingLogHolder, ring: RingLogWriter): void {
    this.#holders.delete(holder)
    ring.retire()
    if (ring.canFree()) this.#arena.free(ring.region)
    else this.#retired.push(ring)
  }

  /** Frees retired rings that nobody reads any more; returns how many are left. Call it now and then. */
  sweep(): number {
    if (this.#retired.length === 0) return 0
    this.#retired = this.#retired.filter((ring) => {
      if (!ring.canFree()) return true
      this.#arena.free(ring.region)
      return false
    })
    return this.#retired.length
  }

  /** Drops the pins of a front whose thread has exited from the retired rings. Live logs drop theirs themselves. */
  releaseFront(front: number): void {
    for (const ring of this.#retired) ring.releaseFront(front)
    this.sweep()
  }

  #makeRoom(nowMs: number, asking: RingLogHolder): void {
    let looks = Math.min(PRESSURE_LOOKS, this.#holders.size)
    for (const holder of this.#holders) {
      if (looks-- === 0) break
      if (holder !== asking && nowMs - holder.ringUsedAtMs >= SPARE_AFTER_MS) holder.giveUpRing()
      if (!this.#holders.delete(holder)) continue
      this.#holders.add(holder)
    }
  }
}
