/** Replicas of one group with simulated disks, over links that lose, repeat and reorder; checked after every event. */
import { expect } from 'vitest'
import type { SeededRandom } from '../../src/base/random.ts'
import { RaftGroup } from '../../src/raft/raft-group.ts'
import {
  type Configuration,
  type ControlEntry,
  type CopyRange,
  type HardState,
  type Message,
  NO_REPLICA,
  type Position,
  type Ready,
  type ReplicaId,
  Role,
  type TermLine,
} from '../../src/raft/types.ts'

/** What one position holds: entries of the same batch have the same value. */
interface Slot {
  readonly term: number
  readonly value: string
}

/** What survives a crash. */
interface Disk {
  /** null: none was stored. */
  hardState: HardState | null
  start: Position
  slots: Slot[]
  controls: ControlEntry[]
  linesBefore: readonly TermLine[]
  configurationAtStart: Configuration
  commit: Position
}

export class SimulatedReplica {
  readonly id: ReplicaId
  readonly disk: Disk
  group: RaftGroup
  isUp = true
  /** A leader's entries that are not on its disk yet. */
  unstored: Slot[] = []
  copy: CopyRange | null = null
  lastReady: Ready | null = null
  readonly #random: SeededRandom

  constructor(id: ReplicaId, configuration: Configuration, random: SeededRandom, isBegun: boolean) {
    this.id = id
    this.#random = random
    this.disk = {
      // in some lives nobody has every vote of the first term, as in groups that were one replica's alone
      hardState: isBegun ? { term: 0, vote: NO_REPLICA } : null,
      ...{ start: 0, slots: [], controls: [], linesBefore: [], commit: 0 },
      configurationAtStart: configuration,
    }
    this.group = this.#open()
  }

  get storedEnd(): Position {
    return this.disk.start + this.disk.slots.length
  }

  slotAt(position: Position): Slot | undefined {
    const at = position - this.disk.start
    return this.disk.slots[at] ?? this.unstored[at - this.disk.slots.length]
  }

  restart(): void {
    this.unstored = []
    this.copy = null
    this.isUp = true
    const end = this.storedEnd
    this.disk.controls = this.disk.controls.filter(({ at }) => at < end)
    this.group = this.#open()
  }

  #open(): RaftGroup {
    const { disk } = this
    const lines: TermLine[] = [...disk.linesBefore]
    disk.slots.forEach(({ term }, i) => {
      if (lines.at(-1)?.term !== term) lines.push({ term, start: disk.start + i })
    })
    return new RaftGroup({
      id: this.id,
      hardState: disk.hardState,
      log: {
        ...{ start: disk.start, end: this.storedEnd, lines, controls: disk.controls },
        configuration: disk.configurationAtStart,
      },
      commit: disk.commit,
      electionTicks: () => 3 + this.#random.below(5),
    })
  }
}

export class SimulatedCluster {
  readonly replicas = new Map<ReplicaId, SimulatedReplica>()
  readonly inFlight: Message[] = []
  readonly cut = new Set<string>()
  readonly committed: Slot[] = []
  readonly leaders = new Map<number, ReplicaId>()
  readonly random: SeededRandom
  proposals = 0

  constructor(voters: number, random: SeededRandom, spare = 0) {
    this.random = random
    const ids = Array.from({ length: voters }, (_, i) => i + 1)
    const configuration = { voters: ids, learners: [] }
    const isBegun = random.below(2) === 0
    for (const id of ids) {
      this.replicas.set(id, new SimulatedReplica(id, configuration, random, isBegun))
    }
    for (let i = 0; i < spare; i++) {
      const id = voters + i + 1
      this.replicas.set(id, new SimulatedReplica(id, configuration, random, isBegun))
    }
  }

  get all(): SimulatedReplica[] {
    return [...this.replicas.values()]
  }

  get leader(): SimulatedReplica | undefined {
    const leaders = this.all.filter(({ isUp, group }) => isUp && group.role === Role.LEADER)
    return leaders.sort((a, b) => b.group.term - a.group.term)[0]
  }

