import { describe, expect, test } from 'vitest'
import {
  chosenFor,
  credentialOfSalted,
  deriveCredential,
  type ScramCredential,
  type ScramMechanism,
  scramCredentialFault,
  verifyPassword,
} from '../../src/tenant/scram-credential.ts'
import { base64, seededCrypto, utf8 } from './scram-client.ts'

const crypto = seededCrypto()
const salt = base64('W22ZaJ0SNY7soEsUEjb6gQ==')

/** Made with kafka-clients 4.3.1 (ScramFormatter) from RFC 7677's password, salt and iterations. */
const KAFKA = {
  'SCRAM-SHA-256': {
    salted: 'xKSVEDI6tPlSysH6mUQZOeeOp01r6B3fcJbodRPcYV0=',
    storedKey: 'WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=',
    serverKey: 'wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  },
  'SCRAM-SHA-512': {
    salted:
      '8W7+G+Z/HQlQLr1e2SYv3f+6Wjd6tPC2h+XtW6D1Boa4pK4WZHbairO5UdL6kji2OZj0VGG8M6RkgUlJzsljHQ==',
    storedKey:
      '6AAub3065EYRmyFpM2RNwqK+eGnrkYuEWbXn19LsEmBqzu8QaCXNc1FwpnX9NhH2hK/60dzj9DoO5DvVkOHbvg==',
    serverKey:
      'jZHbYjC1aHh0/hKbxyBuGFjDrgjgKTT1esA7awWiKcRZ0o/0b1yWEebBeSVkkCFewf91nLDfKF24mvD5nmE6rA==',
  },
} as const

function derive(mechanism: ScramMechanism, password = 'pencil'): ScramCredential {
  let made: ScramCredential | Error | undefined
  const parameters = { mechanism, salt, iterations: 4_096 }
  deriveCredential(crypto, parameters, utf8(password), (result) => (made = result))
  if (made === undefined || made instanceof Error) throw new Error('not derived')
  return made
}

describe.each(['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)('a credential for %s', (mechanism) => {
  const kafka = KAFKA[mechanism]

  test('is what Kafka derives, from the password or from what a client salted', () => {
    const { storedKey, serverKey } = derive(mechanism)
    expect(Buffer.from(storedKey).toString('base64')).toBe(kafka.storedKey)
    expect(Buffer.from(serverKey).toString('base64')).toBe(kafka.serverKey)
    const parameters = { mechanism, salt, iterations: 4_096 }
    expect(credentialOfSalted(crypto, parameters, base64(kafka.salted))).toEqual(derive(mechanism))
  })

  test('tells the password from others', () => {
    const tell = (password: string) => {
      let told: boolean | Error | undefined
      verifyPassword(crypto, derive(mechanism), utf8(password), (isRight) => (told = isRight))
      return told
    }
    expect([tell('pencil'), tell('pencil '), tell('Pencil')]).toEqual([true, false, false])
  })

  test('is not derived from a salted password of another hash', () => {
    const parameters = { mechanism, salt, iterations: 4_096 }
    expect(() => credentialOfSalted(crypto, parameters, new Uint8Array(33))).toThrow(
      /^salted password of 33 bytes, sha(256 has 32|512 has 64)$/,
    )
  })
})

test.each([
  [{ iterations: 4_095 }, 'too few iterations: 4095, at least 4096'],
  [{ iterations: Number.NaN }, 'too few iterations: NaN, at least 4096'],
  [{ iterations: 16_385 }, 'too many iterations: 16385, at most 16384'],
  [{ salt: new Uint8Array(3) }, 'salt too short: 3 bytes, at least 4'],
  [{ salt: new Uint8Array(129) }, 'salt too long: 129 bytes, at most 128'],
])('bounds: %j', (change, fault) => {
  const changed = { ...derive('SCRAM-SHA-256'), ...change }
  expect(scramCredentialFault(changed)).toBe(fault)
  expect(() => deriveCredential(crypto, changed, utf8('x'), () => {})).toThrow(
    new RangeError(fault),
  )
  expect(() => credentialOfSalted(crypto, changed, new Uint8Array(32))).toThrow(fault)
})

test('keys have the bytes of their hash', () => {
  const credential = derive('SCRAM-SHA-256')
  expect(scramCredentialFault(credential)).toBeNull()
  const edges = { iterations: 16_384, salt: new Uint8Array(128) }
  expect(scramCredentialFault({ ...credential, ...edges })).toBeNull()
  const other = { ...credential, mechanism: 'SCRAM-SHA-512' as const }
  expect(scramCredentialFault(other)).toBe('stored key of 32 bytes, sha512 has 64')
  expect(scramCredentialFault({ ...credential, serverKey: new Uint8Array(0) })).toBe(
    'server key of 0 bytes, sha256 has 32',
  )
  const unknown = { ...credential, mechanism: 'SCRAM-SHA-1' as never }
  expect(scramCredentialFault(unknown)).toBe('no SCRAM mechanism: SCRAM-SHA-1')
})

test('PLAIN goes by the credential that takes the least', () => {
  const [small, large] = [derive('SCRAM-SHA-256'), derive('SCRAM-SHA-512')]
  expect(chosenFor('PLAIN', [large, small])).toBe(small)
  expect(chosenFor('PLAIN', [large])).toBe(large)
  expect(chosenFor('SCRAM-SHA-512', [small, large])).toBe(large)
  expect(chosenFor('SCRAM-SHA-512', [small])).toBeUndefined()
})

test('what PBKDF2 fails with is handed on', () => {
  const failing = {
    ...crypto,
    pbkdf2: (...all: Parameters<typeof crypto.pbkdf2>) => all[4](new Error('no thread')),
  }
  const told: unknown[] = []
  const parameters = { mechanism: 'SCRAM-SHA-256', salt, iterations: 4_096 } as const
  deriveCredential(failing, parameters, utf8('x'), (result) => told.push(result))
  verifyPassword(failing, derive('SCRAM-SHA-256'), utf8('x'), (result) => told.push(result))
  expect(told).toEqual([new Error('no thread'), new Error('no thread')])
})
