import { describe, expect, it } from 'vitest'
import type { TenantId } from '../../src/base/ids.ts'
import { ACLS_PER_TENANT_MAX, type AclBinding } from '../../src/image/acl-binding.ts'
import type { AclFilter } from '../../src/image/acl-filter.ts'
import type { ControllerRequest, ControllerResponse } from '../../src/image/request.ts'
import { controller, OTHER, verdict } from './controller.ts'
import { SECRET } from './some-command.ts'

const acl = (more: Partial<AclBinding> = {}): AclBinding => ({
  ...{ resourceType: 2, resourceName: 'orders', patternType: 3, principal: 'User:ada' },
  ...{ host: '*', operation: 3, permissionType: 3, ...more },
})
const all: AclFilter = {
  ...{ resourceType: 1, resourceName: null, patternType: 1, principal: null, host: null },
  ...{ operation: 1, permissionType: 1 },
}

function world() {
  const one = controller()
  const ask = (request: ControllerRequest, tenantId: TenantId = one.tenantId) =>
    one.ask(tenantId, request)
  const said = (answer: ControllerResponse) =>
    'results' in answer ? answer.results.map((result) => verdict(result)) : []
  const aclsOf = (tenantId: TenantId) => [...(one.image.tenant(tenantId)!.access?.acls() ?? [])]
  return { ...one, ask, said, aclsOf }
}

describe('ACLs', () => {
  it('are a tenant’s own, once each, and go by filters', () => {
    const { ask, said, aclsOf, tenantId } = world()
    const writes = acl({ operation: 4 })
    const create = { kind: 'create-acls', acls: [acl(), acl(), writes] } as const
    expect(said(ask(create))).toEqual(['NONE', 'NONE', 'NONE'])
    expect(said(ask(create))).toEqual(['NONE', 'NONE', 'NONE'])
    ask({ kind: 'create-acls', acls: [acl()] }, OTHER)
    expect([aclsOf(tenantId), aclsOf(OTHER)]).toEqual([[acl(), writes], [acl()]])
    const removed = ask({
      kind: 'delete-acls',
      filters: [{ ...all, operation: 4 }, { ...all, operation: 9 }, all, { ...all, operation: 0 }],
    })
    expect(removed).toMatchObject({
      results: [{ acls: [writes] }, { acls: [] }, { acls: [acl()] }, { error: 42, acls: [] }],
    })
    expect([aclsOf(tenantId), aclsOf(OTHER)]).toEqual([[], [acl()]])
  })

  it('are refused one by one', () => {
    const { ask, said, aclsOf, tenantId } = world()
    const wrong = [acl({ principal: 'ada' }), acl({ host: 'example.org' }), acl({ operation: 12 })]
    const results = said(ask({ kind: 'create-acls', acls: [acl(), ...wrong] }))
    expect(results.map((text) => text.split(':')[0])).toEqual([
      'NONE',
      ...Array(3).fill('INVALID_REQUEST'),
    ])
    expect(aclsOf(tenantId)).toEqual([acl()])
  })

  it('are bounded, by tenant', () => {
    const { ask, said } = world()
    const many = (from: number, count: number) =>
      Array.from({ length: count }, (_, at) => acl({ resourceName: `t${from + at}` }))
    for (let from = 0; from < ACLS_PER_TENANT_MAX; from += 1_000) {
      ask({ kind: 'create-acls', acls: many(from, 1_000) })
    }
    expect(said(ask({ kind: 'create-acls', acls: [acl(), ...many(5, 1)] }))).toEqual([
      'POLICY_VIOLATION: There would be 10001 ACLs, more than the limit of 10000',
      'NONE',
    ])
    expect(said(ask({ kind: 'create-acls', acls: [acl()] }, OTHER))).toEqual(['NONE'])
  })
})

describe('SCRAM users', () => {
  const stronger = { ...SECRET, mechanism: 'SCRAM-SHA-512' } as const
  const alter = (
    user: string,
    set: readonly (typeof SECRET)[],
    deleted: readonly (typeof SECRET.mechanism)[] = [],
  ) => ({ kind: 'alter-users', users: [{ user, set, deleted }] }) as const

  it('have a secret of each mechanism, which is changed alone', () => {
    const { ask, image, tenantId } = world()
    const secretsOf = (user: string) => image.tenant(tenantId)!.access?.secretsOf(user) ?? []
    ask(alter('ada', [stronger]))
    ask(alter('ada', [SECRET]))
    expect(secretsOf('ada')).toEqual([SECRET, stronger])
    const changed = { ...SECRET, iterations: 8_192 }
    ask(alter('ada', [changed], ['SCRAM-SHA-512']))
    expect(secretsOf('ada')).toEqual([changed])
    ask(alter('ada', [], ['SCRAM-SHA-256']))
    expect([secretsOf('ada'), image.tenant(tenantId)!.access]).toEqual([[], null])
    expect(image.tenant(OTHER)!.access).toBeNull()
  })

  it.each([
    [
      'RESOURCE_NOT_FOUND: Attempt to delete a user credential that does not exist',
      alter('ada', [], ['SCRAM-SHA-256']),
    ],
    ['UNACCEPTABLE_CREDENTIAL: Username must not be empty', alter('', [SECRET])],
    ["UNACCEPTABLE_CREDENTIAL: Username must not be '*'", alter('*', [SECRET])],
    [
      'UNACCEPTABLE_CREDENTIAL: Username of 256 characters, at most 255',
      alter('x'.repeat(256), [SECRET]),
    ],
    ['NONE', { ...alter('ada', [], ['SCRAM-SHA-256']), isRepeat: true }],
  ])('are told %j', (text, request) => {
    const { ask, said } = world()
    expect(said(ask(request))).toEqual([text])
  })

  it('are as many as the tenant may have', () => {
    const { ask, said } = world()
    ask({ kind: 'alter-tenant', settings: {}, limits: { users: 2 } })
    expect(['a', 'b', 'c', 'a'].map((user) => said(ask(alter(user, [SECRET])))[0])).toEqual([
      ...['NONE', 'NONE'],
      'POLICY_VIOLATION: The limit of 2 users of this cluster would be passed: 2 are used, 1 more are asked for.',
      'NONE',
    ])
    ask(alter('a', [], ['SCRAM-SHA-256']))
    expect(said(ask(alter('c', [SECRET])))).toEqual(['NONE'])
  })
})
