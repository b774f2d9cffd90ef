/** `-X key=value`: librdkafka's and Kafka's names for what the commands have options for. */
import { didYouMean } from '../server/nearest.ts'
import {
  type GivenProperty,
  isSecurityName,
  refuseUnknown,
  type SecurityName,
  type SecurityProperties,
} from './command-config.ts'
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

export interface GivenProperties {
  /** By option. */
  readonly properties: Properties
  readonly security: SecurityProperties
}

/** Throws a {@link UsageError} for what is no property of these. */
export function parseProperties(texts: readonly string[]): GivenProperties {
  const properties: Record<string, string> = {}
  const security = new Map<SecurityName, GivenProperty>()
  for (const text of texts) {
    const at = text.indexOf('=')
    if (at < 1) throw new UsageError(`-X ${text}: wants KEY=VALUE`)
    const [name, value] = [text.slice(0, at), text.slice(at + 1)]
    const option = Object.hasOwn(PROPERTIES, name) ? PROPERTIES[name] : undefined
    if (option !== undefined) properties[option] = value
    else if (isSecurityName(name)) security.set(name, { text: value, origin: 'option -X' })
    else {
      refuseUnknown(name, 'option -X')
      const meant = didYouMean(name, Object.keys(PROPERTIES))
      throw new UsageError(`-X ${name}: not a property that these commands know${meant}`)
    }
  }
  return { properties, security }
}

/** A whole number from `min` on. Throws a {@link UsageError} that names `option`. */
export function countOf(option: string, text: string, min = 0): number {
  const count = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(count >= min && count <= Number.MAX_SAFE_INTEGER)) {
    throw new UsageError(`${option} ${text}: wants a whole number from ${min}`)
  }
  return count
}