  /** Does what the replica's Ready says: stores, then sends. */
  settle(replica: SimulatedReplica): void {
    const { disk } = replica
    const ready = replica.group.ready()
    replica.lastReady = ready
    if (ready.hardState !== null) disk.hardState = ready.hardState
    if (ready.truncateTo !== null) this.#truncate(replica, ready.truncateTo)
    if (ready.restore !== null) {
      const { start, lines, configuration } = ready.restore
      Object.assign(disk, { start, slots: [], controls: [], linesBefore: lines, commit: start })
      disk.configurationAtStart = configuration
      replica.unstored = []
    }
    disk.controls.push(...ready.controls)
    if (ready.truncateTo !== null || ready.restore !== null) replica.copy = null
    if (ready.copy !== null) replica.copy = ready.copy
    if (ready.role === Role.LEADER) {
      replica.copy = null
      const ends = replica.storedEnd + replica.unstored.length
      for (const entry of ready.controls) {
        if (entry.at >= ends) replica.unstored.push({ term: entry.term, value: slotValue(entry) })
      }
    } else replica.unstored = []
    this.inFlight.push(...ready.messages)
    disk.commit = this.random.below(4) === 0 ? ready.commit : disk.commit
    this.check(replica)
    if (ready.hardState === null) return
    replica.group.hardStateStored()
    if (replica.group.role !== ready.role) this.settle(replica)
  }

