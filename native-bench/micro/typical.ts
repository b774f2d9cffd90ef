/** Typical content for every message, made from its schema: values as clients and brokers send them, three of each list. */

import type { Field, Fields } from '../../src/protocol/schema.ts'
import { includes } from '../../src/protocol/version-range.ts'
import { buildBatch } from '../../src/record/builder.ts'

const LIST_LENGTH = 3
const RECORDS = buildBatch(
  Array.from({ length: 10 }, (_, i) => ({
    ...{ timestampMs: 1_700_000_000_000 + i, key: Buffer.from(`customer-${i}`) },
    value: Buffer.alloc(100, 'griot '),
  })),
)
/** What a name of each kind looks like. */
const NAMES: Readonly<Record<string, string>> = {
  topicName: 'orders.created.v2',
  groupId: 'billing-service',
  memberId: 'billing-service-7c9f-4f0e8a52-1f0b-4d6c-9a1e-0c7d3b2a1f00',
  groupInstanceId: 'billing-service-7c9f',
  clientId: 'billing-service-7c9f',
  clientHost: '/10.12.7.31',
  transactionalId: 'billing-transactions-4',
  brokerHost: 'kafka-2.example.com',
  clusterId: 'bJL8ilbmTP-qQcOefcjAUA',
  configName: 'retention.bytes',
  protocolName: 'cooperative-sticky',
}

/** A message of these fields in `version`. What the version has not got is left at its default. */
export function typicalMessage(fields: Fields, version: number, at = 0): Record<string, unknown> {
  const message: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    const isThere = includes(field.versions, version) && field.tag < 0
    const value = isThere ? typicalValue(name, field, version, at) : field.defaultValue
    if (value !== undefined) message[name] = value
  }
  return message
}

function typicalValue(name: string, field: Field, version: number, at: number): unknown {
  const isNullable = includes(field.nullable, version)
  switch (field.kind) {
    case 'array': {
      const element = field.element!
      return Array.from({ length: LIST_LENGTH }, (_, i) => typicalValue(name, element, version, i))
    }
    case 'struct':
      return typicalMessage(field.fields!, version, at)
    case 'string':
      // nothing went wrong
      if (/errorMessage/i.test(name) && isNullable) return null
      return NAMES[field.entity ?? ''] ?? `${name} ${at}`
    case 'uuid':
      return '0123456789abcdef0123456789abcdef'
    case 'bytes':
      return new Uint8Array(64).fill(at + 1)
    case 'records':
      return RECORDS
    case 'bool':
      return at % 2 === 0
    default:
      return typicalNumber(name, field, at)
  }
}

function typicalNumber(name: string, { kind }: Field, at: number): number {
  if (/errorCode|throttleTime/i.test(name)) return 0
  if (kind === 'int8') return at
  if (/timestamp/i.test(name) && kind === 'int64') return 1_700_000_000_000 + at
  if (kind === 'int64') return 123_456_789 + at
  if (kind === 'float64') return 0.5 + at
  return at + 1
}
