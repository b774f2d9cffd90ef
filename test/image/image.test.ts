import { describe, expect, it } from 'vitest'
import type { PartitionIndex, PartitionNumber } from '../../src/base/ids.ts'
import {
  type AclBinding,
  AclOperation,
  PatternType,
  PermissionType,
  ResourceType,
} from '../../src/image/acl-binding.ts'
import { applyMetadata } from '../../src/image/apply-metadata.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import { imageEntries, snapshotMessages } from '../../src/image/snapshot.ts'
import { ACME, deleted, formed, tenant, topic, topicId, ZETA } from './support.ts'

const index = (n: number) => n as PartitionIndex
const number = (n: number) => n as PartitionNumber

const story: readonly MetadataEntry[] = [
  formed,
  tenant(ACME, 'default'),
  tenant(ZETA, 'zeta'),
  topic(ACME, 1, 'orders', 1, [1, 2, 3], { 'retention.ms': '1000' }),
  topic(ZETA, 2, 'orders', 4, [2]),
  topic(ACME, 3, 'audit', 5, [3, 1]),
  { kind: 'producer-ids', tenantId: ACME, next: 1000 },
  deleted(ACME, 1),
  topic(ACME, 4, 'orders', 7, [1]),
  { kind: 'producer-ids', tenantId: ACME, next: 2000 },
]

const ACL: AclBinding = {
  ...{ resourceType: ResourceType.TOPIC, resourceName: 'orders', patternType: PatternType.LITERAL },
  ...{ principal: 'User:u', host: '*', operation: AclOperation.READ },
  permissionType: PermissionType.ALLOW,
}

function imageOf(entries: readonly MetadataEntry[]): MetadataImage {
  const image = new MetadataImage()
  for (const entry of entries) image.apply(entry)
  return image
}

