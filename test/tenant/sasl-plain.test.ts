import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { SaslFormatError } from '../../src/tenant/sasl-format-error.ts'
import { parsePlain } from '../../src/tenant/sasl-plain.ts'
import { utf8 } from './scram-client.ts'

describe('the PLAIN message', () => {
  test.each([
    ['\0tim\0tanstaaftanstaaf', 'tim', 'tanstaaftanstaaf'],
    ['tim\0tim\0x', 'tim', 'x'],
    ['\0Zoë, =\0 pässword ', 'Zoë, =', ' pässword '],
    [`\0${'u'.repeat(255)}\0p`, 'u'.repeat(255), 'p'],
  ])('%j', (text, username, password) => {
    const read = parsePlain(utf8(text))
    expect(read.username).toBe(username)
    expect(Buffer.from(read.password).toString()).toBe(password)
  })

  test.each([
    ['', 'Invalid SASL/PLAIN response: expected 3 tokens, got 1'],
    ['a\0b', 'Invalid SASL/PLAIN response: expected 3 tokens, got 2'],
    ['\0a\0b\0', 'Invalid SASL/PLAIN response: expected 3 tokens, got 4'],
    ['\0\0\0\0\0\0\0', 'Invalid SASL/PLAIN response: expected 3 tokens, got 4'],
    ['\0\0secret', 'Authentication failed: username not specified'],
    ['\0user\0', 'Authentication failed: password not specified'],
    [`\0${'é'.repeat(128)}\0p`, 'Authentication failed: username of 256 bytes, at most 255'],
    [
      'admin\0user\0secret',
      'Authentication failed: Client requested an authorization id that is different from username',
    ],
  ])('%j is refused', (text, message) => {
    expect(() => parsePlain(utf8(text))).toThrow(new SaslFormatError(message))
  })

  test('must be UTF-8', () => {
    for (const bytes of ['\0\xff\0x', '\0x\0\xc0\xaf', '\0x\0\xed\xa0\x80']) {
      expect(() => parsePlain(Buffer.from(bytes, 'latin1'))).toThrow('not UTF-8')
    }
  })

  test('leaves its password in memory of its own', () => {
    const token = utf8('\0user\0secret')
    const { password } = parsePlain(token)
    token.fill(0)
    expect(Buffer.from(password).toString()).toBe('secret')
  })

  test('of any bytes is read or refused, without a word of it', () => {
    const random = new SeededRandom(4_616)
    let isRead = 0
    for (let i = 0; i < 20_000; i++) {
      const length = random.below(12)
      const token = Uint8Array.from({ length }, () => (random.chance(0.4) ? 0 : random.below(130)))
      try {
        const { username, password } = parsePlain(token)
        expect(username.length * password.length).toBeGreaterThan(0)
        isRead++
      } catch (error) {
        expect(error).toBeInstanceOf(SaslFormatError)
      }
    }
    expect(isRead).toBeGreaterThan(100)
  })
})
