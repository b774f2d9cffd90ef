import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import {
  encodeOffsetKey,
  type OffsetKey,
  OffsetKeys,
} from '../../src/coordinator/group/offset-keys.ts'
import { decodeOffsetValue, encodeOffsetValue } from '../../src/coordinator/group/offset-value.ts'
import {
  groupMetadataKey,
  groupMetadataValue,
  offsetCommitKey,
  offsetCommitValue,
} from '../../src/protocol/consumer-offsets-records.ts'
import { decodeVersioned, encodeVersioned } from '../../src/protocol/versioned-message.ts'
import { WireFormatError } from '../../src/protocol/wire-format-error.ts'
import { GROUP, GroupHost, id, subscription } from './group-host.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const utf8 = fc.string({ unit: 'grapheme', maxLength: 200 })

describe('a committed offset as a record', () => {
  it('has the bytes that Kafka 4.3.1 writes', () => {
    const host = new GroupHost()
    host.wallMs = 0x0102030405
    host.commitOffsets({ a: [7] }, { metadata: 'hi', leaderEpoch: 3 })
    const { key, value } = host.log[0]!
    // type 1, group, topic, partition 0
    expect(hex(key)).toBe(`0001${'0005'}${hex(Buffer.from(GROUP))}${'0001'}61${'00000000'}`)
    // version 4: offset, leader epoch, compact metadata, timestamp, tag 0 with the topic id
    expect(hex(value!)).toBe(
      `0004${'0000000000000007'}${'00000003'}${'03'}6869${'0000000102030405'}${'01'}${'00'}${'10'}${id(1)}`,
    )
  })

  it('with a time of expiry is of version 1, and gone it is a tombstone', () => {
    const host = new GroupHost()
    host.wallMs = 5
    host.commitOffsets({ a: [7] }, { version: 3, retentionTimeMs: 10 })
    expect(hex(host.log[0]!.value!)).toBe(
      `0001${'0000000000000007'}${'0000'}${'0000000000000005'}${'000000000000000f'}`,
    )
    host.deleteOffsets({ a: [0] })
    expect(host.log[1]).toEqual({ key: host.log[0]!.key, value: null })
  })

  it('of any version is read as the codec reads it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4 }),
        fc.record({
          offset: fc.maxSafeInteger(),
          leaderEpoch: fc.integer(),
          metadata: utf8,
          commitTimestamp: fc.maxSafeInteger(),
          expireTimestamp: fc.constant(-1),
          topicId: fc.constantFrom(id(0), id(77)),
        }),
        (version, value) => {
          const bytes = encodeVersioned(offsetCommitValue, version, value)
          const { value: expected } = decodeVersioned(offsetCommitValue, bytes)
          expect(decodeOffsetValue(bytes)).toEqual({
            offset: expected.offset,
            leaderEpoch: expected.leaderEpoch,
            metadata: expected.metadata,
            commitTimestampMs: expected.commitTimestamp,
            expireTimestampMs: expected.expireTimestamp,
            topicId: expected.topicId,
          })
        },
      ),
    )
  })

  it('that is cut short is refused, wherever it is cut', () => {
    for (const version of [3, 4]) {
      const whole = encodeVersioned(offsetCommitValue, version, {
        ...{ offset: 1, leaderEpoch: 2, metadata: 'm'.repeat(60), commitTimestamp: 3 },
        ...{ expireTimestamp: -1, topicId: id(9) },
      })
      for (let length = 0; length < whole.length; length++) {
        expect(() => decodeOffsetValue(whole.subarray(0, length))).toThrow(WireFormatError)
      }
      // what a newer writer adds is not looked at
      const tagged = encodeOffsetValue(decodeOffsetValue(whole))
      expect(decodeOffsetValue(tagged)).toEqual(decodeOffsetValue(whole))
    }
  })

  it('with tags that nobody knows is read all the same', () => {
    const known = encodeVersioned(offsetCommitValue, 4, {
      ...{ offset: 1, leaderEpoch: 2, metadata: '', commitTimestamp: 3 },
      ...{ expireTimestamp: -1, topicId: id(0) },
    })
    const more = Buffer.concat([known.subarray(0, known.length - 1), Buffer.from([1, 9, 2, 5, 5])])
    expect(decodeOffsetValue(more)).toEqual(decodeOffsetValue(known))
  })
})

