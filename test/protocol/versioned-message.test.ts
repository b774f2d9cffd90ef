import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { TopicId } from '../../src/base/ids.ts'
import {
  decodeConsumerOffsetsKey,
  groupMetadataKey,
  groupMetadataValue,
  offsetCommitKey,
  offsetCommitValue,
} from '../../src/protocol/consumer-offsets-records.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../src/protocol/consumer-protocol.ts'
import {
  decodeVersioned,
  encodeVersioned,
  type VersionedMessage,
} from '../../src/protocol/versioned-message.ts'
import { WireFormatError } from '../../src/protocol/wire-format-error.ts'
import { plain, readMessageVectors, withoutDefaults } from './vectors.ts'

const messages: readonly VersionedMessage[] = [
  offsetCommitKey,
  offsetCommitValue,
  groupMetadataKey,
  groupMetadataValue,
  consumerProtocolSubscription,
  consumerProtocolAssignment,
]

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const fromHex = (text: string): Buffer => Buffer.from(text, 'hex')

describe('vectors made with Apache Kafka 4.3.1', () => {
  for (const message of messages) {
    describe(message.name, () => {
      const { cases, lowest, highest } = readMessageVectors(message.name)

      it('has the versions of Kafka', () => {
        expect(message.versions).toEqual({ min: lowest, max: highest })
        expect(new Set(cases.map(({ v }) => v)).size).toBe(highest - lowest + 1)
      })

      it('decodes to the same values, and encodes to the same bytes', () => {
        for (const { v, kind, value, bytes } of cases) {
          const decoded = decodeVersioned(message, fromHex(bytes))
          expect(decoded.version).toBe(v)
          expect(plain(decoded.value), `v${v} ${kind}`).toEqual(value)
          expect(toHex(encodeVersioned(message, v, decoded.value)), `v${v} ${kind}`).toBe(bytes)
          const sparse = withoutDefaults(message.fields, decoded.value)
          expect(toHex(encodeVersioned(message, v, sparse as never)), `v${v} ${kind}`).toBe(bytes)
        }
      })

      it('passes over tagged fields that it does not know', () => {
        const tagged = cases.filter(({ unknown }) => unknown !== undefined)
        expect(tagged.length > 0).toBe(message.flexibleFrom !== undefined)
        for (const { v, kind, value, unknown } of tagged) {
          const decoded = decodeVersioned(message, fromHex(unknown!))
          expect(plain(decoded.value), `v${v} ${kind}`).toEqual(value)
        }
      })

      it('refuses every proper beginning of a message', () => {
        for (const { bytes } of cases) {
          const whole = fromHex(bytes)
          // Of the longest ones only where each field may begin.
          const step = whole.length > 1000 ? 97 : 1
          for (let cut = 0; cut < whole.length; cut += step) {
            expect(() => decodeVersioned(message, whole.subarray(0, cut))).toThrow(WireFormatError)
          }
        }
      })

      it('is a value or a WireFormatError when its bytes are mutated', () => {
        const short = cases.filter(({ bytes }) => bytes.length < 4000)
        const anyCase = fc.constantFrom(...short)
        fc.assert(
          fc.property(anyCase, fc.nat(), fc.constantFrom(0, 1, 127, 255), (each, at, to) => {
            const bytes = fromHex(each.bytes)
            bytes[at % bytes.length] = to
            try {
              decodeVersioned(message, bytes)
            } catch (error) {
              expect(error).toBeInstanceOf(WireFormatError)
            }
          }),
          { seed: 1, numRuns: 300 },
        )
      })
    })
  }
})

