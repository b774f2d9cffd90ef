/** What a load asks of a producer, and what one tells it. */
import type { Connect } from './load-connection.ts'
import type { Due, Leader, Share, Times, TopicPartition } from './messages.ts'
import type { Template } from './produce-batches.ts'
import type { ProduceGroup } from './workload.ts'

export interface LoadProducer {
  /** Of the connections of the whole group. */
  readonly index: number
  /** Requests without an answer. */
  readonly outstanding: number
  /** Requests that were sent again. */
  readonly resent: number
  /** Of the open loop: the number of this producer's next request. */
  scheduled: number
  /** When the last answer came; the load's. */
  answeredUs: number
  begin(times: Times): void
  /** Goes out with flush(). */
  send(intendedUs: number): void
  flush(): void
  /** A request that was due then, and that is not sent any more. */
  leaveOut(intendedUs: number): void
  /** What was due in the measured window. */
  due(): Due
  /** When the requests without an answer were meant to be sent. */
  open(): number[]
}

export interface ProducerEvents {
  /** `sentUs` is when the request was answered, or written where nothing is answered. */
  onDone(producer: LoadProducer, intendedUs: number, doneUs: number, wireBytes: number): void
  onFailure(error: Error): void
}

export interface ProducerOptions {
  readonly connect: Connect
  readonly group: ProduceGroup
  readonly share: Share
  readonly version: number
  readonly templates: readonly Template[]
  readonly isStamped: boolean
  readonly producerId: { readonly id: bigint; readonly epoch: number } | null
  leaderOf(partition: TopicPartition): Leader
}
