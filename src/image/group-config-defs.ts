/** Every group config of Apache Kafka 4.3.1, in the order of their names. */
import type { ConfigDefinition } from './config-def.ts'

/** A bound that Kafka's brokers are given: value and the broker config that says so. */
type Bound = readonly [value: number, config: string]

export interface GroupConfigDefinition extends ConfigDefinition {
  readonly default: string
  /** The broker config that gives the default; null where there is none. */
  readonly broker: string | null
  readonly atLeast?: Bound
  readonly atMost?: Bound
}

type Protocol = 'consumer' | 'share' | 'streams'

const int = (
  protocol: Protocol,
  rest: string,
  value: number,
  min: number,
  documentation: string,
  bounds: { readonly atLeast?: number; readonly atMost?: number; readonly of?: string } = {},
): GroupConfigDefinition => {
  const { atLeast, atMost, of = rest } = bounds
  return {
    name: `${protocol}.${rest}`,
    type: 'INT',
    default: String(value),
    min,
    broker: `group.${protocol}.${rest}`,
    ...(atLeast !== undefined && { atLeast: [atLeast, `group.${protocol}.min.${of}`] }),
    ...(atMost !== undefined && { atMost: [atMost, `group.${protocol}.max.${of}`] }),
    documentation,
  }
}

const assignmentInterval = (protocol: Protocol) =>
  int(
    protocol,
    'assignment.interval.ms',
    1000,
    0,
    `The least time between two assignments of a ${protocol} group.`,
    { atLeast: 0, atMost: 15_000 },
  )

const heartbeatInterval = (protocol: Protocol) =>
  int(
    protocol,
    'heartbeat.interval.ms',
    5000,
    1,
    `How often members of a ${protocol} group are asked to give a sign of life.`,
    { atLeast: 5000, atMost: 15_000 },
  )

const sessionTimeout = (protocol: Protocol) =>
  int(
    protocol,
    'session.timeout.ms',
    45_000,
    1,
    `How long a member of a ${protocol} group may be silent before it counts as gone.`,
    { atLeast: 45_000, atMost: 60_000 },
  )

export const GROUP_CONFIG_DEFINITIONS: readonly GroupConfigDefinition[] = [
  assignmentInterval('consumer'),
  heartbeatInterval('consumer'),
  sessionTimeout('consumer'),
  assignmentInterval('share'),
  {
    name: 'share.auto.offset.reset',
    type: 'STRING',
    default: 'latest',
    broker: null,
    offsetReset: true,
    documentation: 'Where a new share group begins: earliest, latest, or by_duration and a time.',
  },
  int('share', 'delivery.count.limit', 5, 2, 'How often a record is delivered at most.', {
    atLeast: 2,
    atMost: 10,
  }),
  heartbeatInterval('share'),
  {
    name: 'share.isolation.level',
    type: 'STRING',
    default: 'read_uncommitted',
    values: ['read_committed', 'read_uncommitted'],
    broker: null,
    documentation: 'Whether a share group sees records of transactions that are not committed.',
  },
  int(
    'share',
    'partition.max.record.locks',
    2000,
    100,
    'Records of one partition that may be out with members at a time.',
    { atLeast: 100, atMost: 4000 },
  ),
  int(
    'share',
    'record.lock.duration.ms',
    30_000,
    1000,
    'How long a record is kept for the member that it was delivered to.',
    { atLeast: 15_000, atMost: 60_000 },
  ),
  {
    name: 'share.renew.acknowledge.enable',
    type: 'BOOLEAN',
    default: 'true',
    broker: null,
    documentation: 'Whether a member may ask for more time for a record.',
  },
  sessionTimeout('share'),
  assignmentInterval('streams'),
  heartbeatInterval('streams'),
  int(
    'streams',
    'initial.rebalance.delay.ms',
    3000,
    0,
    'How long a new streams group waits for more members before its first assignment.',
  ),
  int('streams', 'num.standby.replicas', 0, 0, 'Standby copies of each task.', {
    atMost: 2,
    of: 'standby.replicas',
  }),
  sessionTimeout('streams'),
]
