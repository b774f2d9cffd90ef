import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type AclBinding,
  AclOperation,
  PatternType,
  PermissionType,
  ResourceType,
} from '../../src/image/acl-binding.ts'
import { Patterns } from '../../src/tenant/acl-patterns.ts'
import { Acls } from '../../src/tenant/authorizer.ts'

const { LITERAL, PREFIXED } = PatternType
const { ALLOW, DENY } = PermissionType
const { READ, WRITE, DESCRIBE, DELETE, ALTER, ALL, CREATE } = AclOperation
const { TOPIC, GROUP } = ResourceType

const binding = (change: Partial<AclBinding> = {}): AclBinding => ({
  ...{ resourceType: TOPIC, resourceName: 't', patternType: LITERAL, principal: 'User:a' },
  ...{ host: '*', operation: READ, permissionType: ALLOW },
  ...change,
})

const aclsOf = (...changes: Partial<AclBinding>[]): Acls => {
  const acls = new Acls()
  for (const change of changes) acls.add(binding(change))
  return acls
}

const may = (acls: Acls, operation: AclOperation, name: string, principal = 'User:a', host = 'h') =>
  acls.authorise(principal, host, operation, TOPIC, name)

describe('without ACLs', () => {
  test('super users may do everything, others what the setting says', () => {
    for (const allowEveryoneIfNoAclFound of [false, true]) {
      const acls = new Acls({ superUsers: ['User:root'], allowEveryoneIfNoAclFound })
      expect(may(acls, READ, 't', 'User:root')).toBe(true)
      expect(may(acls, READ, 't')).toBe(allowEveryoneIfNoAclFound)
      expect(acls.authoriseByResourceType('User:a', 'h', WRITE, TOPIC)).toBe(
        allowEveryoneIfNoAclFound,
      )
    }
    expect(may(new Acls(), READ, 't')).toBe(false)
  })
})

test('the setting holds only for resources that no ACL, of whomever, is about', () => {
  const acls = new Acls({ superUsers: [], allowEveryoneIfNoAclFound: true })
  acls.add(binding({ principal: 'User:b', resourceName: 'own' }))
  acls.add(binding({ principal: 'User:b', resourceName: 'pre', patternType: PREFIXED }))
  expect(may(acls, READ, 'own')).toBe(false)
  expect(may(acls, READ, 'prefix')).toBe(false)
  expect(may(acls, READ, 'other')).toBe(true)
  expect(acls.authorise('User:a', 'h', READ, GROUP, 'own')).toBe(true)
  acls.add(binding({ principal: 'User:b', resourceName: '*' }))
  expect(may(acls, READ, 'other')).toBe(false)
})

test('a super user is not bound by ACLs that deny', () => {
  const acls = new Acls({ superUsers: ['User:a'], allowEveryoneIfNoAclFound: false })
  acls.add(binding({ operation: ALL, permissionType: DENY, resourceName: '*' }))
  expect(may(acls, READ, 't')).toBe(true)
  expect(acls.authoriseByResourceType('User:a', 'h', WRITE, TOPIC)).toBe(true)
})

test('operations imply others where they are allowed, not where they are denied', () => {
  for (const operation of [READ, WRITE, DELETE, ALTER, ALL]) {
    expect(may(aclsOf({ operation }), DESCRIBE, 't')).toBe(true)
    const denied = aclsOf({ operation, permissionType: DENY }, { operation: DESCRIBE })
    expect(may(denied, DESCRIBE, 't')).toBe(operation !== ALL)
  }
  expect(may(aclsOf({ operation: CREATE }), DESCRIBE, 't')).toBe(false)
  const { DESCRIBE_CONFIGS, ALTER_CONFIGS } = AclOperation
  expect(may(aclsOf({ operation: ALTER_CONFIGS }), DESCRIBE_CONFIGS, 't')).toBe(true)
  expect(may(aclsOf({ operation: ALTER_CONFIGS }), DESCRIBE, 't')).toBe(false)
  expect(may(aclsOf({ operation: DESCRIBE }), READ, 't')).toBe(false)
})

