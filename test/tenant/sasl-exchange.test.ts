import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { LoginQueue } from '../../src/tenant/login-queue.ts'
import { MadeUpCredentials } from '../../src/tenant/made-up-credentials.ts'
import type { SaslCrypto } from '../../src/tenant/sasl-crypto.ts'
import {
  invalidCredentials,
  SaslExchange,
  type SaslExchangeOptions,
  type SaslMechanism,
  type SaslResult,
  type SaslUser,
} from '../../src/tenant/sasl-exchange.ts'
import {
  deriveCredential,
  SCRAM_MECHANISMS,
  type ScramCredential,
  type ScramMechanism,
} from '../../src/tenant/scram-credential.ts'
import { HeldCrypto, ScramClient, seededCrypto, utf8 } from './scram-client.ts'

const crypto = seededCrypto()
const SECRET = crypto.randomBytes(32)

function credential(mechanism: ScramMechanism, password: string, iterations = 4_096) {
  let made: unknown
  const parameters = { mechanism, salt: crypto.randomBytes(16), iterations }
  deriveCredential(crypto, parameters, utf8(password), (result) => (made = result))
  return made as ScramCredential
}

const both = (password: string) => SCRAM_MECHANISMS.map((each) => credential(each, password))

type User = SaslUser<{ readonly tenant: string }>
const ALICE: User = { credentials: both('wonder'), identity: { tenant: 'a' } }
const BOB: User = {
  credentials: [credential('SCRAM-SHA-512', 'builder')],
  identity: { tenant: 'b' },
}

/** Users that a test may change, and the exchanges of clients with them. */
class Listener {
  readonly users = new Map<string, User>(Object.entries({ alice: ALICE, bob: BOB }))
  readonly crypto: SaslCrypto
  readonly queue: LoginQueue

  constructor(ofTest: SaslCrypto = crypto, queue = new LoginQueue()) {
    this.crypto = ofTest
    this.queue = queue
  }

  exchange(mechanism: SaslMechanism, source = '10.0.0.1') {
    const options: SaslExchangeOptions<User['identity']> = {
      ...{ mechanism, source, crypto: this.crypto, queue: this.queue },
      madeUp: new MadeUpCredentials({ crypto, secret: SECRET }),
      lookup: (asked, username) => {
        expect(asked).toBe(mechanism)
        return this.users.get(username)
      },
    }
    return new SaslExchange(options)
  }
}

type Result = SaslResult<User['identity']>

function evaluate(exchange: SaslExchange<User['identity']>, token: Uint8Array): Result {
  const results: Result[] = []
  exchange.evaluate(token, (result) => results.push(result))
  expect(results).toHaveLength(1)
  return results[0]!
}

const plain = (listener: Listener, user: string, password: string) =>
  evaluate(listener.exchange('PLAIN'), utf8(`\0${user}\0${password}`))

function scram(listener: Listener, client: ScramClient, mechanism: ScramMechanism) {
  const exchange = listener.exchange(mechanism)
  const challenge = evaluate(exchange, client.first())
  if (challenge.kind !== 'challenge') throw new Error(challenge.kind)
  expect(exchange.hasEnded).toBe(false)
  const result = evaluate(exchange, client.final(challenge.token))
  expect(exchange.hasEnded).toBe(true)
  return { exchange, challenge: Buffer.from(challenge.token).toString(), result }
}

const wrong = (mechanism: SaslMechanism, reason: string) => ({
  ...{ kind: 'refused', cause: 'credentials', message: invalidCredentials(mechanism), reason },
})

