import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { GROUP_ID_LENGTH_MAX } from '../../src/coordinator/group/config.ts'
import {
  ACLS_PER_TENANT_MAX,
  type AclBinding,
  AclOperation,
  aclKey,
  PatternType,
  PermissionType,
  PRINCIPAL_LENGTH_MAX,
  ResourceType,
  refuseAclCount,
  refuseBinding,
  resourceNameLengthMax,
} from '../../src/image/acl-binding.ts'
import {
  parseSuperUsers,
  refuseAuthorizerSettings,
  SUPER_USERS_MAX,
} from '../../src/image/authorizer-settings.ts'
import { hostAddress } from '../../src/image/host-address.ts'

const good: AclBinding = {
  resourceType: ResourceType.TOPIC,
  resourceName: 'orders',
  patternType: PatternType.LITERAL,
  principal: 'User:alice',
  host: '*',
  operation: AclOperation.READ,
  permissionType: PermissionType.ALLOW,
}

const refusal = (change: Partial<AclBinding>) => refuseBinding({ ...good, ...change })

describe('an ACL that may be created', () => {
  test.each<Partial<AclBinding>>([
    {},
    { patternType: PatternType.PREFIXED },
    { permissionType: PermissionType.DENY },
    { operation: AclOperation.ALL },
    { resourceName: '*' },
    { resourceName: 't'.repeat(249) },
    { principal: 'User:*' },
    { principal: 'User:CN=a:b,O=c' },
    { principal: `User:${'u'.repeat(PRINCIPAL_LENGTH_MAX - 5)}` },
    { host: '10.0.0.1' },
    { host: '::1' },
    { resourceType: ResourceType.GROUP, resourceName: 'g'.repeat(1_024) },
    {
      ...{ resourceType: ResourceType.CLUSTER, resourceName: 'kafka-cluster' },
      operation: AclOperation.IDEMPOTENT_WRITE,
    },
    {
      ...{ resourceType: ResourceType.TRANSACTIONAL_ID },
      operation: AclOperation.TWO_PHASE_COMMIT,
    },
    { resourceType: ResourceType.USER, operation: AclOperation.CREATE_TOKENS },
    { resourceType: ResourceType.DELEGATION_TOKEN, operation: AclOperation.DESCRIBE },
  ])('%o', (change) => {
    expect(refusal(change)).toBeNull()
  })
})

describe('an ACL that is refused', () => {
  const { INVALID_REQUEST, INVALID_PRINCIPAL_TYPE } = ErrorCode
  test.each<[Partial<AclBinding>, string, ErrorCode?]>([
    [{ resourceType: 0 }, 'Resource type 0 (UNKNOWN)'],
    [{ resourceType: 1 }, 'Resource type 1 (ANY)'],
    [{ resourceType: 8 }, 'Resource type 8 (UNKNOWN)'],
    [{ resourceType: -126 }, 'Resource type -126 (UNKNOWN)'],
    [{ patternType: 0 }, 'Pattern type 0 (UNKNOWN) is neither LITERAL (3) nor PREFIXED (4)'],
    [{ patternType: 1 }, 'Pattern type 1 (ANY)'],
    [{ patternType: 2 }, 'Pattern type 2 (MATCH)'],
    [{ patternType: 5 }, 'Pattern type 5 (UNKNOWN)'],
    [{ operation: 0 }, 'Operation 0 (UNKNOWN)'],
    [{ operation: 1 }, 'Operation 1 (ANY)'],
    [{ operation: 16 }, 'Operation 16 (UNKNOWN)'],
    // 35 and -29 are READ, modulo 32
    [{ operation: 35 }, 'Operation 35 (UNKNOWN)'],
    [{ operation: -29 }, 'Operation -29 (UNKNOWN)'],
    [
      { resourceType: ResourceType.GROUP, operation: AclOperation.WRITE },
      'Operation 4 (WRITE) is not one of resource type 3 (GROUP): ALL, READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS',
    ],
    [{ permissionType: 0 }, 'Permission type 0 (UNKNOWN) is neither DENY (2) nor ALLOW (3)'],
    [{ permissionType: 1 }, 'Permission type 1 (ANY)'],
    [{ resourceName: '' }, 'The resource name is empty'],
    [
      { resourceName: 't'.repeat(250) },
      `The resource name "${'t'.repeat(100)}…" of 250 characters is longer than the limit of 249 of resource type 2 (TOPIC)`,
    ],
    [
      { resourceType: ResourceType.GROUP, resourceName: 'g'.repeat(1_025) },
      'of 1025 characters is longer than the limit of 1024',
    ],
    [
      { resourceType: ResourceType.CLUSTER, operation: AclOperation.ALTER },
      'The resource name "orders" is not kafka-cluster',
    ],
    [
      { resourceType: ResourceType.CLUSTER, operation: AclOperation.ALTER, resourceName: '*' },
      'The resource name "*" is not kafka-cluster',
    ],
    [{ principal: 'alice' }, 'The principal "alice" has no colon'],
    [{ principal: '' }, 'The principal "" has no colon'],
    [{ principal: 'User:' }, 'The principal "User:" has no name'],
    [{ principal: 'Group:a' }, '"Group:a" is not of type User', INVALID_PRINCIPAL_TYPE],
    [{ principal: 'user:a' }, '"user:a" is not of type User', INVALID_PRINCIPAL_TYPE],
    [
      { principal: `User:${'u'.repeat(PRINCIPAL_LENGTH_MAX)}` },
      'of 1029 characters is longer than the limit of 1024',
    ],
    [{ host: '' }, 'The host "" is neither * nor an IP address'],
    [{ host: 'localhost' }, 'The host "localhost"'],
    [{ host: '10.0.0.0/8' }, 'The host "10.0.0.0/8"'],
    [{ host: 'fe80::1%eth0' }, 'The host "fe80::1%eth0"'],
  ])('%o', (change, text, error = INVALID_REQUEST) => {
    expect(refusal(change)?.error).toBe(error)
    expect(refusal(change)?.message).toContain(text)
  })
})

