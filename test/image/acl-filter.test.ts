import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { PatternType, ResourceType } from '../../src/image/acl-binding.ts'
import {
  type AclFilter,
  byPattern,
  FILTERS_PER_REQUEST_MAX,
  filterMatches,
  refuseFilter,
  refuseFilterCount,
} from '../../src/image/acl-filter.ts'

const { ANY, MATCH, LITERAL, PREFIXED } = PatternType

const all: AclFilter = {
  ...{ resourceType: 1, resourceName: null, patternType: ANY },
  ...{ principal: null, host: null, operation: 1, permissionType: 1 },
}

const binding = (resourceName: string, patternType: number) => ({
  ...{ resourceType: ResourceType.TOPIC as number, resourceName, patternType },
  ...{ principal: 'User:a', host: '10.0.0.1', operation: 3, permissionType: 3 },
})

const bindings = [
  binding('orders', LITERAL),
  binding('*', LITERAL),
  binding('ord', PREFIXED),
  binding('orders', PREFIXED),
  binding('orders-eu', LITERAL),
  binding('*', PREFIXED),
]

const matched = (change: Partial<AclFilter>): string[] =>
  bindings
    .filter((one) => filterMatches({ ...all, ...change }, one))
    .map((one) => `${one.resourceName}/${one.patternType}`)

describe('a filter', () => {
  test('of nothing matches all', () => {
    for (const patternType of [ANY, MATCH]) {
      expect(matched({ patternType })).toHaveLength(bindings.length)
    }
  })

  test('by name matches by its pattern type', () => {
    const resourceName = 'orders'
    expect(matched({ resourceName, patternType: LITERAL })).toEqual(['orders/3'])
    expect(matched({ resourceName, patternType: PREFIXED })).toEqual(['orders/4'])
    expect(matched({ resourceName, patternType: ANY })).toEqual(['orders/3', 'orders/4'])
    expect(matched({ resourceName, patternType: MATCH })).toEqual([
      ...['orders/3', '*/3', 'ord/4', 'orders/4'],
    ])
  })

  test('by `*` matches that name, no others', () => {
    expect(matched({ resourceName: '*', patternType: LITERAL })).toEqual(['*/3'])
    expect(matched({ resourceName: '*', patternType: MATCH })).toEqual(['*/3', '*/4'])
  })

  test('by pattern type alone matches all of it', () => {
    expect(matched({ patternType: PREFIXED })).toEqual(['ord/4', 'orders/4', '*/4'])
  })

  test('matches only if all that it names does', () => {
    for (const wrong of [
      { resourceType: ResourceType.GROUP },
      { principal: 'User:*' },
      { host: '*' },
      { operation: 4 },
      { permissionType: 2 },
    ]) {
      expect(matched(wrong)).toEqual([])
    }
    const right = { resourceType: 2, principal: 'User:a', host: '10.0.0.1' }
    expect(matched({ ...right, operation: 3, permissionType: 3 })).toHaveLength(bindings.length)
  })

  test('is refused with what has no name', () => {
    expect(refuseFilter(all)).toBeNull()
    for (const [field, beyond] of [
      ['resourceType', 8],
      ['patternType', 5],
      ['operation', 16],
      ['permissionType', 4],
    ] as const) {
      for (const number of [0, beyond, -1]) {
        const refusal = refuseFilter({ ...all, [field]: number })
        expect(refusal?.error).toBe(ErrorCode.INVALID_REQUEST)
        expect(refusal?.message).toContain(`${number} is UNKNOWN: it must be from 1 (ANY) to`)
      }
      expect(refuseFilter({ ...all, [field]: beyond - 1 })).toBeNull()
    }
  })

  test('is one of 1,000 in a request at most', () => {
    expect(refuseFilterCount(FILTERS_PER_REQUEST_MAX)).toBeNull()
    expect(refuseFilterCount(1_001)?.message).toBe(
      '1001 filters in one request, more than the limit of 1000',
    )
  })
})

test('ACLs are told by pattern', () => {
  const another = { ...bindings[0]!, principal: 'User:b' }
  const told = byPattern([...bindings, another])
  expect(told).toHaveLength(bindings.length)
  expect(told[0]).toEqual({
    ...{ resourceType: ResourceType.TOPIC, resourceName: 'orders', patternType: LITERAL },
    acls: [bindings[0], another],
  })
})
