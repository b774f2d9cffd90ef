import { ErrorCode } from '../base/error-code.ts'
import type { PartitionNumber } from '../base/ids.ts'
import type { DescribedProducer } from '../link/control.ts'
import { brokerPeer, type ControlPort } from '../link/ports.ts'
import type { BrokerProxy } from './broker-proxy.ts'

export type ProducersDone = (error: number, producers: readonly DescribedProducer[]) => void

interface Question {
  readonly broker: BrokerProxy
  readonly done: ProducersDone
}

const NONE: readonly DescribedProducer[] = []

/** Asks brokers for the producers of partitions, by control message: rare, and answers are of any length. On the front's thread. */
export class ProducersClient {
  readonly #control: ControlPort
  readonly #waiting = new Map<number, Question>()
  #next = 1

  constructor(control: ControlPort) {
    this.#control = control
  }

  request(broker: BrokerProxy, partition: PartitionNumber, done: ProducersDone): void {
    if (!broker.alive) {
      done(ErrorCode.NOT_LEADER_OR_FOLLOWER, NONE)
      return
    }
    const correlation = this.#next++
    this.#waiting.set(correlation, { broker, done })
    const peer = brokerPeer(broker.cellId, broker.brokerId)
    this.#control.post(peer, { kind: 'describe-producers', correlation, partition })
  }

  onResponse(correlation: number, error: number, producers: readonly DescribedProducer[]): void {
    const question = this.#waiting.get(correlation)
    this.#waiting.delete(correlation)
    question?.done(error, producers)
  }

  /** Brokers that have died answer nothing any more. */
  failDead(): void {
    for (const [correlation, { broker, done }] of [...this.#waiting]) {
      if (broker.alive) continue
      this.#waiting.delete(correlation)
      done(ErrorCode.NOT_LEADER_OR_FOLLOWER, NONE)
    }
  }
}
