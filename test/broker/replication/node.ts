/** One broker of the cluster. */
import { asBrokerId, asPartitionNumber, type BrokerId } from '../../../src/base/ids.ts'
import { replicaIdOf } from '../../../src/base/replica-id.ts'
import type { RaftHost } from '../../../src/broker/replication/raft-host.ts'
import type { ReplicaGroup } from '../../../src/broker/replication/replica-group.ts'
import type { LogEnvironment } from '../../../src/log/environment.ts'
import type { HardStates } from '../../../src/log/hard-states.ts'
import type { PartitionLog } from '../../../src/log/partition-log.ts'
import type { SimulatedFlusher } from '../../../src/log/simulated-flusher.ts'
import { type ReplicaId, Role } from '../../../src/raft/types.ts'
import type { RingWriter } from '../../../src/shared/ring-writer.ts'
import type { SlowFlusher } from '../../log/slow-flusher.ts'

export const PARTITION = asPartitionNumber(1)

export class Node {
  readonly id: BrokerId
  readonly root: string
  isUp = false
  /** Takes no turns: as a thread that hangs. */
  isPaused = false
  /**
   * It looks as if it had lost what was durable: such a replica neither votes nor copies, and is to come back under another id.
   */
  isForgetful = false
  /** Of its directory: one that was emptied is another. */
  life = 0
  /** May hold flushes back, by path. */
  holding!: SlowFlusher
  environment!: LogEnvironment
  hardStates!: HardStates
  host!: RaftHost
  log: PartitionLog | null = null
  failures = 0

  constructor(id: number) {
    this.id = asBrokerId(id)
    this.root = `/data/broker-${id}`
  }

  get flusher(): SimulatedFlusher {
    return this.holding.inner
  }

  get group(): ReplicaGroup | null {
    return this.isUp ? this.host.open(PARTITION) : null
  }

  get replica(): ReplicaId {
    return replicaIdOf(this.id, this.life)
  }

  get leads(): boolean {
    return this.isUp && this.host.get(PARTITION)?.raft.role === Role.LEADER
  }
}

export function describeNode(node: Node): string {
  const raft = node.isUp ? node.host.get(PARTITION)?.raft : undefined
  const fate = [node.isUp, node.isPaused, node.isForgetful, node.failures].join(' ')
  const log = `log ${node.log?.logStartOffset}–${node.log?.logEndOffset} ${node.log?.failure}`
  if (raft === undefined) return `${node.replica}: ${fate}, ${log}, closed`
  const { role, term, leader, end, commit, configuration, unreachable } = raft
  const state = JSON.stringify({ role, term, leader, end, commit, ...configuration })
  return `${node.replica}: ${fate}, ${log}, ${state}, cannot reach ${[...unreachable]}`
}

/** A ring that has no room when `isFull` says so. */
export function fullNowAndThen(ring: RingWriter, isFull: () => boolean): RingWriter {
  const claim = ring.claim.bind(ring)
  ring.claim = (type, bytes) => (isFull() ? -1 : claim(type, bytes))
  return ring
}
