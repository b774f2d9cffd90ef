import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { SaslFormatError } from '../../src/tenant/sasl-format-error.ts'
import {
  deriveCredential,
  type ScramCredential,
  type ScramMechanism,
} from '../../src/tenant/scram-credential.ts'
import { drawNonce, ScramExchange } from '../../src/tenant/scram-exchange.ts'
import { base64, ScramClient, seededCrypto, utf8 } from './scram-client.ts'

const crypto = seededCrypto()
const CLIENT_NONCE = 'rOprNGfwEbeRWgbNEkqO'
const SERVER_NONCE = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
const NONCE = CLIENT_NONCE + SERVER_NONCE

function credentialFor(mechanism: ScramMechanism, password = 'pencil'): ScramCredential {
  let made: unknown
  const parameters = { mechanism, salt: base64('W22ZaJ0SNY7soEsUEjb6gQ=='), iterations: 4_096 }
  deriveCredential(crypto, parameters, utf8(password), (result) => (made = result))
  return made as ScramCredential
}

const CREDENTIALS = {
  'SCRAM-SHA-256': credentialFor('SCRAM-SHA-256'),
  'SCRAM-SHA-512': credentialFor('SCRAM-SHA-512'),
}

function exchangeOf(mechanism: ScramMechanism = 'SCRAM-SHA-256', serverNonce = SERVER_NONCE) {
  const asked: string[] = []
  const credentialOf = (username: string) => {
    asked.push(username)
    return CREDENTIALS[mechanism]
  }
  const exchange = new ScramExchange({ mechanism, crypto, serverNonce, credentialOf })
  return { exchange, asked }
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

test("RFC 7677's exchange", () => {
  const { exchange, asked } = exchangeOf()
  expect(text(exchange.first(utf8(`n,,n=user,r=${CLIENT_NONCE}`)))).toBe(
    `r=${NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`,
  )
  expect(asked).toEqual(['user'])
  const proof = 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='
  const { isProven, token } = exchange.final(utf8(`c=biws,r=${NONCE},p=${proof}`))
  expect(isProven).toBe(true)
  expect(text(token)).toBe('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
})

/** What kafka-clients 4.3.1 sends and expects (ScramFormatter), with the RFC's values. */
test("the same with SHA-512, by Kafka's client", () => {
  const { exchange } = exchangeOf('SCRAM-SHA-512')
  exchange.first(utf8(`n,,n=user,r=${CLIENT_NONCE}`))
  const proof =
    'gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ=='
  const { isProven, token } = exchange.final(utf8(`c=biws,r=${NONCE},p=${proof}`))
  expect(isProven).toBe(true)
  expect(text(token)).toBe(
    'v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==',
  )
})

describe.each(['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)('a client of %s', (mechanism) => {
  test.each([
    [{}, 'user'],
    [{ header: 'y,,' }, 'user'],
    [{ header: 'n,a=user,' }, 'user'],
    [{ extensions: ',first=val1,Second=name = value "\'!$[]()' }, 'user'],
    [{ extensions: ',tokenauth=false' }, 'user'],
    // as librdkafka before 2.6.1
    [{ noncePrefix: 'own' as const }, 'user'],
    [{ header: 'y,a=a=2Cb=3D2Cc,' }, 'a,b=2Cc'],
    [{}, ' a,b=c=2C=3D '],
  ])('with %j is known by its password', (options, username) => {
    const { exchange, asked } = exchangeOf(mechanism, drawNonce(crypto))
    const client = new ScramClient({ mechanism, username, password: 'pencil', ...options })
    const { isProven, token } = exchange.final(client.final(exchange.first(client.first())))
    expect(asked).toEqual([username])
    expect(isProven).toBe(true)
    expect(client.accepts(token)).toBe(true)
  })

  test('with another password is not', () => {
    const { exchange } = exchangeOf(mechanism, drawNonce(crypto))
    const client = new ScramClient({ mechanism, username: 'user', password: 'pencils' })
    const { isProven, token } = exchange.final(client.final(exchange.first(client.first())))
    expect(isProven).toBe(false)
    expect(client.accepts(token)).toBe(false)
  })
})

test('a nonce is never drawn twice, and needs no escapes', () => {
  const drawn = Array.from({ length: 1_000 }, () => drawNonce(crypto))
  expect(new Set(drawn).size).toBe(1_000)
  for (const nonce of drawn) expect(nonce).toMatch(/^[A-Za-z0-9+/]{24}$/)
})

describe('a client-first-message is refused', () => {
  const first = 'SCRAM client-first-message: '
  test.each([
    ['', `${first}begins with neither n, nor y,`],
    ['n', `${first}begins with neither n, nor y,`],
    ['N,,n=user,r=x', `${first}begins with neither n, nor y,`],
    ['p=tls-unique,,n=user,r=x', `${first}channel binding (p=) is not supported`],
    ['n,', `${first}ends before the user`],
    ['n,a=user', `${first}ends before the user`],
    ['n,x=something,n=user,r=x', `${first}what follows the first comma is not a=`],
    ['n,a=,n=user,r=x', `${first}the authorization id (a=) is empty`],
    ['n,,m=reserved,n=user,r=x', `${first}mandatory extensions (m=) are not supported`],
    ['n,,', `${first}n= with the user is missing`],
    ['n,,r=x,n=user', `${first}n= with the user is missing`],
    ['n,,n=,r=x', `${first}the user (n=) is empty`],
    ['n,,n=a=b,r=x', `${first}the user (n=) has an = that is neither =2C nor =3D`],
    ['n,,n=a=2c,r=x', `${first}the user (n=) has an = that is neither =2C nor =3D`],
    ['n,,n=user=', `${first}the user (n=) has an = that is neither =2C nor =3D`],
    ['n,,n=user', `${first}r= with the nonce is missing`],
    ['n,,n=user,x=y', `${first}r= with the nonce is missing`],
    ['n,,n=user,r=', `${first}the nonce (r=) is empty or not printable`],
    ['n,,n=user,r=a b', `${first}the nonce (r=) is empty or not printable`],
    ['n,,n=user,r=x,', `${first}extension 1 is not letters, = and a value`],
    ['n,,n=user,r=x,a=b,ext', `${first}extension 2 is not letters, = and a value`],
    ['n,,n=user,r=x,e1=v', `${first}extension 1 is not letters, = and a value`],
    ['n,,n=user,r=x,ext=', `${first}extension 1 is not letters, = and a value`],
    [
      'n,,n=user,r=x,a=b,tokenauth=True',
      `${first}delegation tokens (tokenauth=true) are not supported`,
    ],
    ['n,,n=us\0er,r=x', `${first}byte 7 is not of ASCII, or 0`],
    ['n,,n=usér,r=x', `${first}byte 7 is not of ASCII, or 0`],
    [`n,,n=${'u'.repeat(256)},r=x`, 'username of 256 bytes, at most 255'],
    [
      'n,a=admin,n=user,r=x',
      'Client requested an authorization id that is different from username',
    ],
    ['n,a=use=3D,n=user,r=x', 'Client requested an authorization id that is different'],
  ])('%j', (message, expected) => {
    const { exchange, asked } = exchangeOf()
    expect(() => exchange.first(utf8(message))).toThrow(`Authentication failed: ${expected}`)
    expect(asked).toEqual([])
  })
})

describe('a client-final-message is refused', () => {
  const proof = base64('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=').toString('base64')
  test.each([
    ['', 'c= with the channel binding is missing'],
    [`r=${NONCE},c=biws,p=${proof}`, 'c= with the channel binding is missing'],
    [`c=eSws,r=${NONCE},p=${proof}`, 'the channel binding (c=) is not the header'],
    [`c=,r=${NONCE},p=${proof}`, 'the channel binding (c=) is not the header'],
    ['c=biws', 'r= with the nonce is missing'],
    [`c=biws,p=${proof}`, 'r= with the nonce is missing'],
    [`c=biws,r=${NONCE}`, 'p= with the proof is missing'],
    [`c=biws,r=${NONCE},p=${proof},x=y`, 'p= with the proof is missing'],
    [`c=biws,r=${NONCE},ext,p=${proof}`, 'extension 1 is not letters, = and a value'],
    [`c=biws,r=${NONCE},p=123`, 'the proof (p=) is not base64'],
    [`c=biws,r=${NONCE},p=${proof.replace('=', '')}`, 'the proof (p=) is not base64'],
    [`c=biws,r=${NONCE},p=`, "the proof (p=) has 0 bytes, the mechanism's has 32"],
    [`c=biws,r=${NONCE},p=YWJj`, "the proof (p=) has 3 bytes, the mechanism's has 32"],
    [`c=biws,r=${CLIENT_NONCE},p=${proof}`, 'the nonce (r=) is not that of the server-first'],
    [`c=biws,r=x${NONCE},p=${proof}`, 'the nonce (r=) is not that of the server-first'],
    [`c=biws,r=${NONCE}\0,p=${proof}`, 'is not of ASCII, or 0'],
  ])('%j', (message, expected) => {
    const { exchange } = exchangeOf()
    exchange.first(utf8(`n,,n=user,r=${CLIENT_NONCE}`))
    expect(() => exchange.final(utf8(message))).toThrow(expected)
    // there is one try
    expect(() => exchange.final(utf8(`c=biws,r=${NONCE},p=${proof}`))).toThrow('before it begins')
  })

  test('before there was a first', () => {
    expect(() => exchangeOf().exchange.final(utf8('c=biws'))).toThrow('before it begins')
  })
})

test('hostile bytes are refused or do not prove anything', () => {
  const random = new SeededRandom(5_802)
  const first = `n,a=user,n=user,r=${CLIENT_NONCE},ext=value`
  const final = `c=${utf8('n,a=user,').toString('base64')},r=${NONCE},p=${'AAAA'.repeat(10)}AAA=`
  const counts = { refused: 0, challenged: 0, unproven: 0 }
  for (let i = 0; i < 20_000; i++) {
    const { exchange } = exchangeOf()
    try {
      exchange.first(random.chance(0.5) ? utf8(first) : mutated(random, first))
      counts.challenged++
      expect(exchange.final(mutated(random, final)).isProven).toBe(false)
      counts.unproven++
    } catch (error) {
      expect(error).toBeInstanceOf(SaslFormatError)
      counts.refused++
    }
  }
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(100)
})

/** One to three bytes changed, put in, taken out, or the rest cut off. */
function mutated(random: SeededRandom, message: string): Uint8Array {
  const bytes = [...utf8(message)]
  const likely = [...utf8(',=nrpcay\0\x7f\xffA')]
  for (let n = 1 + random.below(3); n > 0; n--) {
    const at = random.below(bytes.length + 1)
    const byte = random.chance(0.5) ? likely[random.below(likely.length)]! : random.below(256)
    const how = random.below(10)
    if (how < 4) bytes[at] = byte
    else if (how < 7) bytes.splice(at, 0, byte)
    else if (how < 9) bytes.splice(at, 1)
    else bytes.length = at
  }
  return Uint8Array.from(bytes)
}