test('group ids may be as long as the coordinator lets them', () => {
  expect(resourceNameLengthMax(ResourceType.GROUP)).toBe(GROUP_ID_LENGTH_MAX)
})

test('a tenant has 10,000 ACLs at most', () => {
  expect(refuseAclCount(ACLS_PER_TENANT_MAX)).toBeNull()
  expect(refuseAclCount(10_001)).toEqual({
    error: ErrorCode.POLICY_VIOLATION,
    message: 'There would be 10001 ACLs, more than the limit of 10000',
  })
})

test('keys of different ACLs are different, wherever one text ends and the next begins', () => {
  const named = (resourceName: string, principal: string, host: string) =>
    aclKey({ ...good, resourceName, principal, host })
  const keys = [
    named('a', 'User:b', '*'),
    named('aU', 'ser:b', '*'),
    named('a', 'User:b*', ''),
    named('a,1', 'User:b', '*'),
    ...[1, 2, 3].map((n) => aclKey({ ...good, operation: n, permissionType: 12 })),
    aclKey({ ...good, operation: 1, permissionType: 2 }),
  ]
  expect(new Set(keys).size).toBe(keys.length)
  expect(aclKey({ ...good })).toBe(aclKey(good))
})

test('addresses are compared as Java writes them', () => {
  const written: [string, string][] = [
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['::', '0:0:0:0:0:0:0:0'],
    ['0:0:0:0:0:0:0:1', '0:0:0:0:0:0:0:1'],
    ['2001:0DB8::00a:B', '2001:db8:0:0:0:0:a:b'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::ffff:10.1.2.255', '10.1.2.255'],
    ['::ffff:a01:2ff', '10.1.2.255'],
    ['64:ff9b::1.2.3.4', '64:ff9b:0:0:0:0:102:304'],
    ['fe80::1%eth0', 'fe80:0:0:0:0:0:0:1'],
    ['a unix socket', 'a unix socket'],
  ]
  for (const [address, java] of written) expect(hostAddress(address)).toBe(java)
})

describe('super users', () => {
  const refused = (...superUsers: string[]) =>
    refuseAuthorizerSettings({ superUsers, allowEveryoneIfNoAclFound: false })

  test('are separated by semicolons', () => {
    expect(parseSuperUsers(' User:a; User:CN=b,O=c ;; ')).toEqual(['User:a', 'User:CN=b,O=c'])
    expect(parseSuperUsers('')).toEqual([])
  })

  test('are whole principals, and no more than the limit', () => {
    expect(refused('User:a', 'User:CN=b,O=c')).toBeNull()
    expect(refused('a')?.message).toBe(
      'super.users: The principal "a" has no colon between type and name',
    )
    expect(refused('User:*')?.message).toContain('does not stand for everybody')
    const many = Array.from({ length: SUPER_USERS_MAX + 1 }, (_, i) => `User:${i}`)
    expect(refused(...many)).toEqual({
      error: ErrorCode.INVALID_CONFIG,
      message: 'super.users: 101 principals, more than the limit of 100',
    })
  })
})
