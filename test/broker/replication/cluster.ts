/** Brokers with nothing but Raft hosts, over one simulated disk, real rings and simulated time; checked as they go. */
import { expect } from 'vitest'
import { InvariantError } from '../../../src/base/assert.ts'
import { ManualClock } from '../../../src/base/clock.ts'
import { asBrokerId, type BrokerId } from '../../../src/base/ids.ts'
import { silentLogger } from '../../../src/base/log.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { replicaIdOf } from '../../../src/base/replica-id.ts'
import { BrokerLink } from '../../../src/broker/broker-link.ts'
import { nextConfiguration } from '../../../src/broker/replication/next-configuration.ts'
import { RaftHost, type RaftHostOptions } from '../../../src/broker/replication/raft-host.ts'
import { LogFailedError, type ReplicaFiles } from '../../../src/broker/replication/replica-files.ts'
import type { ReplicaGroup } from '../../../src/broker/replication/replica-group.ts'
import { ControlEntries } from '../../../src/log/control-entries.ts'
import { DiskError } from '../../../src/log/disk.ts'
import { HardStates } from '../../../src/log/hard-states.ts'
import { DEFAULT_LOG_CONFIG, type LogConfig } from '../../../src/log/log-config.ts'
import { OpenFiles } from '../../../src/log/open-files.ts'
import { newAppendOutcome } from '../../../src/log/outcomes.ts'
import { PartitionLog } from '../../../src/log/partition-log.ts'
import { RecoveryPoints } from '../../../src/log/recovery-points.ts'
import { SimulatedDisk } from '../../../src/log/simulated-disk.ts'
import { type ReplicaId, Role } from '../../../src/raft/types.ts'
import { buildBatch } from '../../../src/record/builder.ts'
import { newRegion } from '../../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../../src/shared/ring-layout.ts'
import { RingReader } from '../../../src/shared/ring-reader.ts'
import { RingWriter } from '../../../src/shared/ring-writer.ts'
import { SlowFlusher } from '../../log/slow-flusher.ts'
import { batchesOf, type Kept, tailOf } from './kept-batches.ts'
import { describeNode, fullNowAndThen, Node, PARTITION } from './node.ts'

export interface ClusterOptions {
  /** Brokers that have no replica at first. */
  readonly spare?: number
  /** Flushes end in a later turn. */
  readonly slowFlushes?: boolean
  /** Chance of a message to find no room. */
  readonly drops?: number
  readonly config?: Partial<LogConfig>
  readonly seed?: number
  readonly ringBytes?: number
  /** What a broker's host asks besides. */
  readonly hooks?: (node: Node) => Pick<RaftHostOptions, 'mayBeginAt' | 'beforeRestart'>
}

export class Cluster {
  readonly clock = new ManualClock(1_700_000_000_000)
  readonly disk = new SimulatedDisk({ nowMs: () => this.clock.wallMs(), failedFlushForgets: true })
  readonly random: SeededRandom
  readonly nodes: Node[]
  readonly config: LogConfig
  /** Voters that there are to be, see {@link moveOn}. */
  wanted: readonly ReplicaId[]
  readonly #firstVoters: readonly ReplicaId[]
  readonly #slowFlushes: boolean
  readonly #drops: number
  /** Also one that ends yet, over a flush that has failed before. */
  #startsEnded = false
  /** What was acknowledged: committed where it was appended. */
  readonly acknowledged = new Map<number, string>()
  /** By base offset: what any replica has seen committed. */
  readonly committed = new Map<number, Kept>()
  readonly leaders = new Map<number, BrokerId>()
  /** Replicas that may not go on, see {@link Node.isForgetful}. */
  forgetful = 0
  readonly cuts = new Set<string>()
  /** Roots of brokers whose disks fail now and then. */
  readonly broken = new Set<string>()
  #waiting: { node: Node; last: number; base: number; value: string }[] = []
  #values = 0
  readonly #ringBytes: number
  readonly #hooks: ClusterOptions['hooks']

  constructor(count: number, options: ClusterOptions = {}) {
    this.random = new SeededRandom(options.seed ?? 1)
    this.#ringBytes = options.ringBytes ?? 16 * 1024
    this.#hooks = options.hooks
    this.config = {
      ...DEFAULT_LOG_CONFIG,
      segmentBytes: 2_000,
      indexIntervalBytes: 200,
      retentionMs: -1,
      retentionBytes: -1,
      ...options.config,
    }
    this.#slowFlushes = options.slowFlushes ?? false
    this.#drops = options.drops ?? 0
    this.wanted = Array.from({ length: count }, (_, i) => replicaIdOf(asBrokerId(i + 1)))
    this.#firstVoters = this.wanted
    const all = count + (options.spare ?? 0)
    this.nodes = Array.from({ length: all }, (_, i) => new Node(i + 1))
    for (const node of this.nodes) this.start(node)
  }