  #truncate(replica: SimulatedReplica, end: Position): void {
    const { disk } = replica
    expect(end).toBeGreaterThanOrEqual(disk.commit)
    replica.unstored = []
    disk.slots.length = Math.min(disk.slots.length, end - disk.start)
    disk.controls = disk.controls.filter(({ at }) => at < end)
  }

  propose(replica: SimulatedReplica, width: number): boolean {
    const start = replica.group.propose(width)
    if (start < 0) return false
    const value = `v${++this.proposals}`
    for (let i = 0; i < width; i++) replica.unstored.push({ term: replica.group.term, value })
    this.settle(replica)
    return true
  }

  /** The leader's disk has everything. */
  store(replica: SimulatedReplica): void {
    if (replica.group.role !== Role.LEADER || replica.unstored.length === 0) return
    replica.disk.slots.push(...replica.unstored)
    replica.unstored = []
    replica.group.stored(replica.storedEnd)
    this.settle(replica)
  }

  /** Copies a batch or more from the leader's log, if that still leads. */
  copySome(replica: SimulatedReplica): void {
    const { copy, disk } = replica
    if (copy === null) return
    const source = this.replicas.get(copy.leader)!
    const leads =
      source.isUp && source.group.role === Role.LEADER && source.group.term === copy.term
    if (!leads || this.isCut(source.id, replica.id)) return
    let at = replica.storedEnd
    // the leader has forgotten it: it will send what replaces it
    if (at < source.disk.start) return
    const batches = 1 + this.random.below(3)
    for (let i = 0; i < batches && at < copy.end; i++) {
      const { value } = source.slotAt(at)!
      while (at < copy.end && source.slotAt(at)!.value === value) {
        disk.slots.push(source.slotAt(at++)!)
      }
    }
    if (at === copy.end) replica.copy = null
    replica.group.stored(at)
    this.settle(replica)
  }

  /** As long as the log's start is committed and on its disk. */
  forget(replica: SimulatedReplica, start: Position): void {
    const { disk } = replica
    const slots = disk.slots.slice(0, start - disk.start)
    if (start <= disk.start || start > disk.commit || start > replica.storedEnd) return
    disk.linesBefore = [{ term: slots.at(-1)!.term, start: start - 1 }]
    const member = disk.controls.findLast((c) => c.kind === 'membership' && c.at < start)
    if (member?.kind === 'membership') disk.configurationAtStart = member.configuration
    disk.controls = disk.controls.filter(({ at }) => at >= start)
    disk.slots.splice(0, start - disk.start)
    disk.start = start
    replica.group.logStart(start)
  }

  deliver(at: number): void {
    const [message] = this.inFlight.splice(at, 1)
    const to = this.replicas.get(message!.to)!
    if (!to.isUp || this.isCut(message!.from, message!.to)) return
    to.group.step(message!)
    this.settle(to)
  }

  tick(replica: SimulatedReplica): void {
    if (!replica.isUp) return
    if (replica.group.needsTicks) replica.group.tick()
    this.settle(replica)
  }

  isCut(a: ReplicaId, b: ReplicaId): boolean {
    return this.cut.has(`${Math.min(a, b)}-${Math.max(a, b)}`)
  }

  /** Both sides notice, and what is on its way is lost. */
  setLink(a: ReplicaId, b: ReplicaId, isUp: boolean): void {
    const key = `${Math.min(a, b)}-${Math.max(a, b)}`
    if (isUp) this.cut.delete(key)
    else this.cut.add(key)
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const replica = this.replicas.get(from)!
      if (!replica.isUp) continue
      replica.group.setReachable(to, isUp)
      this.settle(replica)
    }
    if (isUp) return
    const between = (m: Message) => (m.from === a && m.to === b) || (m.from === b && m.to === a)
    this.inFlight.splice(0, this.inFlight.length, ...this.inFlight.filter((m) => !between(m)))
  }

  crash(replica: SimulatedReplica): void {
    replica.isUp = false
    replica.unstored = []
    replica.copy = null
    for (const other of this.all) {
      if (other === replica || !other.isUp) continue
      const { leader } = other.group
      other.group.setReachable(replica.id, false)
      // as a host that knows for certain has one do, or, with bad luck, all
      if (leader === replica.id && this.random.below(2) === 0) other.group.campaign(true)
      this.settle(other)
    }
  }

  restart(replica: SimulatedReplica): void {
    replica.restart()
    for (const other of this.all) {
      if (other === replica) continue
      const isReachable = other.isUp && !this.isCut(other.id, replica.id)
      replica.group.setReachable(other.id, isReachable)
      if (!other.isUp) continue
      other.group.setReachable(replica.id, isReachable)
      this.settle(other)
    }
    this.settle(replica)
  }

  /** Election safety, state machine safety, and that an elected leader has all that is committed. */
  check(replica: SimulatedReplica): void {
    const { group, disk } = replica
    if (group.role === Role.LEADER) {
      const known = this.leaders.get(group.term)
      expect(known ?? replica.id, `leaders of term ${group.term}`).toBe(replica.id)
      if (known === undefined) {
        this.leaders.set(group.term, replica.id)
        for (let at = disk.start; at < this.committed.length; at++) {
          // who begins the first term late may find later ones begun: it is deposed as soon as it asks for anything
          if (this.committed[at]!.term > group.term) break
          expect(replica.slotAt(at), `leader of term ${group.term} at ${at}`).toEqual(
            this.committed[at],
          )
        }
      }
    }
    const from = Math.max(disk.start, this.committed.length)
    expect(group.commit).toBeLessThanOrEqual(replica.storedEnd)
    for (let at = from; at < group.commit; at++) this.committed.push(disk.slots[at - disk.start]!)
    const last = group.commit - 1
    if (last >= disk.start) {
      expect(disk.slots[last - disk.start], `replica ${replica.id}`).toEqual(this.committed[last])
    }
  }

  /** All that is committed is the same everywhere. */
  checkAll(): void {
    for (const { id, group, disk, isUp } of this.all) {
      if (!isUp) continue
      for (let at = disk.start; at < group.commit; at++) {
        expect(disk.slots[at - disk.start], `replica ${id} at ${at}`).toEqual(this.committed[at])
      }
    }
  }
}

const slotValue = (entry: ControlEntry): string => `${entry.kind}@${entry.at}/${entry.term}`
