/** Where a connection came in, as far as answers depend on it. */
export interface ListenerInfo {
  /** The option that opened it, for messages: `--kafka-listen`. */
  readonly name: string
  /** Which node this port stands for, from 1. */
  readonly nodeId: number
  /** What clients are told to connect to; null: the local address that the connection came in on. */
  readonly advertisedHost: string | null
  /** The port of each node in turn: node n at index n − 1. */
  readonly advertisedPorts: readonly number[]
}