describe('MetadataImage', () => {
  it('finds topics by name and by id, each tenant its own', () => {
    const image = imageOf(story)
    expect(image.topicByName(ACME, 'orders')?.topicId).toBe(topicId(4))
    expect(image.topicByName(ZETA, 'orders')?.topicId).toBe(topicId(2))
    expect(image.topicById(ZETA, topicId(2))?.name).toBe('orders')
    expect(image.topicById(ACME, topicId(2))).toBeUndefined()
    expect(image.topicById(ACME, topicId(1))).toBeUndefined()
    expect([...image.topics(ACME)].map((one) => one.name)).toEqual(['audit', 'orders'])
    expect(image.defaultTenant?.tenantId).toBe(ACME)
    expect(image.tenantByName('zeta')?.clusterId).toBe('lkc-zeta')
    expect(image.tenant(ACME)).toMatchObject({ topicCount: 2, partitionCount: 3 })
    expect([image.tenantCount, image.topicCount, image.partitionCount]).toEqual([2, 3, 4])
  })

  it('tells who leads a partition, and nothing of deleted ones', () => {
    const image = imageOf(story)
    const audit = image.topicByName(ACME, 'audit')!
    expect(audit.numberOf(index(1))).toBe(6)
    expect(image.leaderOf(audit.numberOf(index(0)))).toBe(3)
    expect(image.leaderEpochOf(number(6))).toBe(0)
    expect(image.partition(number(6))).toEqual({
      topic: audit,
      index: 1,
      leader: 1,
      leaderEpoch: 0,
      replicas: [1],
    })
    expect(image.topicOf(number(4))?.tenantId).toBe(ZETA)
    for (const gone of [1, 2, 3, 99]) {
      expect(image.partition(number(gone))).toBeUndefined()
      expect(image.leaderOf(number(gone))).toBe(0)
      expect(image.leaderEpochOf(number(gone))).toBe(-1)
    }
    expect([...image.partitionNumbers()].sort()).toEqual([4, 5, 6, 7])
  })

  it('keeps topics apart, and in order, while they come and go between look-ups', () => {
    const image = imageOf(story.slice(0, 3))
    const names = () => [...image.topics(ACME)].map((one) => one.name)
    for (let n = 0; n < 60; n++) {
      image.apply(topic(ACME, 100 + n, `t${100 + n}`, 100 + n, [1]))
      image.apply(topic(ZETA, 500 + n, `t${100 + n}`, 500 + n, [2]))
      expect(names().at(-1)).toBe(`t${100 + n}`)
      if (n < 10) continue
      image.apply(deleted(ACME, 90 + n))
      expect(names()).toHaveLength(10)
      expect(names()).toEqual([...names()].sort())
      for (let i = n - 9; i <= n; i++) {
        expect(image.topicOf(number(100 + i))).toMatchObject({
          tenantId: ACME,
          name: `t${100 + i}`,
        })
        expect(image.topicOf(number(500 + i))).toMatchObject({
          tenantId: ZETA,
          name: `t${100 + i}`,
        })
      }
    }
  })

  it('parses configs over the broker’s, once for equal overrides', () => {
    const image = new MetadataImage({ 'log.retention.hours': '1' })
    for (const entry of story.slice(0, 6)) image.apply(entry)
    expect(image.topicByName(ACME, 'orders')?.effective.retentionMs).toBe(1000)
    const audit = image.topicByName(ACME, 'audit')!
    expect(audit.effective.retentionMs).toBe(3_600_000)
    expect(image.topicByName(ZETA, 'orders')!.effective).toBe(audit.effective)
  })

  it('passes over keys, users and ACLs where nobody logs in, also of an image that begins anew', () => {
    const secrets = [
      {
        mechanism: 'SCRAM-SHA-256',
        iterations: 4096,
        salt: 'c2FsdA==',
        storedKey: 'a2V5',
        serverKey: 'a2V5',
      },
    ] as const
    const key = { tenantId: ZETA, keyId: 'K1', user: 'admin', createdAtMs: 1, secrets }
    const access: MetadataEntry[] = [
      { kind: 'api-key', ...key },
      { kind: 'user-secrets', tenantId: ZETA, user: 'u', secrets },
      { kind: 'acls-added', tenantId: ZETA, acls: [ACL] },
    ]
    const front = imageOf([...story, ...access])
    expect(front.apiKey('K1')?.tenant.tenantId).toBe(ZETA)
    const broker = new MetadataImage({}, { keepsAccess: false })
    for (const entry of [...story, ...access]) broker.apply(entry)
    const joined = new MetadataImage({}, { keepsAccess: false })
    for (const message of snapshotMessages(front, 1)) applyMetadata(joined, message)
    for (const image of [broker, joined]) {
      expect([image.apiKey('K1'), image.tenant(ZETA)!.access]).toEqual([undefined, null])
      expect(image.offset).toBe(front.offset)
      expect(image.hash()).toBe(imageOf(story).hash())
      const gone = { tenantId: ZETA, acls: [ACL] }
      image.apply({ kind: 'acls-removed', ...gone })
      image.apply({ kind: 'api-key-revoked', tenantId: ZETA, keyId: 'K1' })
      expect(image.tenant(ZETA)!.access).toBeNull()
    }
  })

  it('is the same whether replayed, fed by messages, or started from a snapshot', () => {
    const replayed = imageOf(story)
    const fed = new MetadataImage()
    story.forEach((entry, first) => {
      applyMetadata(fed, { kind: 'metadata', epoch: 1, first, offset: first + 1, entries: [entry] })
    })
    expect(fed.hash()).toBe(replayed.hash())
    const joined = imageOf(story.slice(0, 3))
    for (const message of snapshotMessages(replayed, 1)) applyMetadata(joined, message)
    expect(joined.hash()).toBe(replayed.hash())
    expect(joined.offset).toBe(story.length)
    const next = topic(ZETA, 9, 'later', 8, [1])
    for (const image of [replayed, joined]) {
      applyMetadata(image, { kind: 'metadata', epoch: 1, first: 10, offset: 11, entries: [next] })
    }
    expect(joined.hash()).toBe(replayed.hash())
  })

  it('has another hash for any other state', () => {
    const hashes = story.map((_, i) => imageOf(story.slice(0, i + 1)).hash())
    expect(new Set(hashes).size).toBe(story.length)
    expect(
      imageOf([...story.slice(0, 9), { ...story[9]!, next: 2001 } as MetadataEntry]).hash(),
    ).not.toBe(hashes[9])
  })

  it('hashes the state, not the way to it', () => {
    const direct = story.filter((_, i) => i !== 3 && i !== 6 && i !== 7)
    expect(imageOf(direct).hash()).toBe(imageOf(story).hash())
    expect([...imageEntries(imageOf(direct))]).toHaveLength(7)
  })

  it('cuts a large snapshot into messages that follow each other', () => {
    const image = imageOf([formed, tenant(ACME, 'default')])
    for (let n = 0; n < 12_000; n++) image.apply(topic(ACME, n + 1, `t${n}`, n + 1, [1]))
    const messages = [...snapshotMessages(image, 1)]
    expect(messages.map((message) => [message.first, message.offset, message.more])).toEqual([
      [0, 5000, true],
      [5000, 10_000, true],
      [10_000, 12_002, undefined],
    ])
    const joined = new MetadataImage()
    for (const message of messages) applyMetadata(joined, message)
    expect(joined.hash()).toBe(image.hash())
  })

  it('refuses a gap, a repetition, and entries that cannot follow', () => {
    const image = imageOf(story)
    const delta = (first: number) => ({
      kind: 'metadata' as const,
      epoch: 1,
      first,
      offset: first,
      entries: [],
    })
    expect(() => applyMetadata(image, delta(9))).toThrow('from 9 cannot follow an image at 10')
    expect(() => applyMetadata(image, delta(11))).toThrow('from 11 cannot follow an image at 10')
    expect(() => image.apply(formed)).toThrow(/formed once/)
    expect(() => image.apply(tenant(ACME, 'x'))).toThrow(/tenant id is used once/)
    expect(() => image.apply(tenant('f'.repeat(16) as typeof ACME, 'zeta'))).toThrow(/tenant name/)
    expect(() => image.apply(topic(ACME, 3, 'x', 50, [1]))).toThrow(/topic id is used once/)
    expect(() => image.apply(topic(ACME, 50, 'audit', 50, [1]))).toThrow(/topic name is used once/)
    expect(() => image.apply(deleted(ZETA, 3))).toThrow(/that is deleted exists/)
    expect(() => image.apply({ kind: 'producer-ids', tenantId: ACME, next: 1 })).toThrow(/twice/)
    expect(() => new MetadataImage().apply({ ...formed, format: 99 } as MetadataEntry)).toThrow(
      /format 99/,
    )
  })
})
