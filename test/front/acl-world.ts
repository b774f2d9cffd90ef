/** The default tenant with a topic, a group and three clients: one that may do everything, one that its ACLs let in, and one without any. */
import { PatternType, PermissionType, ResourceType } from '../../src/image/acl-binding.ts'
import { offsetCommit } from '../../src/protocol/08-offset-commit.ts'
import { createAcls } from '../../src/protocol/30-create-acls.ts'
import { deleteAcls } from '../../src/protocol/31-delete-acls.ts'
import { call } from './call.ts'
import type { FakeClient } from './fake-client.ts'
import { Harness, type HarnessOptions } from './harness.ts'
import { login, Operator } from './tenants.ts'

export interface Rule {
  readonly type: number
  readonly operation: number
  /** `*` for all. */
  readonly name?: string
  readonly isPrefix?: boolean
  readonly principal?: string
  readonly host?: string
  readonly denies?: boolean
}

/** All types of resources that ACLs are asked about. */
const TYPES = [
  ResourceType.TOPIC,
  ResourceType.GROUP,
  ResourceType.CLUSTER,
  ResourceType.TRANSACTIONAL_ID,
]

export const everything: readonly Rule[] = TYPES.map((type) => ({ type, operation: 2 }))

export class AclWorld {
  readonly world: Harness
  readonly operator: Operator
  /** A super user. */
  readonly admin: FakeClient
  readonly alice: FakeClient
  readonly bob: FakeClient

  constructor(options: HarnessOptions = {}) {
    this.world = new Harness({
      brokerConfigs: { 'group.initial.rebalance.delay.ms': '0' },
      ...options,
    })
    this.operator = new Operator(this.world)
    this.world.createTopic('t', 2)
    this.admin = this.clientOf('admin')
    this.alice = this.clientOf('alice')
    this.bob = this.clientOf('bob', '10.0.0.2:50000')
    const partitions = [{ partitionIndex: 0, committedOffset: 5, committedMetadata: 'm' }]
    call(this.world, this.admin, offsetCommit, 7, {
      ...{ groupId: 'g', generationIdOrMemberEpoch: -1, memberId: '' },
      topics: [{ name: 't', partitions }],
    })
  }

  get tenantId() {
    return this.world.image.defaultTenant!.tenantId
  }

  topicId(name: string): string {
    return this.world.image.topicByName(this.tenantId, name)!.topicId
  }

  /** Logged in with a key of `user`. */
  clientOf(user: string, remote?: string): FakeClient {
    const client = this.world.connect(remote)
    login(this.world, client, this.operator.key(this.tenantId, user))
    return client
  }

  /** By the admin's CreateAcls. */
  allow(...rules: Rule[]): void {
    const creations = rules.map((rule) => ({
      resourceType: rule.type,
      // the cluster has one name
      resourceName: rule.type === ResourceType.CLUSTER ? 'kafka-cluster' : (rule.name ?? '*'),
      resourcePatternType: rule.isPrefix === true ? PatternType.PREFIXED : PatternType.LITERAL,
      principal: rule.principal ?? 'User:alice',
      host: rule.host ?? '*',
      operation: rule.operation,
      permissionType: rule.denies === true ? PermissionType.DENY : PermissionType.ALLOW,
    }))
    const { results } = call(this.world, this.admin, createAcls, 3, { creations })
    const refused = results.find(({ errorCode }) => errorCode !== 0)
    if (refused !== undefined) throw new Error(`${refused.errorCode}: ${refused.errorMessage}`)
  }

  /** By the admin's DeleteAcls. */
  clear(): void {
    const any = { resourceTypeFilter: 1, patternTypeFilter: 1, operation: 1, permissionType: 1 }
    const names = { resourceNameFilter: null, principalFilter: null, hostFilter: null }
    call(this.world, this.admin, deleteAcls, 3, { filters: [{ ...any, ...names }] })
  }
}
