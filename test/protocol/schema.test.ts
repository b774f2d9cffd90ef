import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { produce } from '../../src/protocol/00-produce.ts'
import { api } from '../../src/protocol/api.ts'
import { apiByKey, apis } from '../../src/protocol/apis.ts'
import * as offsetsRecords from '../../src/protocol/consumer-offsets-records.ts'
import * as consumerProtocol from '../../src/protocol/consumer-protocol.ts'
import { array, int32, string, walkFields } from '../../src/protocol/schema.ts'
import { between, includes, since } from '../../src/protocol/version-range.ts'
import { VersionedMessage } from '../../src/protocol/versioned-message.ts'
import { untagged, untaggedFields } from './untagged.ts'

describe('schemas', () => {
  it('tag every field that names a thing', () => {
    expect(untagged(apis)).toEqual([])
    const messages = [...Object.values(offsetsRecords), ...Object.values(consumerProtocol)]
    const found = messages.filter((each) => each instanceof VersionedMessage)
    expect(found).toHaveLength(6)
    for (const { name, fields } of found) expect(untaggedFields(name, fields)).toEqual([])
  })

  it('are caught when they do not', () => {
    const careless = api({
      key: 99,
      name: 'Careless',
      versions: between(0, 1),
      flexibleFrom: 1,
      request: { topics: array({ name: string(), brokerIds: array(int32()) }) },
      response: { groupId: string({ versions: since(1) }), count: int32() },
    })
    expect(untagged([careless])).toEqual([
      'Careless request topics[].name',
      'Careless request topics[].brokerIds[]',
      'Careless response groupId',
    ])
  })

  it('lie in one file per API, named by key, and are all in the list, by rising key', () => {
    const files = readdirSync(new URL('../../src/protocol/', import.meta.url))
    const keys = files.flatMap((file) => /^(\d+)-.*\.ts$/.exec(file)?.[1] ?? []).map(Number)
    expect(apis.map((each) => each.key)).toEqual(keys.sort((a, b) => a - b))
    for (const each of apis) expect(apiByKey(each.key)).toBe(each)
    expect(apiByKey(12_345)).toBeUndefined()
    expect(apiByKey(-1)).toBeUndefined()
  })

  it('give tagged fields to flexible versions only, each number once', () => {
    for (const { name, flexibleFrom, validVersions, request, response } of apis) {
      for (const root of [request, response]) {
        const tags = new Map<string, Set<number>>()
        walkFields(root, (path, _name, field) => {
          if (field.tag < 0) return
          const parent = path.slice(0, path.lastIndexOf('.') + 1)
          const taken = tags.get(parent) ?? new Set()
          tags.set(parent, taken)
          expect(taken.has(field.tag), `${name} ${path}`).toBe(false)
          taken.add(field.tag)
          for (let version = validVersions.min; version <= validVersions.max; version++) {
            if (!includes(field.versions, version)) continue
            expect(version, `${name} ${path}`).toBeGreaterThanOrEqual(flexibleFrom ?? Infinity)
          }
        })
      }
    }
  })

  it('keep what is advertised apart from what is spoken', () => {
    expect(produce.validVersions).toEqual({ min: 3, max: 13 })
    expect(produce.advertisedVersions).toEqual({ min: 0, max: 13 })
    for (const each of apis) {
      if (each !== produce) {
        expect(each.advertisedVersions).toEqual(each.validVersions)
      }
    }
  })
})
