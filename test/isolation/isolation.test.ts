/** What one tenant asks in another's words is answered as if the other had never been. */
import { describe, expect, it } from 'vitest'
import { handlers, servedApis } from '../../src/front/handlers.ts'
import { describeQuorum } from '../../src/protocol/55-describe-quorum.ts'
import { Api } from '../../src/protocol/api.ts'
import type { Entity } from '../../src/protocol/entity.ts'
import { Field, type Fields } from '../../src/protocol/schema.ts'
import { requireScopes } from '../../src/tenant/scope.ts'
import { untagged } from '../protocol/untagged.ts'
import { bases } from './bases.ts'
import { MASKS } from './masks.ts'
import { boundPaths } from './probes.ts'
import { prove, versionsOf } from './proof.ts'
import { DEFAULT_B } from './world.ts'

const LONG = process.env.GRIOT_TEST_LONG !== undefined
const HOW = LONG ? { isThorough: true } : { mutationsMax: 3 }

describe('a tenant that asks in another tenant’s words', () => {
  it('gets, byte for byte, what it would get if there were none', { timeout: 900_000 }, () => {
    const beganMs = performance.now()
    const { compared, byApi, masked, findings } = prove(HOW)
    const tookMs = Math.round(performance.now() - beganMs)
    process.stdout.write(`isolation: ${compared} requests compared in ${tookMs} ms\n`)
    expect(findings).toEqual([])
    expect([...byApi.keys()].sort()).toEqual(servedApis.map(({ name }) => name).sort())
    expect(compared).toBeGreaterThan(20_000)
    // a mask that hides nothing any more must go
    expect([...masked.keys()]).toEqual(MASKS.map(({ name }) => name))
  })

  it('gets the same while the other goes on with its life', { timeout: 900_000 }, () => {
    const how = LONG ? { ...HOW, mutationsMax: 10 } : ({ only: 'ends', mutationsMax: 0 } as const)
    const { compared, findings } = prove({ ...how, isBusy: true })
    process.stdout.write(`isolation: ${compared} requests beside a busy tenant compared\n`)
    expect(findings).toEqual([])
    expect(compared).toBeGreaterThan(3_000)
  })

  it('without logging in gets the same, but for the quorum', { timeout: 900_000 }, () => {
    const apis = servedApis.filter((api) => api !== (describeQuorum as Api))
    const how = LONG ? { ...HOW, mutationsMax: 10 } : ({ only: 'ends', mutationsMax: 0 } as const)
    const { compared, findings } = prove({ ...how, apis, b: DEFAULT_B })
    process.stdout.write(`isolation: ${compared} requests of the tenant default compared\n`)
    expect(findings).toEqual([])
    expect(compared).toBeGreaterThan(3_000)
  })

  it('at a listener of its own gets the same', { timeout: 900_000 }, () => {
    const how = LONG ? { ...HOW, mutationsMax: 10 } : ({ only: 'last', mutationsMax: 0 } as const)
    const { compared, findings } = prove({ ...how, hasListeners: true })
    process.stdout.write(`isolation: ${compared} requests at a listener of its own compared\n`)
    expect(findings).toEqual([])
    expect(compared).toBeGreaterThan(2_000)
  })

  it('gets the same where each partition has three replicas', { timeout: 900_000 }, () => {
    const how = LONG ? { ...HOW, mutationsMax: 10 } : ({ only: 'last', mutationsMax: 0 } as const)
    const { compared, findings } = prove({ ...how, replicas: 3 })
    process.stdout.write(`isolation: ${compared} requests about three replicas compared\n`)
    expect(findings).toEqual([])
    expect(compared).toBeGreaterThan(3_000)
  })
})

/** The fields without the tag of the one at `path`. */
function without(fields: Fields, path: string, prefix = ''): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, bare(field, path, prefix + name)]),
  )
}

function bare(field: Field, path: string, at: string): Field {
  const { element, fields } = field
  const copy = Object.assign(Object.create(Field.prototype) as Field, field)
  return Object.assign(copy, {
    ...(at === path ? { entity: undefined } : {}),
    ...(element === undefined ? {} : { element: bare(element, path, `${at}[]`) }),
    ...(fields === undefined ? {} : { fields: without(fields, path, `${at}.`) }),
  })
}

/** By the build (a test that all that names something is tagged), or when an engine starts. */
function isRefused(api: Api, scopes: readonly Entity[]): boolean {
  if (untagged([api]).length > 0) return true
  try {
    requireScopes(api, scopes)
    return false
  } catch {
    return true
  }
}

describe('an API', () => {
  it('is asked about in this proof if it is served, and else not', () => {
    expect(Object.keys(bases).map(Number)).toEqual(servedApis.map(({ key }) => key))
  })

  it('from which a tag is removed does not pass', () => {
    let removed = 0
    const unseen: string[] = []
    for (const { api, scopes } of handlers) {
      const paths = new Set(versionsOf(api).flatMap((version) => [...boundPaths(api, version)]))
      for (const path of paths) {
        const careless = Object.assign(Object.create(Api.prototype) as Api, api, {
          request: without(api.request, path),
        })
        if (!isRefused(careless, scopes)) unseen.push(`${api.name} ${path}`)
        removed++
      }
    }
    expect(unseen).toEqual([])
    expect(removed).toBeGreaterThan(60)
  })
})