  get up(): Node[] {
    return this.nodes.filter(({ isUp }) => isUp)
  }

  get leader(): Node | undefined {
    const leaders = this.up.filter(({ leads }) => leads)
    return leaders.sort((a, b) => b.group!.raft.term - a.group!.raft.term)[0]
  }

  node(id: number): Node {
    return this.nodes[id - 1]!
  }

  start(node: Node): void {
    const { onOperation } = this.disk
    this.disk.onOperation = null
    this.#start(node)
    this.disk.onOperation = onOperation
  }

  #start(node: Node): void {
    const { disk, clock } = this
    disk.mkdirs(node.root)
    // as a broker sees to at each start
    for (const path of ['/', '/data']) disk.flush(path)
    node.holding = new SlowFlusher(disk)
    const common = { disk, flush: node.holding, logger: silentLogger }
    node.environment = {
      ...common,
      files: new OpenFiles(disk, 16),
      rings: null,
      clock,
      random: new SeededRandom(this.random.uint32()),
      space: null,
      recoveryPoints: RecoveryPoints.open({ ...common, root: node.root }),
      noteEveryBytes: 500,
      flushEveryBytes: 3_000,
    }
    node.hardStates = HardStates.open({ ...common, directory: node.root })
    node.isUp = true
    node.isPaused = node.isForgetful = false
    const links = this.nodes
      .filter((other) => other !== node)
      .map((other) => this.#link(node, other))
    node.host = new RaftHost({
      ...this.#hooks?.(node),
      brokerId: node.id,
      links,
      hardStates: () => node.hardStates,
      clock,
      random: node.environment.random,
      logger: silentLogger,
      openFiles: (partition) => (partition === PARTITION ? this.#open(node) : null),
      directoryOf: (_partition, broker) => `/data/broker-${broker}/p`,
      takeBuffer: () => null,
      onOpened: () => {},
      onLeadership: (group) => this.#onLeadership(node, group),
      onCommit: () => {
        this.#onCommit(node)
        this.checkCommitted(node)
      },
      onBroken: () => this.crash(node),
      onUnopened: (_partition, reason) => {
        node.failures++
        node.log?.abandon()
        node.log = null
        if (reason instanceof InvariantError) throw reason
      },
      onFailed: (_group, reason) => {
        node.failures++
        node.log?.abandon()
        node.log = null
        node.isForgetful ||= /was whole to/.test(String(reason))
        const isDisk = reason instanceof Error && /^(DiskError|LogFailedError)$/.test(reason.name)
        if (!isDisk) throw reason
      },
    })
    for (const other of this.nodes) {
      if (other === node) continue
      const isReachable = other.isUp && !this.isCut(node, other)
      node.host.setReachable(other.id, isReachable)
      if (other.isUp) other.host.setReachable(node.id, isReachable)
    }
    node.host.open(PARTITION)
  }

  /** Its thread dies: nothing is closed, and what the system has of its files stays. */
  crash(node: Node): void {
    node.isUp = false
    node.log = null
    node.flusher.forget()
    this.#waiting = this.#waiting.filter((one) => one.node !== node)
    // told by the server, or found out by its beats
    const isDead = this.random.chance(0.5)
    for (const other of this.up) other.host.setReachable(node.id, false, isDead)
  }

  /** The process dies with all brokers, or the power goes. */
  killAll(powerCut: boolean): void {
    for (const node of this.nodes) {
      node.isUp = false
      node.log = null
      node.flusher.forget()
    }
    this.#waiting = []
    this.disk.onOperation = null
    if (powerCut) this.disk.powerCut(this.random.uint32())
    else this.disk.kill()
    this.broken.clear()
    for (const node of this.nodes) this.start(node)
  }

  /** From now on every tenth change to its files fails, or each. */
  breakDisk(node: Node, chance = 0.1): void {
    this.broken.add(node.root)
    const codes = ['EIO', 'ENOSPC']
    this.disk.onOperation = ({ path }) => {
      const isBroken = [...this.broken].some((root) => path.startsWith(`${root}/`))
      if (!isBroken || !this.random.chance(chance)) return null
      return { kind: 'error', code: codes[this.random.below(2)]! }
    }
  }

  mendDisks(): void {
    this.broken.clear()
    this.disk.onOperation = null
  }

  cut(a: Node, b: Node): void {
    this.cuts.add(keyOf(a, b))
    if (a.isUp) a.host.setReachable(b.id, false)
    if (b.isUp) b.host.setReachable(a.id, false)
  }

  heal(a: Node, b: Node): void {
    this.cuts.delete(keyOf(a, b))
    if (!a.isUp || !b.isUp) return
    a.host.setReachable(b.id, true)
    b.host.setReachable(a.id, true)
  }

  isCut(a: Node, b: Node): boolean {
    return this.cuts.has(keyOf(a, b))
  }

  turn(node: Node): number {
    if (!node.isUp || node.isPaused) return 0
    const isSlow = this.#slowFlushes && this.random.chance(0.8)
    const flushed = isSlow ? 0 : node.flusher.doWork()
    // what it was told has ended it
    if (!node.isUp) return flushed
    const group = node.host.get(PARTITION)
    if (flushed > 0 && group !== undefined) group.flushed()
    return flushed + node.host.doWork(this.clock.monotonicMs())
  }

  /** Its directory is lost, and with it what it knew: it comes back as another replica, for which a place is wanted. */
  lose(node: Node): void {
    if (node.isUp) this.crash(node)
    const { onOperation } = this.disk
    this.disk.onOperation = null
    this.disk.removeDirectory(node.root)
    this.disk.onOperation = onOperation
    const before = node.replica
    node.life++
    this.wanted = this.wanted.map((replica) => (replica === before ? node.replica : replica))
    this.start(node)
  }

  /** The leader takes a step towards the wanted voters; whether it did. */
  moveOn(): boolean {
    const group = this.leader?.group ?? null
    if (group === null || !group.takesAppends) return false
    const { raft } = group
    const isAlive = (replica: ReplicaId) =>
      this.nodes.some((node) => node.isUp && node.replica === replica)
    const next = nextConfiguration(raft.configuration, this.wanted, {
      isLost: (replica) => !isAlive(replica),
      hasCaughtUp: (replica) => (raft.progressOf(replica)?.match ?? 0) >= raft.commit,
    })
    if (next === null || raft.proposeMembership(next) !== null) return false
    this.leader!.host.touch(group)
    return true
  }

  /** Those who vote are those who are wanted, and all have what is committed. */
  get isComplete(): boolean {
    const raft = this.leader?.group?.raft
    if (raft === undefined || this.leader?.group?.knowsCommit !== true) return false
    const { voters, learners } = raft.configuration
    if (learners.length > 0 || voters.length !== this.wanted.length) return false
    const isThere = (voter: ReplicaId) =>
      voter === raft.id || (raft.progressOf(voter)?.match ?? 0) >= raft.commit
    return voters.every((voter) => this.wanted.includes(voter) && isThere(voter))
  }

  /** Until those who vote are those who are wanted. */
  moveAll(turnsMax = 3_000): void {
    for (let i = 0; i < turnsMax; i++) {
      this.run(1)
      this.moveOn()
      if (this.isComplete) return
    }
    const wanted = JSON.stringify(this.wanted)
    throw new Error(`wanted ${wanted}, but after ${turnsMax} turns: ${this.describe()}`)
  }

  /** For who reads of a failure. */
  describe(): string {
    return this.nodes.map(describeNode).join('\n')
  }

  /** Everybody turns, in an order of chance, and time passes. */
  run(turns: number, stepMs = 2): void {
    for (let i = 0; i < turns; i++) {
      const first = this.random.below(this.nodes.length)
      for (let k = 0; k < this.nodes.length; k++) {
        this.turn(this.nodes[(first + k) % this.nodes.length]!)
      }
      this.clock.advance(stepMs)
      if (!this.#startsEnded) continue
      for (const node of this.nodes) if (!node.isUp) this.start(node)
    }
  }

  /** Until somebody leads and knows what is committed: after a power cut, all are waited for a second. */
  elect(turnsMax = 1_000): Node {
    for (let i = 0; i < turnsMax; i++) {
      this.run(1)
      const { leader } = this
      if (leader?.group?.knowsCommit === true && leader.group.takesAppends) return leader
    }
    throw new Error(`nobody leads after ${turnsMax} turns: ${this.describe()}`)
  }

  /** Appends as a produce would; false where this broker takes none. */
  append(node: Node, records = 1, given?: readonly Uint8Array[]): boolean {
    const group = node.group
    if (group === null || node.isPaused) return false
    try {
      if (!group.aboutToAppend()) return false
    } catch (error) {
      if (!(error instanceof DiskError) && !(error instanceof LogFailedError)) throw error
      node.host.onFailed(group, error)
      return false
    }
    const value = `v${++this.#values}`
    const timestampMs = this.clock.wallMs()
    const batch = buildBatch(
      Array.from({ length: given?.length ?? records }, (_, i) => ({
        ...{ timestampMs, key: null },
        value: given?.[i] ?? new TextEncoder().encode(`${value}.${i}`.padEnd(40, '.')),
      })),
    )
    const out = newAppendOutcome()
    group.log.stage(batch, timestampMs, group.raft.term, out)
    if (out.error !== 0 || group.log.write() !== null) return false
    group.appended()
    node.host.touch(group)
    this.#waiting.push({
      node,
      base: out.baseOffset,
      last: out.lastOffset,
      value: tailOf(batch, 0, batch.length),
    })
    return true
  }

