/** What one tenant may try in the place of a name or an id: another's, and what is nearly that. */
import type { Entity } from '../../src/protocol/entity.ts'
import { type Facts, topicsOf } from './facts.ts'

export type Value = string | number

/** Things of one tenant, as fields with that tag name them. */
export function literals(entity: Entity, facts: Facts): readonly Value[] {
  const { group, sharedGroup, offsetsGroup, user, keyId } = facts
  const topics = topicsOf(facts).map(({ name }) => name)
  const groups = [group.groupId, sharedGroup.groupId, offsetsGroup]
  switch (entity) {
    case 'topicName':
      return topics
    case 'topicId':
      return topicsOf(facts).map(({ topicId }) => topicId)
    case 'groupId':
      return groups
    case 'memberId':
      return [group.memberId, sharedGroup.memberId]
    case 'groupInstanceId':
      return [sharedGroup.instanceId!]
    case 'transactionalId':
      return [facts.transactionalId]
    case 'producerId':
      return [facts.producerId]
    case 'brokerId':
      return [1, 2]
    case 'clusterId':
      return [facts.clusterId]
    case 'directoryId':
      return [facts.directoryId]
    case 'fetchSessionId':
      return [facts.fetchSessionId]
    case 'coordinatorKey':
      return [...groups, facts.transactionalId, `${group.groupId}:${facts.own.topicId}:0`]
    case 'configResource':
      return [...topics, ...groups, '1', '2', '']
    case 'aclResource':
      return [...topics, ...groups, 'kafka-cluster', '*']
    case 'principal':
      return [`User:${user}`, `User:${keyId}`, 'User:*']
    case 'userName':
      return [user, keyId]
    case 'quotaEntity':
      return [user, keyId, `${facts.tenantName}-client`, '10.0.0.1']
    case 'namePattern':
      return [...topics, ...groups].map((name) => `^${name}$`)
    case 'clientId':
      return [`${facts.tenantName}-client`]
    case 'clientHost':
      return ['/10.0.0.1', '10.0.0.1']
    case 'brokerHost':
    case 'errorMessage':
    case 'configName':
    case 'featureName':
    case 'clientSoftware':
    case 'protocolName':
    case 'saslMechanism':
      return []
    default:
      entity satisfies never
      throw new TypeError('unreachable')
  }
}

/** What might be taken for `value`, by whoever compares carelessly. */
export function mutated(value: Value, { tenantId, tenantName }: Facts): readonly Value[] {
  if (typeof value === 'number') return [value + 1, value - 1, value + 1_000, -value]
  if (/^[0-9a-f]{32}$/.test(value)) return nearIds(value)
  return [
    ...['-x', '.', '*', '\0', ' '].map((end) => value + end),
    ...['x-', '/', ' '].map((begin) => begin + value),
    ...[value.slice(0, -1), value.slice(1), `${value.slice(0, 2)}*`, `${value.slice(0, 2)}.*`],
    ...[value.toUpperCase(), `${value.slice(0, 1).toUpperCase()}${value.slice(1)}`],
    ...[`^${value}$`, '.*', '*', `(${value}|x)`],
    ...['.', '-', '_', '/', ':'].flatMap((mark) => [
      `${tenantName}${mark}${value}`,
      `${tenantId}${mark}${value}`,
    ]),
    ...[value.replaceAll('-', '_'), value.replaceAll('-', '.')],
    ...['__proto__', 'constructor', 'toString', ''],
  ]
}

/** The zero id stands for none, and is tried by the bases. */
function nearIds(id: string): readonly string[] {
  const last = Number.parseInt(id.slice(-1), 16)
  const at = (digit: number) => id.slice(0, -1) + ((digit + 16) % 16).toString(16)
  return [at(last + 1), at(last - 1), `${id.slice(16)}${id.slice(0, 16)}`, '0'.repeat(32)]
}
