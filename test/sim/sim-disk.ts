/** The one disk below all brokers, on which each has its own troubles. */
import type { BrokerId } from '../../src/base/ids.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import type { DiskError, FlushPort } from '../../src/log/disk.ts'
import {
  SimulatedDisk,
  type SimulatedFault,
  type SimulatedOperation,
} from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'

/** Thrown out of a broker's turn where its thread ends. */
export class ThreadDeath extends Error {
  override name = 'ThreadDeath'
}

export const rootOf = (broker: number): string => `/data/broker-${broker}`

interface Troubles {
  /** Its thread ends with so many more changes; Infinity: never. */
  deathAfter: number
  isDying: boolean
  code: 'EIO' | 'ENOSPC' | null
  /** Of the operations that `code` may hit. */
  chance: number
}

export class SimDisk {
  readonly disk: SimulatedDisk
  readonly #random: SeededRandom
  readonly #troubles = new Map<number, Troubles>()

  constructor(nowMs: () => number, random: SeededRandom) {
    this.#random = random
    this.disk = new SimulatedDisk({ nowMs, failedFlushForgets: true })
    this.#listen()
  }

  /** Before the first start: directories that are there for good. */
  make(brokers: number): void {
    const { disk } = this
    for (let id = 1; id <= brokers; id++) disk.mkdirs(rootOf(id))
    for (const path of ['/', '/data']) disk.flush(path)
  }

  dieAfter(broker: BrokerId, operations: number): void {
    this.#of(broker).deathAfter = operations
  }

  isDying(broker: BrokerId): boolean {
    return this.#of(broker).isDying
  }

  /** Whose disk is in trouble; 0 for nobody's. */
  get failing(): number {
    for (const [broker, { code }] of this.#troubles) if (code !== null) return broker
    return 0
  }

  fail(broker: BrokerId, code: 'EIO' | 'ENOSPC', chance: number): void {
    Object.assign(this.#of(broker), { code, chance })
  }

  mend(): void {
    for (const troubles of this.#troubles.values()) troubles.code = null
  }

  /** Its thread has ended, however. */
  ended(broker: BrokerId): void {
    const troubles = this.#of(broker)
    troubles.deathAfter = Number.POSITIVE_INFINITY
    troubles.isDying = false
  }

  /** Its directory is lost while it is down. */
  empty(broker: BrokerId): void {
    this.disk.onOperation = null
    this.disk.removeDirectory(rootOf(broker))
    this.disk.mkdirs(rootOf(broker))
    for (const path of [rootOf(broker), '/data']) this.disk.flush(path)
    this.#listen()
  }

  killAll(powerCut: boolean, seed: number): void {
    if (powerCut) this.disk.powerCut(seed)
    else this.disk.kill()
    for (const broker of this.#troubles.keys()) this.ended(broker as BrokerId)
    this.#listen()
  }

  /** Segment files of a broker's partitions. */
  segments(broker: number): string[] {
    const found: string[] = []
    const walk = (directory: string) => {
      for (const name of this.disk.list(directory)) {
        const path = `${directory}/${name}`
        if (/^\d+\.log$/.test(name)) found.push(path)
        else if (name !== 'metadata') walk(path)
      }
    }
    walk(rootOf(broker))
    return found.filter((path) => this.disk.size(path) > 0)
  }

  #listen(): void {
    this.disk.onOperation = (operation) => this.#strike(operation)
  }

  #strike({ path, operation }: SimulatedOperation): SimulatedFault | null {
    const broker = Number(/^\/data\/broker-(\d+)/.exec(path)?.[1] ?? 0)
    const troubles = this.#troubles.get(broker)
    if (troubles === undefined) return null
    if (troubles.isDying || --troubles.deathAfter < 0) {
      troubles.isDying = true
      throw new ThreadDeath(`${operation} ${path}`)
    }
    const { code, chance } = troubles
    if (code === null) return null
    const grows = operation === 'write' || operation === 'open' || operation === 'mkdir'
    if (code === 'ENOSPC' && !grows) return null
    return this.#random.chance(chance) ? { kind: 'error', code } : null
  }

  #of(broker: number): Troubles {
    let troubles = this.#troubles.get(broker)
    if (troubles === undefined) {
      troubles = {
        ...{ deathAfter: Number.POSITIVE_INFINITY, isDying: false, code: null, chance: 0 },
      }
      this.#troubles.set(broker, troubles)
    }
    return troubles
  }
}

type Done = (error: DiskError | null) => void

/** A broker's flusher; while it is slow, each request waits its time, and they overtake each other. */
export class SimFlusher implements FlushPort {
  readonly #inner: SimulatedFlusher
  readonly #random: SeededRandom
  readonly #nowMs: () => number
  #held: { readonly dueMs: number; readonly path: string; readonly done: Done }[] = []
  slowMs = 0

  constructor(disk: SimulatedDisk, random: SeededRandom, nowMs: () => number) {
    this.#inner = new SimulatedFlusher(disk)
    this.#random = random
    this.#nowMs = nowMs
  }

  get pending(): number {
    return this.#inner.pending + this.#held.length
  }

  request(path: string, done: Done): void {
    if (this.slowMs === 0) this.#inner.request(path, done)
    else {
      const dueMs = this.#nowMs() + this.#random.below(this.slowMs)
      this.#held.push({ dueMs, path, done })
    }
  }

  remove(path: string, done: Done): void {
    this.#inner.remove(path, done)
  }

  forget(): void {
    this.#inner.forget()
    this.#held = []
  }

  doWork(): number {
    const nowMs = this.#nowMs()
    const due = this.#held.filter(({ dueMs }) => dueMs <= nowMs)
    if (due.length > 0) this.#held = this.#held.filter(({ dueMs }) => dueMs > nowMs)
    for (const { path, done } of due) this.#inner.request(path, done)
    return this.#inner.doWork()
  }
}
