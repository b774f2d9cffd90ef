import {
  ACLS_PER_TENANT_MAX,
  type AclBinding,
  AclOperation,
  PatternType,
  PermissionType,
  ResourceType,
} from '../../src/image/acl-binding.ts'
import { Acls } from '../../src/tenant/authorizer.ts'
import type { Case, Subject } from './case.ts'

const PRINCIPAL = 'User:alice'
const HOST = '10.0.0.1'
const { LITERAL, PREFIXED } = PatternType
const { READ, WRITE, ALL } = AclOperation
const { TOPIC } = ResourceType

const allow = (
  resourceName: string,
  patternType: PatternType,
  principal: string = PRINCIPAL,
): AclBinding => ({
  ...{ resourceType: TOPIC, resourceName, patternType, principal },
  ...{ host: '*', operation: READ, permissionType: PermissionType.ALLOW },
})

/** The most ACLs that a tenant has, made by `of`. */
function full(of: (n: number) => AclBinding): Acls {
  const acls = new Acls()
  for (let n = 0; n < ACLS_PER_TENANT_MAX; n++) acls.add(of(n))
  return acls
}

/** Whether one may read a topic, asked for one of 100 topics by turns. */
function ask(name: string, acls: Acls, expected: boolean, topicOf: (n: number) => string): Case {
  const topics = Array.from({ length: 100 }, (_, n) => topicOf(n))
  let at = 0
  return {
    name,
    run: () => {
      at = at === 99 ? 0 : at + 1
      if (acls.authorise(PRINCIPAL, HOST, READ, TOPIC, topics[at]!) !== expected) {
        throw new Error(`${name}: not ${expected}`)
      }
    },
  }
}

/** What the front asks for each topic of each request. */
export function aclsSubject(): Subject {
  const everybody = new Acls({ superUsers: [], allowEveryoneIfNoAclFound: true })
  const names = full((n) => allow(`topic-${n}`, LITERAL))
  const prefixes = full((n) => allow(`team-${n}.`, PREFIXED))
  const people = full((n) => allow('*', LITERAL, n === 5_000 ? PRINCIPAL : `User:${n}`))
  const nested = full((n) => allow('x'.repeat(1 + (n % 249)), PREFIXED, `User:${n}`))
  const denied = full((n) => ({ ...allow(`topic-${n}`, LITERAL), operation: WRITE }))
  denied.add({ ...allow('t', PREFIXED), operation: ALL, permissionType: PermissionType.DENY })
  const topic = (n: number): string => `topic-${n * 97}`
  return {
    cases: [
      ask('no ACLs', everybody, true, topic),
      ask('10,000 names', names, true, topic),
      ask('10,000 names, another', names, false, (n) => `other-${n}`),
      ask('10,000 prefixes', prefixes, true, (n) => `team-${n * 97}.orders`),
      ask('10,000 users of all topics', people, true, topic),
      ask('249 prefixes that match', nested, false, () => 'x'.repeat(249)),
      {
        name: 'any topic, 10,000 denied by one',
        run: () => {
          if (denied.authoriseByResourceType(PRINCIPAL, HOST, WRITE, TOPIC)) throw new Error('yes')
        },
      },
      {
        name: 'one ACL of 10,000 prefixes added and removed',
        run: () => {
          const one = allow('team-', PREFIXED)
          if (!prefixes.add(one) || !prefixes.remove(one)) throw new Error('not added')
        },
      },
    ],
  }
}
