/** Requests that lead to entries of every kind, for tests of any history. */
import type { TenantId } from '../../src/base/ids.ts'
import type { SeededRandom } from '../../src/base/random.ts'
import type { AclBinding } from '../../src/image/acl-binding.ts'
import type { StoredSecret } from '../../src/image/entry.ts'
import type { MetadataImage } from '../../src/image/image.ts'
import type { ControllerRequest } from '../../src/image/request.ts'
import { BROKER, GROUP, resource, SET, TOPIC } from './controller.ts'

const BROKERS = 4

/** `image` is of those who are asked: by it moves are ended that are under way. */
export function someCommand(
  image: MetadataImage,
  tenantId: TenantId,
  random: SeededRandom,
): ControllerRequest {
  const name = () => `t${random.below(5)}${random.chance(0.5) ? '.' : '_'}x`
  const makers: (() => ControllerRequest)[] = [
    () => created(random, name),
    () => created(random, name),
    () => ({ kind: 'delete-topics', topics: [{ name: name() }] }),
    () => ({
      kind: 'create-partitions',
      validateOnly: false,
      topics: [{ name: name(), count: 2 + random.below(9), assignments: null }],
    }),
    () => ({ kind: 'allocate-producer-ids', count: 1 + random.below(9) }),
    () => configured(random, name()),
    () => configured(random, name()),
    () => registered(random),
    () => moved(random, name()),
    () => moved(random, name()),
    () => settled(image, tenantId, random) ?? moved(random, name()),
    () => ({ kind: 'list-reassignments', topics: null }),
  ]
  return makers[random.below(makers.length)]!()
}

export const SECRET: StoredSecret = {
  ...{ mechanism: 'SCRAM-SHA-256', iterations: 4_096 },
  ...{ salt: 'c2FsdA==', storedKey: 'a2V5', serverKey: 'a2V5' },
}

const acl = (random: SeededRandom): AclBinding => ({
  ...{ resourceType: 2, resourceName: `t${random.below(3)}`, patternType: 3 + random.below(2) },
  ...{ principal: `User:${random.below(3)}`, host: '*', operation: 3 + random.below(2) },
  permissionType: 2 + random.below(2),
})

/** About tenants other than `default`, and their keys. */
export function someTenantCommand(
  image: MetadataImage,
  random: SeededRandom,
): { readonly tenantId: TenantId; readonly request: ControllerRequest } {
  const name = `n${random.below(4)}`
  const there = image.tenantByName(name)
  const tenantId = there?.tenantId ?? (`${random.below(9)}`.padStart(16, '0') as TenantId)
  const keyId = `K${random.below(6)}`
  const plan = `p${random.below(2)}`
  const limits = { topics: random.chance(0.3) ? null : random.below(4) }
  const requests: ControllerRequest[] = [
    { kind: 'create-tenant', name, settings: random.chance(0.5) ? {} : { limits: { keys: 2 } } },
    { kind: 'create-tenant', name, settings: {} },
    {
      ...{ kind: 'alter-tenant', limits },
      settings: random.chance(0.5) ? {} : { state: random.chance(0.5) ? 'active' : 'suspended' },
    },
    { kind: 'delete-tenant' },
    { kind: 'create-plan', name: plan, limits: { keys: random.below(4) } },
    { kind: 'alter-plan', name: plan, limits: { keys: null, users: random.below(3) } },
    { kind: 'delete-plan', name: plan },
    { kind: 'purge-metadata' },
    { kind: 'alter-tenant', settings: {}, plan: random.chance(0.3) ? null : plan },
    { kind: 'create-key', keyId, user: 'u', createdAtMs: random.below(9), secrets: [SECRET] },
    { kind: 'create-key', keyId, user: 'v', createdAtMs: random.below(9), secrets: [SECRET] },
    { kind: 'revoke-key', keyId },
    { kind: 'create-acls', acls: [acl(random), acl(random)] },
    { kind: 'create-acls', acls: [acl(random)] },
    { kind: 'delete-acls', filters: [{ ...acl(random), principal: null, operation: 1 }] },
    { kind: 'alter-users', users: [{ user: 'u', deleted: [], set: [SECRET] }] },
    { kind: 'alter-users', users: [{ user: 'u', deleted: [SECRET.mechanism], set: [] }] },
    ...Array.from({ length: 8 }, () => someCommand(image, tenantId, random)),
  ]
  return { tenantId, request: requests[random.below(requests.length)]! }
}

const created = (random: SeededRandom, name: () => string): ControllerRequest => ({
  kind: 'create-topics',
  validateOnly: false,
  topics: Array.from({ length: 1 + random.below(3) }, () => ({
    name: name(),
    partitions: 1 + random.below(5),
    replicationFactor: 1 + random.below(3),
    assignments: [],
    configs: random.chance(0.3) ? [{ name: 'retention.ms', value: `${random.below(9)}` }] : [],
  })),
})

function configured(random: SeededRandom, topic: string): ControllerRequest {
  const [type, name, config] = (
    [
      [TOPIC, topic, 'retention.ms'],
      [BROKER, random.chance(0.5) ? '1' : '', 'log.retention.ms'],
      [GROUP, `g/${random.below(3)}`, 'consumer.session.timeout.ms'],
    ] as const
  )[random.below(3)]!
  const operation = random.chance(0.4) ? 1 : SET
  const change = [config, operation, String(45_000 + random.below(3))] as const
  const resources = [resource(type, name, change)]
  return { kind: 'alter-configs', incremental: true, validateOnly: false, nodeId: 1, resources }
}

const registered = (random: SeededRandom): ControllerRequest => ({
  kind: 'register-broker',
  cellId: 1,
  brokerId: 1 + random.below(BROKERS),
  directoryId: random.below(1_000).toString(16).padStart(32, '0'),
  rack: random.chance(0.5) ? `r${random.below(2)}` : null,
})

function moved(random: SeededRandom, name: string): ControllerRequest {
  const first = random.below(BROKERS)
  const replicas = Array.from(
    { length: 1 + random.below(3) },
    (_, i) => ((first + i) % BROKERS) + 1,
  )
  const partitions = [{ index: random.below(4), replicas: random.chance(0.2) ? null : replicas }]
  const topics = [{ name, partitions }]
  return { kind: 'alter-reassignments', allowReplicationFactorChange: true, topics }
}

/** A leader's word that a move is done. */
function settled(
  image: MetadataImage,
  tenantId: TenantId,
  random: SeededRandom,
): ControllerRequest | null {
  // in the order of no history: an image that was restated has them in another
  const moving = [...image.movingPartitions()].sort((a, b) => a - b)
  const number = moving[random.below(Math.max(1, moving.length))]
  const partition = number === undefined ? undefined : image.partition(number)
  if (number === undefined || partition?.topic.tenantId !== tenantId) return null
  const { topic, index } = partition
  const generation = image.moveGenerationOf(number)
  const replicas = image.wantedReplicasOf(number)
  return { kind: 'replicas-settled', topicId: topic.topicId, index, generation, replicas }
}
