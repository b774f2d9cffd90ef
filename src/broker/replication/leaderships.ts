import type { BrokerId, CellId, PartitionNumber } from '../../base/ids.ts'
import type { LeaderChange } from '../../link/control.ts'
import type { ControlPort, PeerName } from '../../link/ports.ts'
import { Role } from '../../raft/types.ts'
import type { Replica } from '../replica.ts'
import type { InSync } from './in-sync.ts'
import type { ReplicaGroup } from './replica-group.ts'

export interface LeadershipsOptions {
  readonly cellId: CellId
  readonly brokerId: BrokerId
  /** Who is told of leaders. */
  readonly fronts: readonly PeerName[]
  readonly control: ControlPort
  readonly inSync: InSync
  /** This replica leads no more: of those who wait for it nobody can be told what becomes of what was written. */
  readonly onDeposed: (replica: Replica) => void
  /** More is committed, or stored by others, or fewer keep up. */
  readonly onMoved: (replica: Replica) => void
}

/** Which replicas here lead, and what the fronts are told of that: who leads, who keeps up. On the broker's thread. */
export class Leaderships {
  readonly #options: LeadershipsOptions
  /** Whose leadership the fronts were told of. */
  readonly #led = new Set<Replica>()
  /** Of these, those whose min.insync.replicas are more than a majority. */
  readonly #strict = new Set<Replica>()
  /** Of partitions that nobody can lead: the brokers of the voters that are left, as the fronts were told. */
  readonly #lost = new Map<PartitionNumber, string>()
  /** To be told with this turn. */
  #changes: LeaderChange[] = []

  constructor(options: LeadershipsOptions) {
    this.#options = options
  }

  get led(): ReadonlySet<Replica> {
    return this.#led
  }

  /** From now on the replica leads, and knows what is committed. */
  begin(replica: Replica, group: ReplicaGroup, nowMs: number): void {
    replica.ledTerm = group.raft.term
    this.#led.add(replica)
    this.#options.inSync.begin(group)
    this.#lookAtStrictness(replica, group)
    this.#tell(replica, group, nowMs)
  }

  /** `isQuiet`: it is closed for want of work, and leads again when it is touched. */
  end(replica: Replica, isQuiet: boolean): void {
    const leaderEpoch = replica.ledTerm
    replica.ledTerm = 0
    this.#led.delete(replica)
    this.#strict.delete(replica)
    const { inSync, onDeposed } = this.#options
    if (replica.group !== null) inSync.end(replica.group)
    if (isQuiet) return
    this.#changes.push({ partition: replica.number, leader: 0, leaderEpoch, isr: [] })
    onDeposed(replica)
  }

  /** Nobody can lead that partition, as so few voters are left, on the brokers `left`; null: it is not so. */
  noteLeft({ partition, raft }: ReplicaGroup, left: readonly BrokerId[] | null): void {
    if (left === null) this.#lost.delete(partition)
    else if (this.#lost.get(partition) !== left.join()) {
      this.#lost.set(partition, left.join())
      const leaderEpoch = raft.term
      this.#changes.push({ partition, leader: 0, leaderEpoch, isr: left, isLost: true })
    }
  }

  /** Which brokers can be reached is another. */
  onReachability(nowMs: number): void {
    for (const replica of this.#led) {
      if (replica.group !== null) this.#tellInSync(replica, replica.group, nowMs)
    }
  }

  /** A front that hears of another directory takes back what it was told of the one before, and may have been told of this one already. */
  tellAgain(nowMs: number): void {
    this.#lost.clear()
    for (const replica of this.#led) {
      if (replica.group !== null) this.#tell(replica, replica.group, nowMs)
    }
  }

  /** Now and then, of one that leads: who keeps up, and what its configs ask for. */
  look(replica: Replica, group: ReplicaGroup, nowMs: number): void {
    this.#options.inSync.look(group, nowMs)
    this.#tellInSync(replica, group, nowMs)
    this.#lookAtStrictness(replica, group)
  }

  /** It does not keep up before it has caught up again, if this broker leads. */
  replicaFailed(replica: Replica, broker: BrokerId, nowMs: number): void {
    if (replica.group === null || !this.#led.has(replica)) return
    this.#options.inSync.failed(replica.group, broker, nowMs)
    this.#tellInSync(replica, replica.group, nowMs)
  }

  /** What more than a majority is to hold is answered without a commit that moves. */
  lookAtStrict(): void {
    for (const replica of this.#strict) if (replica.waiting.size > 0) this.#options.onMoved(replica)
  }

  /** The fronts are told what has changed; returns how much. */
  tell(): number {
    if (this.#changes.length === 0) return 0
    const leaders = this.#changes
    this.#changes = []
    const { control, fronts, cellId } = this.#options
    for (const front of fronts) control.post(front, { kind: 'leaders', cellId, leaders })
    return leaders.length
  }

  #tell(replica: Replica, group: ReplicaGroup, nowMs: number): void {
    const { brokerId, inSync } = this.#options
    const isr = inSync.of(group, nowMs)
    replica.toldIsr = isr.join()
    const { number, ledTerm } = replica
    this.#changes.push({ partition: number, leader: brokerId, leaderEpoch: ledTerm, isr })
  }

  #tellInSync(replica: Replica, group: ReplicaGroup, nowMs: number): void {
    const { inSync, onMoved } = this.#options
    const isLeader = group.raft.role === Role.LEADER
    if (!isLeader || inSync.of(group, nowMs).join() === replica.toldIsr) return
    this.#tell(replica, group, nowMs)
    onMoved(replica)
  }

  #lookAtStrictness(replica: Replica, group: ReplicaGroup): void {
    if (this.#options.inSync.isStrict(replica, group)) this.#strict.add(replica)
    else this.#strict.delete(replica)
  }
}
