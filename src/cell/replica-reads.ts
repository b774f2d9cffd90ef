import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId, PartitionNumber } from '../base/ids.ts'
import type { LocateSink, ReplicaReads } from './broker-proxy.ts'
import type { Ask } from './command-sender.ts'
import { type Waiter, WatchTable } from './watch-table.ts'

/** What {@link RingReplicaReads} needs of the broker whose replicas they are. */
export interface ReadBroker {
  readonly brokerId: BrokerId
  readonly alive: boolean
  ask(command: Ask): void
  /** REPLICA_WATCH; false when there is no room now. */
  sendWatch(partition: PartitionNumber, offset: number): boolean
}

/** The replicas of a broker on another thread of this process, by commands of their own: who waits for them waits apart from who waits for leaders. */
export class RingReplicaReads implements ReplicaReads {
  readonly watches: WatchTable
  readonly #broker: ReadBroker

  constructor(broker: ReadBroker) {
    this.#broker = broker
    this.watches = new WatchTable((partition, offset) => broker.sendWatch(partition, offset))
  }

  get brokerId(): BrokerId {
    return this.#broker.brokerId
  }

  get alive(): boolean {
    return this.#broker.alive
  }

  locate(
    partition: PartitionNumber,
    offset: number,
    maxBytes: number,
    currentLeaderEpoch: number,
    sink: LocateSink,
    token: number,
  ): void {
    const kind = 'replica-locate'
    this.#broker.ask({ kind, partition, at: offset, maxBytes, currentLeaderEpoch, sink, token })
  }

  watch(partition: PartitionNumber, offset: number, waiter: Waiter): void {
    if (this.alive) this.watches.add(partition, offset, waiter)
    else waiter.onWoken(ErrorCode.REPLICA_NOT_AVAILABLE)
  }

  unwatch(waiter: Waiter): void {
    waiter.leave()
  }

  dismiss(partition: PartitionNumber): void {
    this.watches.dismiss(partition, ErrorCode.NOT_LEADER_OR_FOLLOWER)
  }

  dismissAll(): void {
    this.watches.dismissAll(ErrorCode.REPLICA_NOT_AVAILABLE)
  }

  watchedAt(partition: PartitionNumber): number {
    return this.watches.outstandingAt(partition)
  }
}