test.each([
  ['the name', { resourceName: 'team.a.x' }],
  ['a prefix', { resourceName: 'team.', patternType: PREFIXED }],
  ['a longer prefix', { resourceName: 'team.a.', patternType: PREFIXED }],
  ['the whole name as prefix', { resourceName: 'team.a.x', patternType: PREFIXED }],
  ['all names', { resourceName: '*' }],
  ['everybody', { resourceName: 'team.a.x', principal: 'User:*' }],
  ['the host', { resourceName: 'team.a.x', host: '10.0.0.1' }],
])('an ACL by %s allows, and denies whatever else allows', (_what, change) => {
  const asks = (acls: Acls) => may(acls, READ, 'team.a.x', 'User:a', '10.0.0.1')
  expect(asks(aclsOf(change))).toBe(true)
  expect(asks(aclsOf({ ...change, permissionType: DENY }))).toBe(false)
  const others = [
    { resourceName: '*' },
    { resourceName: 'team.a.x' },
    { resourceName: 'te', patternType: PREFIXED },
    { resourceName: 'team.a', patternType: PREFIXED },
  ]
  expect(asks(aclsOf(...others, { ...change, permissionType: DENY }))).toBe(false)
})

test('an ACL of another name, principal, host, type or operation says nothing', () => {
  for (const change of [
    { resourceName: 'tt' },
    { resourceName: 'tt', patternType: PREFIXED },
    { principal: 'User:b' },
    { principal: 'User:A' },
    { host: '10.0.0.2' },
    { resourceType: GROUP },
    { operation: WRITE },
  ]) {
    expect(may(aclsOf(change), READ, 't', 'User:a', '10.0.0.1')).toBe(false)
  }
})

test('a prefix may be `*`, and then is that character', () => {
  const acls = aclsOf({ resourceName: '*', patternType: PREFIXED })
  expect(may(acls, READ, '*x')).toBe(true)
  expect(may(acls, READ, 'x')).toBe(false)
})

// org.apache.kafka 4.3.1 does not apply these to names that begin with `*`, and hangs at some that begin with `!`
test('ACLs for all names are for those too that begin with `*` or below', () => {
  for (const name of ['*x', '!x', '!y', ' ', '*']) {
    expect(may(aclsOf({ resourceName: '*' }, { resourceName: '!z' }), READ, name)).toBe(true)
    const denied = aclsOf({ resourceName: name }, { resourceName: '*', permissionType: DENY })
    expect(may(denied, READ, name)).toBe(false)
  }
})

test('one address in two forms is one host, and each ACL is there for itself', () => {
  const short = binding({ host: '::1' })
  const long = binding({ host: '0:0:0:0:0:0:0:1' })
  const acls = aclsOf(short, long)
  const asks = () => may(acls, READ, 't', 'User:a', '0:0:0:0:0:0:0:1')
  expect([acls.size, asks()]).toEqual([2, true])
  acls.remove(short)
  expect([acls.size, asks()]).toEqual([1, true])
  acls.remove(long)
  expect([acls.size, asks()]).toEqual([0, false])
})

test('an ACL is added once, and removed once', () => {
  const acls = new Acls()
  expect(acls.add(binding())).toBe(true)
  expect(acls.add(binding())).toBe(false)
  expect(acls.has(binding())).toBe(true)
  expect([...acls.bindings()]).toEqual([binding()])
  expect(acls.remove(binding({ host: '10.0.0.1' }))).toBe(false)
  expect(acls.remove(binding())).toBe(true)
  expect(acls.remove(binding())).toBe(false)
  expect(acls.has(binding())).toBe(false)
})

test('patterns without ACLs are forgotten', () => {
  const patterns = new Patterns()
  const some = [binding(), binding({ patternType: PREFIXED }), binding({ resourceName: '*' })]
  for (const one of some) patterns.add(one)
  expect(patterns.of('User:a').size).toBe(3)
  for (const one of some) patterns.remove(one)
  expect([patterns.isEmpty, patterns.of('User:a').size]).toEqual([true, 0])
})