  /** All are up, reach each other, and have the same; all that was acknowledged is there. */
  settle(turns = 400): void {
    this.mendDisks()
    for (const a of this.nodes) {
      a.isPaused = false
      for (const b of this.nodes) if (a !== b) this.heal(a, b)
    }
    this.#startsEnded = true
    this.run(20)
    const forgetful = this.nodes.filter(({ isForgetful }) => isForgetful)
    this.forgetful += forgetful.length
    // with a majority that may have forgotten nothing can be done, and nothing is
    if (forgetful.length * 2 >= this.#firstVoters.length) return
    for (const node of forgetful) this.lose(node)
    this.elect()
    this.moveAll()
    this.append(this.elect())
    this.run(turns)
    const whole = this.nodes.filter(({ replica }) => this.wanted.includes(replica))
    const ends = whole.map(({ group }) => [group!.log.logEndOffset, group!.log.highWatermark])
    expect(new Set(ends.flat()).size, `ends and watermarks ${JSON.stringify(ends)}`).toBe(1)
    for (const node of whole) this.checkCommitted(node)
    const all = batchesOf(this.leader!.group!.log)
    const start = this.leader!.group!.log.logStartOffset
    for (const [base, value] of this.acknowledged) {
      if (base >= start) expect(all.find((one) => one.base === base)?.tail).toBe(value)
    }
  }

  /** What is committed never changes, wherever it is looked at. */
  checkCommitted(node: Node): void {
    const group = node.host.get(PARTITION)
    if (!node.isUp || group === undefined) return
    let next = -1
    for (const kept of batchesOf(group.log, group.log.highWatermark)) {
      if (next >= 0) expect(kept.base, `offsets of broker ${node.id} have no gap`).toBe(next)
      next = kept.last + 1
      const known = this.committed.get(kept.base)
      if (known === undefined) this.committed.set(kept.base, kept)
      else expect(kept, `broker ${node.id}`).toEqual(known)
    }
  }

  #onLeadership(node: Node, { raft }: ReplicaGroup): void {
    if (raft.role !== Role.LEADER) {
      this.#waiting = this.#waiting.filter((one) => one.node !== node)
      return
    }
    const known = this.leaders.get(raft.term) ?? node.id
    expect(known, `leaders of term ${raft.term}`).toBe(node.id)
    this.leaders.set(raft.term, node.id)
  }