describe('a versioned message', () => {
  const group = {
    protocolType: 'consumer',
    generation: 1,
    protocol: null,
    leader: null,
    currentStateTimestamp: 5,
    members: [],
  }

  it('drops what an older version cannot carry, as Kafka does', () => {
    const older = encodeVersioned(groupMetadataValue, 1, group)
    const { value } = decodeVersioned(groupMetadataValue, older)
    expect(value).toEqual({ ...group, currentStateTimestamp: -1 })
    const id = '0123456789abcdef0123456789abcdef' as TopicId
    const offset = { offset: 7, metadata: 'm', commitTimestamp: 1, leaderEpoch: 3, topicId: id }
    const read = (version: number) =>
      decodeVersioned(offsetCommitValue, encodeVersioned(offsetCommitValue, version, offset)).value
    expect(read(4)).toMatchObject({ topicId: id, leaderEpoch: 3 })
    expect(read(3)).toMatchObject({ topicId: '0'.repeat(32), leaderEpoch: 3 })
    expect(read(0)).toMatchObject({ offset: 7, metadata: 'm', leaderEpoch: -1 })
  })

  it('names what is wrong with bytes and versions', () => {
    expect(() => decodeVersioned(offsetCommitValue, fromHex('00'))).toThrow(
      'OffsetCommitValue: version: 2 bytes needed, 1 are there',
    )
    expect(() => decodeVersioned(offsetCommitValue, fromHex('000500'))).toThrow(
      'OffsetCommitValue v5: version not known here, only 0 to 4',
    )
    expect(() => decodeVersioned(groupMetadataKey, fromHex('00010000'))).toThrow(
      'GroupMetadataKey v1: version not known here, only 2 to 2',
    )
    expect(() => encodeVersioned(groupMetadataValue, 5, group)).toThrow(WireFormatError)
    expect(() => decodeVersioned(groupMetadataValue, fromHex('00030004'))).toThrow(
      'GroupMetadataValue v3: protocolType: 4 bytes announced, 0 left in the frame',
    )
  })

  it('is encoded into memory of its own, whatever its size', () => {
    for (const size of [0, 100, 40_000]) {
      const member = { memberId: 'm', clientId: 'c', clientHost: '/::1', sessionTimeout: 1 }
      const assignment = new Uint8Array(size).fill(7)
      const members = [{ ...member, subscription: new Uint8Array(0), assignment }]
      const bytes = encodeVersioned(groupMetadataValue, 3, { ...group, members })
      const before = toHex(bytes)
      expect(bytes.buffer.byteLength).toBe(bytes.length)
      encodeVersioned(groupMetadataValue, 3, { ...group, protocolType: 'other', members })
      expect(toHex(bytes)).toBe(before)
      const { value } = decodeVersioned(groupMetadataValue, bytes)
      expect(value.members[0]?.assignment).toEqual(assignment)
    }
  })
})

describe('a key of __consumer_offsets', () => {
  it('tells what its record is about', () => {
    const key = { group: 'g', topic: 't', partition: 4 }
    for (const version of [0, 1]) {
      const bytes = encodeVersioned(offsetCommitKey, version, key)
      expect(decodeConsumerOffsetsKey(bytes)).toEqual({ kind: 'offsetCommit', key })
    }
    const bytes = encodeVersioned(groupMetadataKey, 2, { group: 'g' })
    expect(decodeConsumerOffsetsKey(bytes)).toEqual({ kind: 'groupMetadata', key: { group: 'g' } })
  })

  it('of a newer type is passed over, a malformed one is refused', () => {
    expect(decodeConsumerOffsetsKey(fromHex('0003000167'))).toEqual({ kind: 'unknown', type: 3 })
    expect(decodeConsumerOffsetsKey(fromHex('ffff'))).toEqual({ kind: 'unknown', type: -1 })
    expect(() => decodeConsumerOffsetsKey(fromHex('00010005'))).toThrow(
      'OffsetCommitKey v1: group: 5 bytes announced, 0 left in the frame',
    )
    expect(() => decodeConsumerOffsetsKey(fromHex(''))).toThrow(
      'key of a record in __consumer_offsets: version: 2 bytes needed, 0 are there',
    )
  })
})

describe('the consumer protocol', () => {
  const owned = [{ topic: 'a', partitions: [0, 1] }]
  const subscription = { topics: ['a'], ownedPartitions: owned, generationId: 3, rackId: 'r' }

  it('reads a newer version as the highest that it knows', () => {
    const bytes = Buffer.concat([encodeSubscription(3, subscription), fromHex('0102')])
    bytes.writeInt16BE(9)
    expect(decodeSubscription(bytes)).toEqual({ ...subscription, userData: null })
    const assignment = Buffer.from(encodeAssignment(3, { assignedPartitions: owned }))
    assignment.writeInt16BE(32_767)
    expect(decodeAssignment(assignment)).toEqual({ assignedPartitions: owned, userData: null })
    expect(decodeVersioned(consumerProtocolAssignment, assignment).version).toBe(32_767)
    expect(() => encodeAssignment(4, { assignedPartitions: [] })).toThrow(WireFormatError)
  })

  it('is null for bytes that are something else', () => {
    const others = ['', '00', 'ffff00000000ffffffff', '0000', '0000ffffffff', '00007fffffff']
    for (const other of [...others, toHex(Buffer.from('{"worker":"connect"}'))]) {
      expect(decodeSubscription(fromHex(other)), other).toBeNull()
      expect(decodeAssignment(fromHex(other)), other).toBeNull()
    }
  })
})
