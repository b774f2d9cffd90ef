import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { servedApis } from '../../src/front/handlers.ts'
import {
  AclOperation,
  CLUSTER_NAME,
  PatternType,
  PermissionType,
  ResourceType,
  supportedOperations,
} from '../../src/image/acl-binding.ts'
import { apis } from '../../src/protocol/apis.ts'
import type { Entity } from '../../src/protocol/entity.ts'
import { type Fields, walkFields } from '../../src/protocol/schema.ts'
import { Acls } from '../../src/tenant/authorizer.ts'
import { aclsOfApi, isAllowed, requiredAcls } from '../../src/tenant/required-acls.ts'

const { TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID } = ResourceType

/** Fields by which a request names things that ACLs are about, and what they can name. */
const KINDS = new Map<Entity, readonly ResourceType[]>([
  ['topicName', [TOPIC]],
  ['topicId', [TOPIC]],
  ['groupId', [GROUP]],
  ['transactionalId', [TRANSACTIONAL_ID]],
  ['coordinatorKey', [GROUP, TRANSACTIONAL_ID]],
  ['configResource', [TOPIC, GROUP]],
])

function kindsOf(fields: Fields): Map<string, readonly ResourceType[]> {
  const found = new Map<string, readonly ResourceType[]>()
  walkFields(fields, (path, _name, field) => {
    const kinds = field.entity === undefined ? undefined : KINDS.get(field.entity)
    if (kinds !== undefined) found.set(path, kinds)
  })
  return found
}

const pathsOf = (fields: Fields): Set<string> => {
  const paths = new Set<string>()
  walkFields(fields, (path) => paths.add(path))
  return paths
}

test('every API that is served, or is about to be, has its ACLs or says why it needs none', () => {
  for (const { key, name } of servedApis) {
    const entry = aclsOfApi(key)
    expect(entry, name).toBeDefined()
    const isBare = Object.keys(entry!.acls).length === 0
    if (isBare) expect(entry!.unchecked[''], name).toMatch(/./)
  }
  for (const key of [17, 30, 31, 36, 50, 51]) expect(aclsOfApi(key)).toBeDefined()
  const keys = Object.values(requiredAcls).map(({ key }) => key)
  expect(keys).toEqual([...new Set(keys)].sort((a, b) => a - b))
})

describe.each(apis.map((api) => [api.name, api] as const))('the ACLs of %s', (_name, api) => {
  const entry = aclsOfApi(api.key)!
  const rights = Object.values(entry.acls)

  test('stand under its name', () => {
    const name = `${api.name[0]!.toLowerCase()}${api.name.slice(1)}`
    expect((requiredAcls as Record<string, unknown>)[name]).toBe(entry)
  })

  test('are about fields that there are, of what these name', () => {
    const kinds = kindsOf(api.request)
    const answers = kindsOf(api.response)
    for (const right of rights) {
      for (const field of right.fields)
        expect(kinds.get(field), field).toContain(right.resourceType)
      for (const field of right.answerFields) {
        expect(answers.get(field), field).toContain(right.resourceType)
      }
      const isNamed = right.fields.length + right.answerFields.length > 0
      expect(isNamed).toBe(right.resourceType !== CLUSTER)
      if (right.refused.kind === 'field') {
        expect(pathsOf(api.response)).toContain(right.refused.field)
      }
    }
  })

  test('leave no field out that names what ACLs are about', () => {
    for (const [field, kinds] of kindsOf(api.request)) {
      const excuse = entry.unchecked[field]
      for (const kind of kinds) {
        const isAsked = rights.some((r) => r.fields.includes(field) && r.resourceType === kind)
        expect(isAsked !== (excuse !== undefined), `${field}: asked for, or why not`).toBe(true)
      }
    }
    const known = new Set(['', ...kindsOf(api.request).keys()])
    for (const field of Object.keys(entry.unchecked)) expect(known).toContain(field)
  })

  test('ask for operations that the resources know', () => {
    for (const { operation, resourceType, refused } of rights) {
      expect(supportedOperations(resourceType) & (1 << operation)).not.toBe(0)
      if (refused.kind === 'request' || refused.kind === 'item') {
        expect(refused.error).not.toBe(ErrorCode.NONE)
      }
    }
  })
})

describe('a right', () => {
  const allowing = (resourceType: ResourceType, resourceName: string, operation: AclOperation) => {
    const acls = new Acls()
    acls.add({
      ...{ resourceType, resourceName, patternType: PatternType.LITERAL, principal: 'User:a' },
      ...{ host: '*', operation, permissionType: PermissionType.ALLOW },
    })
    return acls
  }
  const allowed = (acls: Acls, right: Parameters<typeof isAllowed>[3], name?: string) =>
    isAllowed(acls, 'User:a', '10.0.0.1', right, name)

  test('is of the name that is asked for, and without one of the cluster', () => {
    const acls = allowing(TOPIC, 't', AclOperation.WRITE)
    expect(allowed(acls, requiredAcls.produce.acls.topic, 't')).toBe(true)
    expect(allowed(acls, requiredAcls.produce.acls.topic, 'u')).toBe(false)
    expect(allowed(acls, requiredAcls.createAcls.acls.cluster)).toBe(false)
    const altering = allowing(CLUSTER, CLUSTER_NAME, AclOperation.ALTER)
    expect(allowed(altering, requiredAcls.createAcls.acls.cluster)).toBe(true)
  })

  test('can be had by another: of the cluster, or of any topic', () => {
    const creating = allowing(CLUSTER, CLUSTER_NAME, AclOperation.CREATE)
    expect(allowed(creating, requiredAcls.createTopics.acls.topic, 't')).toBe(true)
    expect(allowed(creating, requiredAcls.createTopics.acls.configs, 't')).toBe(false)
    const { idempotent } = requiredAcls.initProducerId.acls
    expect(allowed(allowing(TOPIC, 't', AclOperation.WRITE), idempotent)).toBe(true)
    expect(allowed(allowing(TOPIC, 't', AclOperation.READ), idempotent)).toBe(false)
    const idempotentWrite = allowing(CLUSTER, CLUSTER_NAME, AclOperation.IDEMPOTENT_WRITE)
    expect(allowed(idempotentWrite, idempotent)).toBe(true)
  })
})
