/** Every handler asks for what the table of required ACLs says: each right in turn is the only one that a client lacks. */
import { describe, expect, it, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { servedApis } from '../../src/front/handlers.ts'
import { ResourceType, supportedOperations } from '../../src/image/acl-binding.ts'
import type { Api } from '../../src/protocol/api.ts'
import { aclsOfApi, type RequiredAcl, requiredAcls } from '../../src/tenant/required-acls.ts'
import { askingFor } from './acl-requests.ts'
import { AclWorld, everything, type Rule } from './acl-world.ts'
import { call } from './call.ts'

/** Until there are transactions, they are refused in any case, with the same code: the text tells. */
const REFUSED_ANYWAY = /not available yet/
const isTransactional = ({ resourceType }: RequiredAcl) =>
  resourceType === ResourceType.TRANSACTIONAL_ID

/** Rules that take away just this right, and what would be enough in its place. */
function without({ operation, resourceType, alsoEnough }: RequiredAcl): Rule[] {
  const rules: Rule[] = [{ type: resourceType, operation, denies: true }]
  if (alsoEnough !== null) {
    const { resourceType: type } = alsoEnough
    // what no ACL can say alone, ALL says
    const isKnown = (supportedOperations(type) & (1 << alsoEnough.operation)) !== 0
    rules.push({ type, operation: isKnown ? alsoEnough.operation : 2, denies: true })
  }
  return rules
}

/** What is never allowed while a right is asked for: names of topics that may be deleted are told with that alone. */
const NEVER: Readonly<Record<string, readonly Rule[]>> = {
  'deleteTopics.see': without(requiredAcls.deleteTopics.acls.topic),
}

function ask(api: Api, name: string, right: string, rules: readonly Rule[]): object {
  const world = new AclWorld()
  world.allow(...everything, ...rules, ...(NEVER[`${name}.${right}`] ?? []))
  const { version, request } = askingFor[name]![right]!(world)
  return call(world.world, world.alice, api, version, request as never)
}

/** All error codes of an answer but NONE, of whatever in it. */
function codesIn(value: unknown): number[] {
  if (Array.isArray(value)) return value.flatMap(codesIn)
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return []
  return Object.entries(value).flatMap(([key, one]) => {
    if (key === 'errorCode') return one === ErrorCode.NONE ? [] : [one as number]
    return codesIn(one)
  })
}

/** The value of a field that `path` names, of the first element of each array. */
function fieldAt(answer: unknown, path: string): unknown {
  let at = answer as Record<string, unknown>
  for (const part of path.split('.')) {
    const name = part.replace('[]', '')
    const value = at[name]
    at = (part.endsWith('[]') ? (value as unknown[])[0] : value) as Record<string, unknown>
  }
  return at
}

/** Whether the answer has a thing that the client may not see. */
const shows = (answer: object, { resourceType }: RequiredAcl) =>
  JSON.stringify(answer).includes(resourceType === ResourceType.TOPIC ? '"t"' : '"g"')

function expectRefused(answer: object, right: RequiredAcl): void {
  const { refused } = right
  switch (refused.kind) {
    case 'request':
    case 'item':
      expect([...new Set(codesIn(answer))]).toEqual([refused.error])
      break
    case 'left-out':
      expect(codesIn(answer)).toEqual([])
      expect(shows(answer, right)).toBe(false)
      break
    case 'field':
      expect(codesIn(answer)).toEqual([])
      expect(fieldAt(answer, refused.field)).toBe(refused.value)
      break
    case 'hidden':
      expect(shows(answer, right)).toBe(false)
      break
    default:
      refused satisfies never
  }
}

function expectAllowed(answer: object, right: RequiredAcl): void {
  const { refused } = right
  const text = JSON.stringify(answer)
  switch (refused.kind) {
    case 'request':
    case 'item':
      if (isTransactional(right)) expect(codesIn(answer)).toEqual([refused.error])
      else expect(codesIn(answer)).not.toContain(refused.error)
      break
    case 'left-out':
    case 'hidden':
      expect(shows(answer, right), text).toBe(true)
      break
    case 'field':
      expect(fieldAt(answer, refused.field)).not.toBe(refused.value)
      break
    default:
      refused satisfies never
  }
}

const cases = Object.entries(requiredAcls).flatMap(([name, { key, acls }]) => {
  const api = servedApis.find((one) => one.key === key)
  return Object.entries(acls).map(([right, required]) => [name, right, api, required] as const)
})

describe('every right that is asked for', () => {
  it('has a request here, and there are no others', () => {
    const asked = Object.entries(askingFor).flatMap(([name, rights]) =>
      Object.keys(rights).map((right) => `${name}.${right}`),
    )
    expect(asked.sort()).toEqual(cases.map(([name, right]) => `${name}.${right}`).sort())
    expect(cases.filter(([, , api]) => api === undefined)).toEqual([])
    for (const { key, name } of servedApis) expect(aclsOfApi(key), name).toBeDefined()
  })

  it.each(cases)('%s: %s', (name, right, api, required) => {
    expectRefused(ask(api!, name, right, without(required)), required as RequiredAcl)
    expectAllowed(ask(api!, name, right, []), required as RequiredAcl)
  })
})

test('what needs a transaction says which of the two it is that it lacks', () => {
  for (const [name, right, api, required] of cases) {
    // InitProducerId has no text
    if (!isTransactional(required) || name === 'initProducerId') continue
    expect(JSON.stringify(ask(api!, name, right, []))).toMatch(REFUSED_ANYWAY)
    expect(JSON.stringify(ask(api!, name, right, without(required)))).not.toMatch(REFUSED_ANYWAY)
  }
})