describe('by resource type', () => {
  const allow = (resourceName: string, patternType: PatternType = LITERAL) =>
    ({ resourceName, patternType, operation: WRITE }) as const
  const deny = (resourceName: string, patternType: PatternType = LITERAL) => ({
    ...allow(resourceName, patternType),
    permissionType: DENY,
  })

  test.each<[string, Partial<AclBinding>[], boolean]>([
    ['nothing', [], false],
    ['one name', [allow('a')], true],
    ['another operation', [{ ...allow('a'), operation: READ }], false],
    ['all operations', [{ ...allow('a'), operation: ALL }], true],
    ['an implied operation only', [{ ...allow('a'), operation: ALTER }], false],
    ['a name that is denied', [allow('a'), deny('a')], false],
    ['a name below a prefix that is denied', [allow('ab'), deny('a', PREFIXED)], false],
    ['a prefix of which a name is denied', [allow('a', PREFIXED), deny('a')], true],
    ['a prefix that is denied', [allow('a', PREFIXED), deny('a', PREFIXED)], false],
    ['a prefix below one that is denied', [allow('ab', PREFIXED), deny('a', PREFIXED)], false],
    ['a prefix above one that is denied', [allow('a', PREFIXED), deny('ab', PREFIXED)], true],
    ['a name, all being denied', [allow('a'), deny('*')], false],
    ['all, a name being denied', [allow('*'), deny('a')], true],
    ['all, of everybody', [{ ...allow('*'), principal: 'User:*' }], true],
    ['a name, of everybody', [{ ...allow('a'), principal: 'User:*' }], true],
    ['a name, denied to everybody', [allow('a'), { ...deny('a'), principal: 'User:*' }], false],
    ['a name, from elsewhere', [{ ...allow('a'), host: '10.0.0.9' }], false],
  ])('%s', (_what, changes, expected) => {
    expect(aclsOf(...changes).authoriseByResourceType('User:a', 'h', WRITE, TOPIC)).toBe(expected)
  })
})

test('authorised operations are bits, of those that the resource knows', () => {
  const bits = (acls: Acls, type: ResourceType, name: string) =>
    acls.authorisedOperations('User:a', 'h', type, name)
  // the numbers that Kafka has for all of a topic, of a group, of the cluster
  const everything = new Acls({ superUsers: ['User:a'], allowEveryoneIfNoAclFound: false })
  expect(bits(everything, TOPIC, 't')).toBe(0b110111111000)
  expect(bits(everything, GROUP, 'g')).toBe(0b110101001000)
  expect(bits(everything, ResourceType.CLUSTER, 'kafka-cluster')).toBe(0b1111110100000)
  expect(bits(aclsOf({}), TOPIC, 't')).toBe((1 << READ) | (1 << DESCRIBE))
  expect(bits(aclsOf({}), TOPIC, 'u')).toBe(0)
})

/** What the rules say, by looking at each ACL. */
function plainly(bindings: AclBinding[], operation: number, name: string, host: string): boolean {
  const about = bindings.filter((one) =>
    one.patternType === PREFIXED
      ? name.startsWith(one.resourceName)
      : one.resourceName === name || one.resourceName === '*',
  )
  const mine = about.filter(
    (one) =>
      ['User:a', 'User:*'].includes(one.principal) &&
      ['*', host].includes(one.host) &&
      (one.operation === ALL || one.operation === operation),
  )
  return !mine.some((one) => one.permissionType === DENY) && mine.length > 0
}

test('after any changes the answer is that of one who looks at each ACL', () => {
  const name = fc.string({
    unit: fc.constantFrom('a', 'b', '!', '*', '\u{1f600}', '～'),
    maxLength: 5,
  })
  const one = fc.record({
    ...{ resourceType: fc.constant(TOPIC), resourceName: name.filter((text) => text !== '') },
    ...{ patternType: fc.constantFrom(LITERAL, PREFIXED, PREFIXED) },
    ...{ principal: fc.constantFrom('User:a', 'User:*', 'User:b') },
    ...{ host: fc.constantFrom('*', '10.0.0.1'), operation: fc.constantFrom(READ, WRITE, ALL) },
    permissionType: fc.constantFrom(ALLOW, ALLOW, ALLOW, DENY),
  })
  const steps = fc.array(fc.record({ one, keep: fc.integer({ min: 0, max: 3 }) }), {
    maxLength: 40,
  })
  fc.assert(
    fc.property(steps, fc.array(name, { minLength: 20, maxLength: 20 }), (changes, names) => {
      const acls = new Acls()
      for (const { one: added, keep } of changes) {
        acls.add(added)
        if (keep === 0) acls.remove([...acls.bindings()][Math.floor(acls.size / 2)]!)
      }
      const left = [...acls.bindings()]
      for (const asked of [...names, ...left.map((known) => `${known.resourceName}a`)]) {
        for (const host of ['10.0.0.1', '10.0.0.2']) {
          const ours = acls.authorise('User:a', host, READ, TOPIC, asked)
          expect(ours, asked).toBe(plainly(left, READ, asked, host))
        }
      }
    }),
    { numRuns: 500 },
  )
})
