/** SCRAM users of a tenant: made, described, removed and logged in. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import type { TenantId } from '../../src/base/ids.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { saslHandshake } from '../../src/protocol/17-sasl-handshake.ts'
import { saslAuthenticate } from '../../src/protocol/36-sasl-authenticate.ts'
import { describeUserScramCredentials } from '../../src/protocol/50-describe-user-scram-credentials.ts'
import { alterUserScramCredentials } from '../../src/protocol/51-alter-user-scram-credentials.ts'
import { MadeUpCredentials } from '../../src/tenant/made-up-credentials.ts'
import { HASH_BYTES } from '../../src/tenant/sasl-crypto.ts'
import type { ScramMechanism } from '../../src/tenant/scram-credential.ts'
import { ScramClient, seededCrypto, utf8 } from '../tenant/scram-client.ts'
import { call } from './call.ts'
import type { FakeClient } from './fake-client.ts'
import { Harness } from './harness.ts'
import { login, Operator, plainToken } from './tenants.ts'

const HASHES = { 'SCRAM-SHA-256': 'sha256', 'SCRAM-SHA-512': 'sha512' } as const
const SALT = utf8('four-and-more')

function salted(mechanism: ScramMechanism, password: string, iterations: number): Uint8Array {
  let found = new Uint8Array(HASH_BYTES[HASHES[mechanism]])
  seededCrypto().pbkdf2(HASHES[mechanism], utf8(password), SALT, iterations, (bytes) => {
    if (!(bytes instanceof Error)) found = Uint8Array.from(bytes)
  })
  return found
}

const upsert = (name: string, password: string, mechanism: ScramMechanism = 'SCRAM-SHA-256') => ({
  ...{ name, mechanism: mechanism === 'SCRAM-SHA-256' ? 1 : 2, iterations: 4096, salt: SALT },
  saltedPassword: salted(mechanism, password, 4096),
})

class Users {
  readonly world = new Harness()
  readonly operator = new Operator(this.world)
  readonly acme: TenantId
  readonly admin: FakeClient
  #connections = 0

  constructor() {
    this.acme = this.operator.tenant('acme')
    this.admin = this.world.connect()
    login(this.world, this.admin, this.operator.key(this.acme))
  }

  alter(
    upsertions: readonly ReturnType<typeof upsert>[],
    deletions: readonly { readonly name: string; readonly mechanism: number }[] = [],
    client = this.admin,
  ) {
    const request = { upsertions, deletions }
    return call(this.world, client, alterUserScramCredentials, 0, request).results
  }

  /** At the address of a tenant, or of all. */
  connect(tenantId: TenantId | null): FakeClient {
    Object.assign(this.world.listener, { tenantId })
    // from elsewhere each time: who has failed has to wait
    return this.world.connect(`10.0.0.${++this.#connections}:50000`)
  }

  plain(client: FakeClient, user: string, password: string): number {
    call(this.world, client, saslHandshake, 1, { mechanism: 'PLAIN' })
    const request = { authBytes: plainToken(user, password) }
    return call(this.world, client, saslAuthenticate, 2, request).errorCode
  }

  scram(
    client: FakeClient,
    username: string,
    password: string,
    mechanism: ScramMechanism,
    doublesNonce = false,
  ) {
    const scram = new ScramClient({
      ...{ mechanism, username, password },
      noncePrefix: doublesNonce ? 'own' : '',
    })
    call(this.world, client, saslHandshake, 1, { mechanism })
    const send = (authBytes: Uint8Array) =>
      call(this.world, client, saslAuthenticate, 2, { authBytes })
    const challenge = Buffer.from(send(scram.first()).authBytes)
    return { ...send(scram.final(challenge)), challenge: challenge.toString() }
  }
}

/** What a challenge tells besides the nonce. */
const toldOf = (challenge: string) => challenge.replace(/^r=[^,]*,/, '')

