import { expect, test } from 'vitest'
import {
  type CredentialShape,
  MadeUpCredentials,
  shapeOf,
} from '../../src/tenant/made-up-credentials.ts'
import { scramCredentialFault } from '../../src/tenant/scram-credential.ts'
import { seededCrypto, utf8 } from './scram-client.ts'

const crypto = seededCrypto()
const secret = crypto.randomBytes(32)
const names = Array.from({ length: 200 }, (_, i) => `name-${i}`)

test('are the same from try to try, and others for another name, mechanism or secret', () => {
  const madeUp = new MadeUpCredentials({ crypto, secret })
  const again = new MadeUpCredentials({ crypto, secret })
  const other = new MadeUpCredentials({ crypto, secret: crypto.randomBytes(32) })
  const one = madeUp.of('SCRAM-SHA-256', 'a')
  expect(again.of('SCRAM-SHA-256', 'a')).toEqual(one)
  const all = [one, madeUp.of('SCRAM-SHA-256', 'b'), other.of('SCRAM-SHA-256', 'a')]
  all.push(madeUp.of('SCRAM-SHA-512', 'a'))
  expect(new Set(all.map(({ salt }) => Buffer.from(salt).toString('hex'))).size).toBe(4)
  expect(new Set(all.map(({ storedKey }) => Buffer.from(storedKey).toString('hex'))).size).toBe(4)
  for (const credential of all) expect(scramCredentialFault(credential)).toBeNull()
  expect(() => new MadeUpCredentials({ crypto, secret: new Uint8Array(15) })).toThrow(
    'secret of 15 bytes, at least 16',
  )
})

test('tell nothing of their keys by their salt', () => {
  const shapes = [[{ mechanism: 'SCRAM-SHA-512', iterations: 4_096, salt: 128 }]] as const
  const { salt, storedKey, serverKey } = new MadeUpCredentials({ crypto, secret, shapes }).of(
    ...(['SCRAM-SHA-512', 'a'] as const),
  )
  const whole = Buffer.concat([storedKey, serverKey, salt])
  expect(whole.length).toBe(256)
  for (let at = 0; at + 8 <= whole.length; at++) {
    expect(whole.indexOf(whole.subarray(at, at + 8))).toBe(at)
  }
})

test('look like those that exist: mechanism, iterations and salt', () => {
  const sha256 = (iterations: number, salt: number | 'kafka'): CredentialShape => ({
    ...{ mechanism: 'SCRAM-SHA-256', iterations, salt },
  })
  const sha512: CredentialShape = { mechanism: 'SCRAM-SHA-512', iterations: 10_000, salt: 64 }
  const shapes = [[sha256(4_096, 16), sha512], [sha256(8_192, 'kafka')], [sha512]]
  const madeUp = new MadeUpCredentials({ crypto, secret, shapes })
  const seen = (mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512') =>
    new Set(names.map((name) => JSON.stringify(shapeOf(madeUp.of(mechanism, name)))))
  const expected = (...all: CredentialShape[]) => new Set(all.map((each) => JSON.stringify(each)))
  expect(seen('SCRAM-SHA-256')).toEqual(expected(sha256(4_096, 16), sha256(8_192, 'kafka')))
  expect(seen('SCRAM-SHA-512')).toEqual(expected(sha512))
  // what PLAIN takes of the first user is its smaller one
  expect(seen('PLAIN')).toEqual(expected(sha256(4_096, 16), sha256(8_192, 'kafka'), sha512))
})

test('look like API keys where nothing is said, also for a mechanism that nobody has', () => {
  for (const shapes of [undefined, []]) {
    const madeUp = new MadeUpCredentials({ crypto, secret, ...(shapes && { shapes }) })
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const) {
      const shape = shapeOf(madeUp.of(mechanism, 'x'))
      const own = mechanism === 'PLAIN' ? 'SCRAM-SHA-256' : mechanism
      expect(shape).toEqual({ mechanism: own, iterations: 4_096, salt: 16 })
    }
  }
})

test('salts that Kafka draws are known by their digits', () => {
  const madeUp = new MadeUpCredentials({ crypto, secret })
  const credential = madeUp.of('SCRAM-SHA-256', 'x')
  // drawn by kafka-clients 4.3.1
  expect(shapeOf({ ...credential, salt: utf8('cxxf1e8ktg897q5ib8932odjv') }).salt).toBe('kafka')
  expect(shapeOf({ ...credential, salt: utf8('cxxf1e8ktg897q5ib8932odj-') }).salt).toBe(25)
})
