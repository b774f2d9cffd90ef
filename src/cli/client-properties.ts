/** `-X key=value`: librdkafka's and Kafka's names for what the commands have options for. */
import { didYouMean } from '../server/nearest.ts'
import { UsageError } from './failure.ts'

/** The option that a property stands for; several names may stand for one. */
const PROPERTIES: Readonly<Record<string, string>> = {
  brokers: 'brokers',
  'bootstrap.servers': 'brokers',
  'metadata.broker.list': 'brokers',
  'client.id': 'clientId',
  'request.timeout.ms': 'timeoutMs',
  'socket.timeout.ms': 'timeoutMs',
  acks: 'acks',
  'request.required.acks': 'acks',
  'compression.codec': 'compression',
  'compression.type': 'compression',
  'compression.level': 'compressionLevel',
  'linger.ms': 'lingerMs',
  'queue.buffering.max.ms': 'lingerMs',
  'batch.size': 'batchBytes',
  'delivery.timeout.ms': 'deliveryTimeoutMs',
  'message.timeout.ms': 'deliveryTimeoutMs',
  'allow.auto.create.topics': 'autoCreate',
  'auto.offset.reset': 'offsetReset',
  'isolation.level': 'isolation',
  'group.id': 'group',
  'group.instance.id': 'instanceId',
  'session.timeout.ms': 'sessionTimeoutMs',
  'partition.assignment.strategy': 'assignor',
  'enable.auto.commit': 'autoCommit',
  'fetch.max.bytes': 'fetchBytesMax',
  'fetch.wait.max.ms': 'fetchWaitMs',
  'fetch.max.wait.ms': 'fetchWaitMs',
}

export type Properties = Readonly<Partial<Record<string, string>>>

/** By option. Throws a {@link UsageError} for what is no property of these. */
export function parseProperties(texts: readonly string[]): Properties {
  const found: Record<string, string> = {}
  for (const text of texts) {
    const at = text.indexOf('=')
    if (at < 1) throw new UsageError(`-X ${text}: wants KEY=VALUE`)
    const name = text.slice(0, at)
    const option = Object.hasOwn(PROPERTIES, name) ? PROPERTIES[name] : undefined
    if (option === undefined) throw new UsageError(`-X ${name}: ${reasonOf(name)}`)
    found[option] = text.slice(at + 1)
  }
  return found
}

function reasonOf(name: string): string {
  if (/^(sasl|ssl|security|enable\.ssl|tls|user|pass)/.test(name)) {
    return 'these commands speak neither TLS nor SASL yet'
  }
  return `not a property that these commands know${didYouMean(name, Object.keys(PROPERTIES))}`
}

/** A whole number from `min` on. Throws a {@link UsageError} that names `option`. */
export function countOf(option: string, text: string, min = 0): number {
  const count = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(count >= min && count <= Number.MAX_SAFE_INTEGER)) {
    throw new UsageError(`${option} ${text}: wants a whole number from ${min}`)
  }
  return count
}