describe('a SCRAM user', () => {
  it.each(['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)(
    'logs in with %s, by its tenant and name at the common address, and by its name at the tenant’s',
    (mechanism) => {
      const here = new Users()
      expect(here.alter([upsert('alice', 'wonder', mechanism)])).toMatchObject([{ errorCode: 0 }])
      const { acme } = here
      expect(here.scram(here.connect(null), 'acme/alice', 'wonder', mechanism).errorCode).toBe(0)
      expect(here.scram(here.connect(acme), 'alice', 'wonder', mechanism).errorCode).toBe(0)
      expect(here.plain(here.connect(acme), 'alice', 'wonder')).toBe(0)
      const refused = here.scram(here.connect(acme), 'alice', 'wander', mechanism)
      expect(refused).toMatchObject({
        errorCode: ErrorCode.SASL_AUTHENTICATION_FAILED,
        errorMessage: `Authentication failed during authentication due to invalid credentials with SASL mechanism ${mechanism}`,
      })
    },
  )

  it('logs in with librdkafka before 2.6.1, which sends its nonce twice', () => {
    const here = new Users()
    here.alter([upsert('alice', 'wonder')])
    const log = (password: string) =>
      here.scram(here.connect(here.acme), 'alice', password, 'SCRAM-SHA-256', true).errorCode
    expect(log('wonder')).toBe(0)
    expect(log('wander')).toBe(ErrorCode.SASL_AUTHENTICATION_FAILED)
  })

  it('is described, and loses its connections when it is removed', () => {
    const here = new Users()
    here.alter([upsert('alice', 'wonder'), upsert('bob', 'b', 'SCRAM-SHA-512')])
    const client = here.connect(here.acme)
    here.plain(client, 'alice', 'wonder')
    expect(call(here.world, client, metadata, 9, { topics: [] }).brokers).toHaveLength(1)
    const describe = () =>
      call(here.world, here.admin, describeUserScramCredentials, 0, { users: null }).results
    expect(describe().map(({ user, credentialInfos }) => [user, credentialInfos])).toEqual([
      ['alice', [{ mechanism: 1, iterations: 4096 }]],
      ['bob', [{ mechanism: 2, iterations: 4096 }]],
    ])
    expect(here.alter([], [{ name: 'alice', mechanism: 1 }])).toEqual([
      { user: 'alice', errorCode: 0, errorMessage: null },
    ])
    expect(describe().map(({ user }) => user)).toEqual(['bob'])
    expect(client.closed).toBe(true)
  })

  it('is made by nobody who lacks ALTER on the cluster', () => {
    const here = new Users()
    here.alter([upsert('alice', 'wonder')])
    const client = here.connect(here.acme)
    here.plain(client, 'alice', 'wonder')
    const refused = here.alter([upsert('z', 'z'), upsert('alice', 'more')], [], client)
    expect(refused.map(({ user, errorCode }) => [user, errorCode])).toEqual([
      ['alice', ErrorCode.CLUSTER_AUTHORIZATION_FAILED],
      ['z', ErrorCode.CLUSTER_AUTHORIZATION_FAILED],
    ])
    expect(here.plain(here.connect(here.acme), 'alice', 'wonder')).toBe(0)
  })

  it('is refused with what is wrong, and others are made all the same', () => {
    const here = new Users()
    const good = upsert('good', 'x')
    const results = here.alter([
      { ...good, name: 'few', iterations: 4095 },
      { ...good, name: 'salt', salt: utf8('abc') },
      { ...good, name: 'short', saltedPassword: new Uint8Array(31) },
      { ...good, name: '*' },
      good,
    ])
    expect(results).toEqual([
      { user: 'good', errorCode: 0, errorMessage: null },
      { user: '*', errorCode: 93, errorMessage: "Username must not be '*'" },
      { user: 'few', errorCode: 93, errorMessage: 'Too few iterations' },
      { user: 'salt', errorCode: 93, errorMessage: 'salt too short: 3 bytes, at least 4' },
      {
        ...{ user: 'short', errorCode: 93 },
        errorMessage: 'salted password of 31 bytes, sha256 has 32',
      },
    ])
  })

  it('is one of 1,000 at most in a request', () => {
    const here = new Users()
    const names = Array.from({ length: 1001 }, (_, n) => ({ name: `${n}`, mechanism: 1 }))
    const results = here.alter([], names)
    expect(results).toHaveLength(1001)
    expect(results[0]).toEqual({
      ...{ user: '0', errorCode: ErrorCode.POLICY_VIOLATION },
      errorMessage: 'Excessively large number of users per request: 1001, the limit is 1000.',
    })
    expect(results[1000]!.errorMessage).toBeNull()
  })

  it('cannot be told from one who does not exist, at neither address', () => {
    const here = new Users()
    here.alter([upsert('alice', 'wonder')])
    for (const user of ['alice', 'nobody']) {
      const own = here.scram(here.connect(here.acme), user, 'wrong', 'SCRAM-SHA-256')
      const again = here.scram(here.connect(here.acme), user, 'other', 'SCRAM-SHA-256')
      const common = here.scram(here.connect(null), `acme/${user}`, 'wrong', 'SCRAM-SHA-256')
      expect(toldOf(again.challenge)).toBe(toldOf(own.challenge))
      expect(toldOf(common.challenge)).toBe(toldOf(own.challenge))
      expect(own.errorCode).toBe(ErrorCode.SASL_AUTHENTICATION_FAILED)
    }
    const other = here.operator.tenant('emca')
    const theirs = here.scram(here.connect(other), 'nobody', 'wrong', 'SCRAM-SHA-256')
    const ours = here.scram(here.connect(here.acme), 'nobody', 'wrong', 'SCRAM-SHA-256')
    expect(toldOf(theirs.challenge)).not.toBe(toldOf(ours.challenge))
  })

  it('who does not exist looks the same after a restart: the cluster’s id decides', () => {
    const here = new Users()
    const { challenge } = here.scram(here.connect(here.acme), 'nobody', 'x', 'SCRAM-SHA-512')
    const crypto = seededCrypto(99)
    const text = `made-up credentials of ${here.world.image.clusterId}`
    const secret = crypto.hash('sha256', utf8(text))
    const shapes = here.world.front.services.userShapes.all
    const madeUp = new MadeUpCredentials({ crypto, secret, shapes })
    const { salt, iterations } = madeUp.of('SCRAM-SHA-512', 'acme/nobody')
    expect(toldOf(challenge)).toBe(`s=${Buffer.from(salt).toString('base64')},i=${iterations}`)
  })
})
