import { describe, expect, test } from 'vitest'
import {
  API_SECRET_PREFIX,
  type ApiKey,
  apiSecretFault,
  keyIdFault,
  makeApiKey,
} from '../../src/tenant/api-key.ts'
import { API_KEY_SHAPE, shapeOf } from '../../src/tenant/made-up-credentials.ts'
import type { SaslCrypto } from '../../src/tenant/sasl-crypto.ts'
import { scramCredentialFault, verifyPassword } from '../../src/tenant/scram-credential.ts'
import { seededCrypto, utf8 } from './scram-client.ts'

const crypto = seededCrypto()
const SCANNED = /griot_[A-Za-z0-9_-]{49}/

function make(by: SaslCrypto = crypto): ApiKey {
  const made: (ApiKey | Error)[] = []
  makeApiKey(by, (key) => made.push(key))
  expect(made).toHaveLength(1)
  if (made[0] instanceof Error) throw made[0]
  return made[0]!
}

describe('an API key', () => {
  test('has an id without letters that look alike, a secret that scanners find, and both hashes', () => {
    for (let i = 0; i < 20; i++) {
      const { keyId, secret, credentials } = make()
      expect(keyId).toMatch(/^[0-9A-HJKMNP-TV-Z]{16}$/)
      expect(secret).toMatch(new RegExp(`^${SCANNED.source}$`))
      expect([keyIdFault(keyId), apiSecretFault(crypto, secret)]).toEqual([null, null])
      expect(credentials.map(shapeOf)).toEqual(API_KEY_SHAPE)
      for (const credential of credentials) {
        expect(scramCredentialFault(credential)).toBeNull()
        verifyPassword(crypto, credential, utf8(secret), (isRight) => expect(isRight).toBe(true))
      }
      expect(credentials[0]!.salt).not.toEqual(credentials[1]!.salt)
    }
  })

  test('is drawn anew each time, from as many bytes as it promises', () => {
    const drawn: number[] = []
    const counting: SaslCrypto = {
      ...crypto,
      randomBytes(length) {
        drawn.push(length)
        return crypto.randomBytes(length)
      },
    }
    const keys = Array.from({ length: 20 }, () => make(counting))
    expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(20)
    expect(new Set(keys.map(({ secret }) => secret)).size).toBe(20)
    // the id, 256 bits of secret, two salts
    expect(drawn.slice(0, 4)).toEqual([16, 32, 16, 16])
    expect(new Set(keys.flatMap(({ keyId }) => [...keyId])).size).toBe(32)
  })

  test('is not made when PBKDF2 fails', () => {
    const failing: SaslCrypto = { ...crypto, pbkdf2: (...all) => all[4](new Error('no thread')) }
    expect(() => make(failing)).toThrow('no thread')
  })
})

describe('a secret', () => {
  const { secret } = make()

  test('with any one character mistyped, or two neighbours swapped, is found out', () => {
    let checked = 0
    for (let at = API_SECRET_PREFIX.length; at < secret.length; at++) {
      for (const other of ['A', 'z', '0', '_']) {
        const typed = secret.slice(0, at) + other + secret.slice(at + 1)
        if (typed === secret) continue
        expect(apiSecretFault(crypto, typed)).toMatch(/do not fit the others/)
        checked++
      }
      const swapped = secret.slice(0, at - 1) + secret[at] + secret[at - 1] + secret.slice(at + 1)
      if (at > API_SECRET_PREFIX.length && swapped !== secret) {
        expect(apiSecretFault(crypto, swapped)).toMatch(/do not fit the others/)
      }
    }
    expect(checked).toBeGreaterThan(150)
  })

  test.each([
    ['', 'secret does not begin with griot_'],
    [secret.toUpperCase(), 'secret does not begin with griot_'],
    [secret.slice(0, -1), 'secret of 54 characters, has 55'],
    [`${secret} `, 'secret of 56 characters, has 55'],
    [`${secret.slice(0, 9)}+${secret.slice(10)}`, 'character 10 of the secret is none of A-Z'],
  ])('that cannot be one: %#', (text, fault) => {
    expect(apiSecretFault(crypto, text)).toContain(fault)
    if (text.length > 10) expect(apiSecretFault(crypto, text)).not.toContain(text.slice(10, 20))
  })
})

/** So that scanners, and whoever checks a token elsewhere, can go by what README says. */
test('the checksum is the first six characters of SHA-256 in base64url', () => {
  const body = `griot_${'A'.repeat(43)}`
  expect(apiSecretFault(crypto, `${body}lHegXb`)).toBeNull()
})

test.each([
  ['0123456789ABCDE', 'key id of 15 characters, has 16'],
  ['0123456789ABCDEO', 'character 16 of the key id is none of 0123456789ABCDEFGHJKMNPQRSTVWXYZ'],
  ['0123456789abcdef', 'character 11 of the key id is none of 0123456789ABCDEFGHJKMNPQRSTVWXYZ'],
])('%s is no key id', (text, fault) => {
  expect(keyIdFault(text)).toBe(fault)
})
