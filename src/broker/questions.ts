import type { ControlMessage } from '../link/control.ts'
import type { ControlPort, PeerName } from '../link/ports.ts'
import { describeProducers } from './describe-producers.ts'
import type { LeaderPartitions } from './leader-partitions.ts'
import { describeLogs, type LogSizesOptions } from './log-sizes.ts'
import { type MetadataGroup, quorumView } from './replication/metadata-group.ts'

export interface QuestionsOptions extends LogSizesOptions {
  readonly partitions: LeaderPartitions
  readonly control: ControlPort
  readonly metadata: () => MetadataGroup | null
}

/** What is asked of a broker by control message, and answered at once. On the broker's thread. */
export class Questions {
  readonly #options: QuestionsOptions

  constructor(options: QuestionsOptions) {
    this.#options = options
  }

  /** Whether it was one. */
  answer(from: PeerName, message: ControlMessage): boolean {
    const { control, partitions, metadata, image } = this.#options
    if (message.kind === 'describe-producers') {
      const { correlation, partition } = message
      const found = describeProducers(partitions, partition)
      control.post(from, { kind: 'producers', correlation, ...found })
    } else if (message.kind === 'describe-log-sizes') {
      const { correlation } = message
      const logs = describeLogs(message.partitions, this.#options)
      control.post(from, { kind: 'log-sizes', correlation, logs })
    } else if (message.kind === 'describe-metadata') {
      const { correlation } = message
      const quorum = quorumView(metadata(), image)
      control.post(from, { kind: 'quorum', correlation, quorum })
    } else return false
    return true
  }
}