describe.each(SCRAM_MECHANISMS)('%s', (mechanism) => {
  const login = (listener: Listener, username: string, password: string) =>
    scram(listener, new ScramClient({ mechanism, username, password }), mechanism)

  test('gives whoever knows the password its identity, and a proof that the server is the right one', () => {
    const listener = new Listener()
    const client = new ScramClient({ mechanism, username: 'alice', password: 'wonder' })
    const { result } = scram(listener, client, mechanism)
    expect(result).toMatchObject({ kind: 'authenticated', username: 'alice' })
    expect(result.kind === 'authenticated' && result.identity).toBe(ALICE.identity)
    expect(result.kind === 'authenticated' && client.accepts(result.token)).toBe(true)
  })

  test('takes strangers through both rounds, with the same salt each time, and the same answer', () => {
    const listener = new Listener()
    const tries = [1, 2].map(() => login(listener, 'carol', 'x'))
    const [salts] = tries.map(({ challenge }) => challenge.replace(/^r=[^,]*,/, ''))
    expect(salts).toMatch(/^s=[A-Za-z0-9+/]{22}==,i=4096$/)
    for (const { challenge, result } of tries) {
      expect(challenge.endsWith(salts!)).toBe(true)
      expect(result).toEqual(wrong(mechanism, 'there is no user "carol"'))
    }
    expect(login(listener, 'alice', 'x').result).toEqual(
      wrong(mechanism, 'wrong password of user "alice"'),
    )
  })

  test('has no more tokens than two', () => {
    const { exchange, result } = login(new Listener(), 'alice', 'wonder')
    expect(result.kind).toBe('authenticated')
    const message = 'Authentication failed: a token came after the authentication had ended'
    expect(evaluate(exchange, utf8('n,,n=alice,r=x'))).toMatchObject({
      cause: 'malformed',
      message,
    })
  })

  test('is over with the first fault', () => {
    const exchange = new Listener().exchange(mechanism)
    const refused = evaluate(exchange, utf8('p=x,,n=alice,r=x'))
    expect(refused).toMatchObject({ kind: 'refused', cause: 'malformed' })
    expect(exchange.hasEnded).toBe(true)
    expect(evaluate(exchange, utf8('n,,n=alice,r=x'))).toMatchObject({ kind: 'refused' })
  })

  test.each([
    ['is gone', undefined],
    ['has another password', { ...ALICE, credentials: both('wander') }],
    ['has none for the mechanism', { ...ALICE, credentials: [] }],
  ])('refuses a right proof of a user that %s since the first round', (_what, after) => {
    const listener = new Listener()
    const exchange = listener.exchange(mechanism)
    const client = new ScramClient({ mechanism, username: 'alice', password: 'wonder' })
    const challenge = evaluate(exchange, client.first())
    if (challenge.kind !== 'challenge') throw new Error(challenge.kind)
    if (after === undefined) listener.users.delete('alice')
    else listener.users.set('alice', after)
    const reason = 'user "alice" was changed while it logged in'
    expect(evaluate(exchange, client.final(challenge.token))).toEqual(wrong(mechanism, reason))
  })
})

test('a mechanism that a user has no credential for is like no user', () => {
  const mechanism = 'SCRAM-SHA-256'
  const client = new ScramClient({ mechanism, username: 'bob', password: 'builder' })
  const { challenge, result } = scram(new Listener(), client, mechanism)
  expect(challenge).toMatch(/,i=4096$/)
  expect(result).toEqual(wrong(mechanism, 'user "bob" has no credential for SCRAM-SHA-256'))
})

test('who does not exist does not get in, whatever it proves', () => {
  const listener = new Listener({ ...crypto, timingSafeEqual: () => true })
  const reason = 'there is no user "carol"'
  expect(plain(listener, 'carol', 'x')).toEqual(wrong('PLAIN', reason))
  const mechanism = 'SCRAM-SHA-256'
  const client = new ScramClient({ mechanism, username: 'carol', password: 'x' })
  expect(scram(listener, client, mechanism).result).toEqual(wrong(mechanism, reason))
})

test('a stored credential out of bounds is not used', () => {
  const listener = new Listener()
  const [credentialOfAlice] = ALICE.credentials
  const broken = { ...credentialOfAlice!, iterations: 2 ** 30 }
  listener.users.set('alice', { ...ALICE, credentials: [broken] })
  const reason =
    'the credential of user "alice" is of no use: too many iterations: 1073741824, at most 16384'
  expect(plain(listener, 'alice', 'wonder')).toEqual(wrong('PLAIN', reason))
})

