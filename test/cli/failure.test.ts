/** What is said next about an error of a broker. */
import { expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { explainFailure } from '../../src/cli/failure.ts'
import { overLimit, overSize } from '../../src/image/tenant-limits.ts'
import { KafkaError } from '../../src/kafka-client/errors.ts'

const { MESSAGE_TOO_LARGE, SASL_AUTHENTICATION_FAILED } = ErrorCode
const explained = (code: number, detail: string | null) =>
  explainFailure(new KafkaError(code, 'what', detail))

test('a topic is to take larger records only where the topic is what refuses them', () => {
  const ofTopic = 'batch of 9 bytes exceeds max.message.bytes 5'
  for (const detail of [null, ofTopic]) {
    expect(explained(MESSAGE_TOO_LARGE, detail)).toContain('`griot topic config set TOPIC max.')
  }
  const ofTenant = overSize(5, 'messageBytes', 'batch', 9)
  expect(explained(MESSAGE_TOO_LARGE, ofTenant)).toBe(`what: MESSAGE_TOO_LARGE (${ofTenant})`)
})

test.each([
  null,
  'Authentication failed: Invalid username or password',
  'Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256',
  'Authentication failed',
  'SASL authentication failed: security: Invalid credentials',
])('key or secret may be wrong where the broker says %j', (detail) => {
  expect(explained(SASL_AUTHENTICATION_FAILED, detail)).toContain('key or secret is wrong')
})

test.each([
  overLimit(1, 'connections', { used: 1, asked: 1 }),
  'Authentication failed: the server is busy, try again',
  'Authentication failed: username of 5000 bytes, at most 1024',
])('they are not said to be wrong where the broker says %j', (detail) => {
  const text = explained(SASL_AUTHENTICATION_FAILED, detail)
  expect(text).toBe(`what: SASL_AUTHENTICATION_FAILED (${detail})`)
})