describe('the keys of offsets', () => {
  it('are found by their bytes and by their names, and forgotten', () => {
    const names = fc.tuple(
      fc.constantFrom('g', 'gg', 'ä', ''),
      fc.constantFrom('t', 'tt', 'topic.with-a_long-name-of-more-than-fifty-characters-in-it'),
      fc.integer({ min: 0, max: 9 }),
    )
    const changes = fc.array(fc.tuple(names, fc.boolean()), { maxLength: 300 })
    fc.assert(
      fc.property(changes, (steps) => {
        const keys = new OffsetKeys()
        const model = new Map<string, OffsetKey>()
        for (const [[group, topic, partition], adds] of steps) {
          const bytes = encodeOffsetKey(group, topic, partition)
          const name = JSON.stringify([group, topic, partition])
          const known = model.get(name)
          expect(keys.findBytes(bytes)).toBe(known)
          expect(keys.find(group, topic, partition)).toBe(known)
          if (adds) {
            const key = keys.intern(bytes)!
            expect(known ?? key).toBe(key)
            expect(key).toMatchObject({ groupId: group, topic, partition, bytes })
            model.set(name, key)
          } else if (known !== undefined) {
            keys.remove(known)
            model.delete(name)
          }
          expect(keys.size).toBe(model.size)
        }
        const listed = [...keys.groups.values()].flatMap((topics) =>
          [...topics.values()].flatMap((partitions) => [...partitions.values()]),
        )
        expect(new Set(listed)).toEqual(new Set(model.values()))
      }),
    )
  })

  it('of the oldest type mean the same', () => {
    const host = new GroupHost()
    host.commitOffsets({ a: [1] })
    const names = { group: GROUP, topic: 'a', partition: 0 }
    const value = encodeVersioned(offsetCommitValue, 0, {
      ...{ offset: 5, leaderEpoch: -1, metadata: '', commitTimestamp: host.wallMs },
      ...{ expireTimestamp: -1, topicId: id(0) },
    })
    host.log.push({ key: encodeVersioned(offsetCommitKey, 0, names), value })
    host.restart()
    expect(host.committed()).toEqual(['a-0@5'])
  })
})

describe('a group as a record', () => {
  it('is written new and empty, then with its members, in the version of Kafka 4.3.1', () => {
    const host = new GroupHost()
    const [leader] = host.stableGroup(1)
    const [fresh, settled] = host.log.map(({ value }) =>
      decodeVersioned(groupMetadataValue, value!),
    )
    expect(hex(host.log[0]!.key)).toBe(`0002${'0005'}${hex(Buffer.from(GROUP))}`)
    expect(fresh).toMatchObject({
      version: 3,
      value: {
        protocolType: '',
        generation: 0,
        protocol: null,
        leader: null,
        currentStateTimestamp: host.wallMs,
        members: [],
      },
    })
    expect(settled).toMatchObject({
      version: 3,
      value: {
        protocolType: 'consumer',
        generation: 1,
        protocol: 'range',
        leader: leader!.memberId,
        members: [
          {
            memberId: leader!.memberId,
            groupInstanceId: null,
            clientId: 'client',
            clientHost: '/127.0.0.1',
            rebalanceTimeout: 60_000,
            sessionTimeout: 10_000,
          },
        ],
      },
    })
    expect(hex(settled!.value.members[0]!.subscription)).toBe(hex(subscription('a')))
  })

  it('of any version is read', () => {
    for (let version = 0; version <= 4; version++) {
      const host = new GroupHost()
      const value = encodeVersioned(groupMetadataValue, version, {
        ...{ protocolType: 'consumer', generation: 8, protocol: 'range', leader: 'm' },
        currentStateTimestamp: host.wallMs,
        members: [
          {
            ...{ memberId: 'm', groupInstanceId: null, clientId: 'c', clientHost: '/h' },
            ...{ rebalanceTimeout: 9_000, sessionTimeout: 7_000 },
            ...{ subscription: subscription('a'), assignment: Buffer.from('x') },
          },
        ],
      })
      host.log.push({ key: encodeVersioned(groupMetadataKey, 2, { group: GROUP }), value })
      host.restart()
      expect(host.heartbeat('m', 8)).toBe(ErrorCode.NONE)
      // a newcomer waits for the rebalance timeout, or where there was none for the session timeout
      const { join } = host.enter()
      host.advance(version === 0 ? 7_000 : 9_000)
      expect(join.waits).toBe(false)
    }
  })
})

describe('records that are not ours', () => {
  const value = new Uint8Array([0, 0])

  it('of types that nobody knows are passed over in silence', () => {
    const host = new GroupHost()
    for (const type of [3, 7, 15, 32_767]) {
      host.log.push({ key: new Uint8Array([type >> 8, type & 255, 1, 2, 3]), value })
    }
    host.commitOffsets({ a: [1] })
    const before = host.lines.length
    host.restart()
    expect(host.lines.slice(before).filter(({ level }) => level === 'error')).toEqual([])
    expect(host.committed()).toEqual(['a-0@1'])
  })

  it('that cannot be read are named in the log, and harm no others', () => {
    const host = new GroupHost()
    host.commitOffsets({ a: [1] })
    const { key } = host.log[0]!
    const bad = [
      { key, value: new Uint8Array([0, 4, 1]) },
      { key, value: new Uint8Array([0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9]) },
      { key: key.subarray(0, 6), value: host.log[0]!.value },
      { key: key.subarray(0, 6), value: null },
      { key: new Uint8Array([0]), value },
      { key: encodeVersioned(groupMetadataKey, 2, { group: GROUP }), value },
    ]
    host.log.push(...bad)
    host.restart()
    const errors = host.lines.filter(({ level }) => level === 'error')
    expect(errors.map(({ fields }) => fields!.offset)).toEqual([1, 2, 3, 4, 5, 6])
    expect(host.committed()).toEqual(['a-0@1'])
  })
})