  #onCommit(node: Node): void {
    const { highWatermark } = node.log!
    this.#waiting = this.#waiting.filter((one) => {
      if (one.node !== node || one.last >= highWatermark) return true
      this.acknowledged.set(one.base, one.value)
      return false
    })
  }

  #open(node: Node): ReplicaFiles | null {
    try {
      return this.#openFiles(node)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      // its flushes may be under way, and are not to be taken for those of the log that is opened next
      node.log?.abandon()
      node.log = null
      return null
    }
  }

  #openFiles(node: Node): ReplicaFiles {
    const log = PartitionLog.open({
      environment: node.environment,
      directory: `${node.root}/p`,
      partition: PARTITION,
      config: this.config,
      isReplicated: true,
    })
    node.log = log
    const opened = ControlEntries.open(log)
    if (opened.kind === 'open') return { log, controls: opened.controls, isFresh: false }
    if (opened.kind === 'damaged') {
      node.isForgetful = true
      throw new DiskError('EIO', log.directory, 'open')
    }
    // the controller would know: one that was not there from the beginning learns from the leader who votes
    const isFirst = this.#firstVoters.includes(node.replica)
    const controls = ControlEntries.create(log, {
      ...{ replicaId: node.replica, startOffset: 0, controlsBefore: 0, lines: [] },
      configuration: { voters: isFirst ? this.#firstVoters : [], learners: [] },
    })
    return { log, controls, isFresh: false }
  }

  /** Fresh rings between two brokers, for both; returns the end of `node`. */
  #link(node: Node, other: Node): BrokerLink {
    const to = formatRing(newRegion(ringBytes(this.#ringBytes)))
    const from = formatRing(newRegion(ringBytes(this.#ringBytes)))
    const end = (broker: BrokerId, writes: typeof to, reads: typeof to) =>
      new BrokerLink({
        broker,
        to: fullNowAndThen(new RingWriter(writes), () => this.random.chance(this.#drops)),
        from: new RingReader(reads),
        bell: { ring: () => {} },
        sendBuffer: () => {
          throw new Error('too large for the ring')
        },
      })
    if (other.isUp) other.host.replaceLink(end(node.id, from, to))
    return end(other.id, to, from)
  }
}

const keyOf = (a: Node, b: Node): string => `${Math.min(a.id, b.id)}-${Math.max(a.id, b.id)}`
