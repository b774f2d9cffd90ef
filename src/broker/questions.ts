import type { ControlMessage } from '../link/control.ts'
import type { ControlPort, PeerName } from '../link/ports.ts'
import type { LogEnvironment } from '../log/environment.ts'
import { describeProducers } from './describe-producers.ts'
import type { LeaderPartitions } from './leader-partitions.ts'
import { describeLogs, type LogSizesOptions } from './log-sizes.ts'
import { quorumView } from './replication/metadata-group.ts'

export interface QuestionsOptions extends Pick<LogSizesOptions, 'image' | 'root'> {
  readonly environment: LogEnvironment
  readonly partitions: LeaderPartitions
  readonly control: ControlPort
}

/** What is asked of a broker by control message, and answered at once. On the broker's thread. */
export class Questions {
  readonly #options: QuestionsOptions

  constructor(options: QuestionsOptions) {
    this.#options = options
  }

  /** Whether it was one. */
  answer(from: PeerName, message: ControlMessage): boolean {
    const { control, partitions, image, environment, root } = this.#options
    const { table, replication } = partitions
    if (message.kind === 'describe-producers') {
      const { correlation, partition } = message
      const found = describeProducers(partitions, partition)
      control.post(from, { kind: 'producers', correlation, ...found })
    } else if (message.kind === 'describe-log-sizes') {
      const { correlation } = message
      const logs = describeLogs(message.partitions, { image, table, disk: environment.disk, root })
      control.post(from, { kind: 'log-sizes', correlation, logs })
    } else if (message.kind === 'describe-metadata') {
      const { correlation } = message
      const quorum = quorumView(replication.metadata, image)
      control.post(from, { kind: 'quorum', correlation, quorum })
    } else return false
    return true
  }
}