describe('PLAIN', () => {
  test('verifies the password against the salted hash', () => {
    const listener = new Listener()
    const token = new Uint8Array(0)
    expect(plain(listener, 'alice', 'wonder')).toEqual({
      ...{ kind: 'authenticated', identity: ALICE.identity, username: 'alice', token },
    })
    expect(plain(listener, 'bob', 'builder')).toMatchObject({ kind: 'authenticated' })
    expect(plain(listener, 'alice', 'wonder ')).toEqual(
      wrong('PLAIN', 'wrong password of user "alice"'),
    )
    expect(plain(listener, 'bob', 'wonder')).toEqual(wrong('PLAIN', 'wrong password of user "bob"'))
    expect(plain(listener, 'Alice', 'wonder')).toEqual(wrong('PLAIN', 'there is no user "Alice"'))
  })

  test('hashes for strangers what it hashes for users', () => {
    const held = new HeldCrypto()
    const listener = new Listener(held.crypto, new LoginQueue({ runningMax: 9 }))
    for (const user of ['alice', 'carol']) {
      listener.exchange('PLAIN').evaluate(utf8(`\0${user}\0x`), () => {})
    }
    const work = held.calls.map(({ hash, iterations }) => ({ hash, iterations }))
    expect(work).toEqual([work[0], work[0]])
    expect(work[0]).toEqual({ hash: 'sha256', iterations: 4_096 })
  })

  test('says what is wrong with a message, and leaves nothing to do', () => {
    const held = new HeldCrypto()
    const exchange = new Listener(held.crypto).exchange('PLAIN')
    const message = 'Invalid SASL/PLAIN response: expected 3 tokens, got 1'
    expect(evaluate(exchange, utf8('alice'))).toEqual({
      ...{ kind: 'refused', cause: 'malformed', message, reason: message },
    })
    expect(exchange.hasEnded).toBe(true)
    expect(held.calls).toEqual([])
  })

  test('overwrites the password once it is hashed', () => {
    const held = new HeldCrypto()
    const results: Result[] = []
    const exchange = new Listener(held.crypto).exchange('PLAIN')
    exchange.evaluate(utf8('\0alice\0wonder'), (result) => results.push(result))
    expect(Buffer.from(held.calls[0]!.password).toString()).toBe('wonder')
    held.calls[0]!.go()
    expect(results).toMatchObject([{ kind: 'authenticated' }])
    expect([...held.calls[0]!.password]).toEqual([0, 0, 0, 0, 0, 0])
  })

  test('is refused when the user is gone before the password is hashed', () => {
    const held = new HeldCrypto()
    const listener = new Listener(held.crypto)
    const results: Result[] = []
    listener.exchange('PLAIN').evaluate(utf8('\0alice\0wonder'), (result) => results.push(result))
    listener.users.delete('alice')
    held.calls[0]!.go()
    expect(results).toEqual([wrong('PLAIN', 'user "alice" was changed while it logged in')])
  })

  test('takes one token at a time: a second one refuses both', () => {
    const held = new HeldCrypto()
    const exchange = new Listener(held.crypto).exchange('PLAIN')
    const results: Result[] = []
    exchange.evaluate(utf8('\0alice\0wonder'), (result) => results.push(result))
    exchange.evaluate(utf8('\0alice\0wonder'), (result) => results.push(result))
    held.calls[0]!.go()
    const message = 'Authentication failed: a token came before the last one was answered'
    expect(results).toEqual(
      Array(2).fill({ kind: 'refused', cause: 'malformed', message, reason: message }),
    )
    expect(held.calls).toHaveLength(1)
  })

  test('says nothing to a connection that is gone, and does not hash for it', () => {
    const held = new HeldCrypto()
    const queue = new LoginQueue({ runningMax: 1 })
    const listener = new Listener(held.crypto, queue)
    const results: Result[] = []
    const exchanges = [1, 2].map(() => listener.exchange('PLAIN'))
    for (const each of exchanges) {
      each.evaluate(utf8('\0alice\0wonder'), (result) => results.push(result))
    }
    for (const each of exchanges) each.close()
    held.calls[0]!.go()
    expect(results).toEqual([])
    expect(held.calls).toHaveLength(1)
    expect([queue.running, queue.waiting]).toEqual([0, 0])
  })

  test('is to come back when too many wait, or hashing fails', () => {
    const held = new HeldCrypto()
    const busy = new Listener(held.crypto, new LoginQueue({ runningMax: 1, waitingMax: 0 }))
    busy.exchange('PLAIN').evaluate(utf8('\0alice\0wonder'), () => {})
    const message = 'Authentication failed: the server is busy, try again'
    const refused = { kind: 'refused', cause: 'unavailable', message }
    expect(plain(busy, 'alice', 'wonder')).toEqual({
      ...refused,
      reason: 'the password could not be hashed: too many logins wait',
    })
    const failing = new Listener({ ...crypto, pbkdf2: (...all) => all[4](new Error('no thread')) })
    expect(plain(failing, 'alice', 'wonder')).toEqual({
      ...refused,
      reason: 'the password could not be hashed: no thread',
    })
  })
})

test('a token has a longest length, and a secret given for a name is not logged', () => {
  const listener = new Listener()
  const long = plain(listener, 'alice', 'x'.repeat(4_090))
  const message = 'Authentication failed: token of 4097 bytes, at most 4096'
  expect(long).toMatchObject({ kind: 'refused', cause: 'malformed', message })
  expect(plain(listener, 'alice', 'x'.repeat(4_089))).toMatchObject({ cause: 'credentials' })
  expect(plain(listener, 'griot_abc', 'x')).toMatchObject({
    reason: 'there is no user whose name has an API secret in it',
  })
})

test('whatever bytes come, each token has one result, and nobody gets in', () => {
  const random = new SeededRandom(36)
  const held = new HeldCrypto()
  const pbkdf2: SaslCrypto['pbkdf2'] = (hash, _password, _salt, _iterations, onDone) =>
    onDone(new Uint8Array(hash === 'sha256' ? 32 : 64))
  const listener = new Listener({ ...held.crypto, pbkdf2 })
  const pieces = ['n,,', 'y,a=alice,', 'n=alice', ',', 'r=abc', '\0', 'alice', 'c=biws', 'p=AAAA']
  for (let i = 0; i < 5_000; i++) {
    const mechanism = (['PLAIN', ...SCRAM_MECHANISMS] as const)[random.below(3)]!
    const exchange = listener.exchange(mechanism)
    for (let tokens = 0; tokens < 3; tokens++) {
      const parts = Array.from({ length: random.below(7) }, () => pieces[random.below(9)]!)
      const { kind } = evaluate(exchange, utf8(parts.join('')))
      expect(kind === 'refused' || (kind === 'challenge' && tokens === 0)).toBe(true)
    }
  }
})
