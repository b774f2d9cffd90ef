/** Strikes by the classes and rates that a seed has drawn. */
import type { PartitionNumber } from '../../src/base/ids.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import { BATCH_HEADER_BYTES, sizeInBytesOf } from '../../src/record/batch.ts'
import type { Admin } from './clients/admin.ts'
import type { FaultClass, Swarm } from './faults.ts'
import type { SimCluster } from './sim-cluster.ts'
import type { SimNode } from './sim-node.ts'

export interface FaultInjectorOptions {
  readonly cluster: SimCluster
  readonly swarm: Swarm
  readonly random: SeededRandom
  readonly admin: Admin
  readonly note: (event: string) => void
  /** Those that clients use. */
  readonly partitions: () => readonly PartitionNumber[]
  /** Every replica has everything: one may be lost. */
  readonly isSettled: () => boolean
  readonly onEmptied: (broker: number) => void
  readonly highWatermark: (number: PartitionNumber) => number
}

/** Where the last batch of a segment begins. */
function lastBatchOf(bytes: Uint8Array): number {
  let at = 0
  for (let next = 0; next + BATCH_HEADER_BYTES <= bytes.length; next += sizeInBytesOf(bytes, at)) {
    at = next
  }
  return at
}

/** Faults that last end after about so many steps. */
const LASTING_STEPS = 60

export class FaultInjector {
  readonly #options: FaultInjectorOptions
  /** The broker with a flipped bit somewhere; 0 for none. Its directory is given up in the end, as an operator would. */
  rotten = 0
  /** A directory was emptied, and it was not seen since that all have everything. */
  #isRefilling = false
  /** How many faults there were. */
  struck = 0

  constructor(options: FaultInjectorOptions) {
    this.#options = options
  }

  /** Once per step. */
  strike(): void {
    const { swarm, random } = this.#options
    if (random.chance(1 / LASTING_STEPS)) this.#endSome()
    for (const [fault, rate] of swarm.rates) {
      if (!random.chance(rate)) continue
      this.struck++
      this.#strike(fault)
    }
  }

  /** No faults any more; everybody is to come back. */
  heal(): void {
    const { cluster, note } = this.#options
    note('healing')
    if (this.rotten !== 0) this.#empty(cluster.node(this.rotten), 'a disk is replaced')
    this.rotten = 0
    cluster.healCuts()
    cluster.disk.mend()
    Object.assign(cluster.rings, { full: 0, late: 0 })
    for (const node of cluster.nodes) {
      node.isHung = false
      if (node.isUp) {
        node.flusher.slowMs = 0
        cluster.disk.dieAfter(node.id, Number.POSITIVE_INFINITY)
      }
    }
  }

  #endSome(): void {
    const { cluster, random } = this.#options
    if (random.chance(0.5)) for (const node of cluster.nodes) node.isHung = false
    if (random.chance(0.5)) cluster.healCuts()
    if (random.chance(0.5)) cluster.disk.mend()
    if (random.chance(0.5)) Object.assign(cluster.rings, { full: 0, late: 0 })
    if (random.chance(0.5)) for (const { flusher } of cluster.up) flusher.slowMs = 0
  }

  #strike(fault: FaultClass): void {
    const { cluster, random, note } = this.#options
    const node = cluster.nodes[random.below(cluster.nodes.length)]!
    const other = cluster.nodes[node.id % cluster.nodes.length]!
    switch (fault) {
      case 'thread-death':
        cluster.kill(node, 'between turns')
        break
      case 'mid-turn-death':
        cluster.disk.dieAfter(node.id, random.below(12))
        break
      case 'hang':
        if (!node.isUp) break
        note(`broker ${node.id} hangs`)
        node.isHung = true
        break
      case 'cut':
        cluster.cut(node, other)
        break
      case 'full-rings':
        cluster.rings.full = random.chance(0.2) ? 0.9 : 0.2
        break
      case 'late-messages':
        cluster.rings.late = random.chance(0.2) ? 0.95 : 0.5
        break
      case 'process-death':
        cluster.killAll(false)
        break
      case 'power-cut':
        cluster.killAll(true)
        break
      case 'lost-directory':
        this.#lose(node)
        break
      case 'bit-flip':
        this.#flip(node)
        break
      case 'eio':
        this.#failDisk(node, 'EIO')
        break
      case 'enospc':
        this.#failDisk(node, 'ENOSPC')
        break
      case 'slow-flush':
        if (node.isUp) node.flusher.slowMs = 1 + random.below(100)
        break
      case 'clock-jump':
        note('the wall clock jumps')
        cluster.clock.jump(random.below(20_000) - 10_000)
        break
      case 'topic-changes':
        if (random.chance(0.6)) this.#options.admin.createExtra()
        else this.#options.admin.deleteExtra()
        break
      case 'delete-records':
        this.#deleteRecords()
        break
      case 'leadership-moves': {
        const partitions = this.#options.partitions()
        const number = partitions[random.below(partitions.length)]
        if (number !== undefined) this.#options.admin.moveLeadership(number, node.id)
        break
      }
      case 'dehydration':
        break
      default:
        fault satisfies never
    }
  }

  /** One at a time: the majority must have everything. */
  #lose(node: SimNode): void {
    if (this.#mayLose) this.#empty(node, 'its directory is lost')
  }

  get #mayLose(): boolean {
    return this.rotten === 0 && this.#options.isSettled()
  }

  #empty(node: SimNode, why: string): void {
    const { cluster, note } = this.#options
    cluster.kill(node, why)
    note(`the directory of broker ${node.id} is emptied`)
    this.#isRefilling = true
    this.#options.onEmptied(node.id)
    cluster.disk.empty(node.id)
  }

  #flip(node: SimNode): void {
    const { cluster, random, note } = this.#options
    // the others have all that was acknowledged, unless one of them is being filled anew
    if (this.#isRefilling && this.#options.isSettled()) this.#isRefilling = false
    if (this.rotten !== 0 || this.#isRefilling) return
    const { disk } = cluster.disk
    cluster.kill(node, 'a bit of its disk flips')
    const segments = cluster.disk.segments(node.id)
    if (segments.length === 0) return
    const path = segments[random.below(segments.length)]!
    // a recovery takes damage in the last batch for the torn end of a write
    const end = lastBatchOf(disk.readFile(path))
    if (end === 0) return
    const position = random.below(end)
    note(`flip at ${position} of ${path}`)
    this.rotten = node.id
    disk.flipBit(path, position, random.below(8))
  }

  #failDisk(node: SimNode, code: 'EIO' | 'ENOSPC'): void {
    const { cluster, random, note } = this.#options
    if (cluster.disk.failing !== 0) return
    note(`${code} at broker ${node.id}`)
    cluster.disk.fail(node.id, code, random.chance(0.5) ? 1 : 0.2)
  }

  #deleteRecords(): void {
    const { random, partitions, highWatermark, admin } = this.#options
    const all = partitions()
    const number = all[random.below(all.length)]
    if (number === undefined) return
    const offset = random.below(highWatermark(number) + 1)
    if (offset > 0) admin.deleteRecords(number, offset)
  }
}
