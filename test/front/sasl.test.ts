import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import type { ConnectionState } from '../../src/front/context.ts'
import { OwnerCount } from '../../src/net/owner-counts.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { saslHandshake } from '../../src/protocol/17-sasl-handshake.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { saslAuthenticate } from '../../src/protocol/36-sasl-authenticate.ts'
import type { FakeClient } from './fake-client.ts'
import { Harness, type HarnessOptions } from './harness.ts'
import { type Key, login, Operator, plainToken } from './tenants.ts'

const { SASL_AUTHENTICATION_FAILED, ILLEGAL_SASL_STATE, UNSUPPORTED_SASL_MECHANISM } = ErrorCode
const { TOPIC_AUTHORIZATION_FAILED } = ErrorCode

function open(options: HarnessOptions = {}) {
  const world = new Harness(options)
  const operator = new Operator(world)
  const acme = operator.tenant('acme')
  const key = operator.key(acme)
  const reasons = () => world.lines.flatMap(({ fields }) => fields.reason ?? [])
  const at = (listener: Partial<typeof world.listener>) => {
    Object.assign(world.listener, listener)
    return world.connect()
  }
  return { world, operator, acme, key, reasons, at }
}

type World = ReturnType<typeof open>

function topicsOf({ world }: World, client: FakeClient): string[] {
  const asked = client.send(metadata, 9, { topics: null })
  world.run()
  return client.answer(metadata, asked)!.topics.map(({ name }) => name!)
}

function make({ world }: World, client: FakeClient, name: string): number {
  const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
  const asked = client.send(createTopics, 5, { topics: [topic], timeoutMs: 1_000 })
  world.run()
  return client.answer(createTopics, asked)!.topics[0]!.errorCode
}

describe('a connection', () => {
  it('that authenticates is its tenant’s, and one that does not the tenant default’s', () => {
    const here = open()
    const { world, operator, key } = here
    const emca = operator.key(operator.tenant('emca'))
    const [anonymous, one, two] = [world.connect(), world.connect(), world.connect()]
    expect(login(world, one, key)).toMatchObject({ errorCode: 0, sessionLifetimeMs: 0 })
    expect(login(world, two, emca)).toMatchObject({ errorCode: 0 })
    for (const [client, name] of [
      [anonymous, 'theirs'],
      [one, 'orders'],
      [two, 'orders'],
      [two, 'more'],
    ] as const) {
      expect(make(here, client, name)).toBe(0)
    }
    expect([anonymous, one, two].map((client) => topicsOf(here, client))).toEqual([
      ['theirs'],
      ['orders'],
      ['more', 'orders'],
    ])
    const clusterIds = [anonymous, one, two].map((client) => {
      const asked = client.send(metadata, 9, { topics: [] })
      world.run()
      return client.answer(metadata, asked)!.clusterId
    })
    expect(new Set(clusterIds).size).toBe(3)
  })

  it('may ask which versions there are, and nothing else, before it has authenticated', () => {
    const { world, key } = open()
    const client = world.connect()
    client.send(apiVersions, 3, { clientSoftwareName: 'x', clientSoftwareVersion: '1' })
    client.send(saslHandshake, 1, { mechanism: 'PLAIN' })
    world.run()
    expect(client.answers).toHaveLength(2)
    client.send(metadata, 9, { topics: null })
    world.run()
    expect([client.closed, client.answers.length]).toEqual([true, 2])
    const late = world.connect()
    expect(login(world, late, key)).toMatchObject({ errorCode: 0 })
  })

  it('is closed where it does not authenticate and the listener wants that', () => {
    const here = open()
    const client = here.at({ allowsAnonymous: false })
    client.send(apiVersions, 3, { clientSoftwareName: 'x', clientSoftwareVersion: '1' })
    here.world.run()
    expect(client.closed).toBe(false)
    client.send(metadata, 9, { topics: null })
    here.world.run()
    expect(client.closed).toBe(true)
    expect(here.reasons()).toEqual([
      'it asked for Metadata without logging in, and anonymous access is off here: log in by SASL, or set --kafka-anonymous on',
    ])
    expect(login(here.world, here.world.connect(), here.key)).toMatchObject({ errorCode: 0 })
  })

  it('may not send a password where others could read it', () => {
    const here = open()
    const { world, key } = here
    for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']) {
      const client = here.at({ allowsAnonymous: false, allowsSasl: false })
      const asked = client.send(saslHandshake, 1, { mechanism })
      world.run()
      expect(client.answer(saslHandshake, asked)).toEqual({
        errorCode: UNSUPPORTED_SASL_MECHANISM,
        mechanisms: [],
      })
      expect(client.closed).toBe(true)
      expect(here.reasons().pop()).toBe(
        'without TLS others could read it on its way here: listen with TLS, or take the risk with --kafka-allow-plaintext-sasl',
      )
    }
    const client = world.connect()
    client.send(metadata, 9, { topics: null })
    world.run()
    expect(here.reasons().pop()).toMatch(
      /: listen with TLS, and log in, or set --kafka-anonymous on$/,
    )
    expect(login(world, here.at({ allowsSasl: true }), key)).toMatchObject({ errorCode: 0 })
  })

  it.each([
    ['a wrong secret', ({ key }: World): Key => ({ ...key, secret: 'x' })],
    ['an unknown key', ({ key }: World): Key => ({ ...key, key: 'ABCDEFGHJKMNPQRS' })],
    ['a name from the prototype', ({ key }: World): Key => ({ ...key, key: '__proto__/x' })],
  ])('with %s is told the same, and closed', (_, wrong) => {
    const here = open()
    const client = here.world.connect()
    expect(login(here.world, client, wrong(here))).toEqual({
      errorCode: SASL_AUTHENTICATION_FAILED,
      errorMessage: 'Authentication failed: Invalid username or password',
      authBytes: expect.objectContaining({ length: 0 }),
      sessionLifetimeMs: 0,
    })
    expect(client.closed).toBe(true)
    expect(here.reasons()).toHaveLength(1)
    expect(JSON.stringify(here.world.lines)).not.toContain(here.key.secret)
  })

  it('waits longer with each failure as its user from its address, and others do not', () => {
    const { world, operator, acme, key } = open()
    const neighbour = operator.key(acme)
    const wrong = { ...key, secret: 'x' }
    const from = (host: string) => world.connect(`${host}:50000`)
    for (let i = 0; i < 4; i++) {
      world.clock.advance(5_000)
      expect(login(world, from('10.0.0.1'), wrong)?.errorCode).toBe(SASL_AUTHENTICATION_FAILED)
    }
    const [same, other] = [from('10.0.0.1'), from('10.0.0.2')]
    expect(login(world, same, key)).toBeUndefined()
    expect(login(world, other, key)?.errorCode).toBe(0)
    expect(login(world, from('10.0.0.1'), neighbour)?.errorCode).toBe(0)
    world.clock.advance(799)
    world.run()
    expect(same.answers).toHaveLength(1)
    world.clock.advance(1)
    world.run()
    expect(same.answers.at(-1)!.response).toMatchObject({ errorCode: 0 })
  })

  const FAILING: [string, (here: World) => Key][] = [
    [
      'a wrong secret of another key',
      ({ operator, acme }) => ({ ...operator.key(acme), secret: 'x' }),
    ],
    ['a key that nobody has', () => ({ key: 'ABCDEFGHJKMNPQRS', secret: 'x' })],
    ['a token that is none', () => ({ key: '', secret: 'x' })],
  ]
  it.each(FAILING)('with %s is told so as late as its address has earned', (_, other) => {
    const here = open()
    const { world } = here
    const failing = other(here)
    const wrong = { ...here.key, secret: 'x' }
    for (let i = 0; i < 4; i++) {
      world.clock.advance(5_000)
      login(world, world.connect(), wrong)
    }
    const logged = here.reasons().length
    const client = world.connect()
    expect(login(world, client, failing)).toBeUndefined()
    expect(here.reasons()).toHaveLength(logged + 1)
    world.clock.advance(799)
    world.run()
    expect([client.answers.length, client.closed]).toEqual([1, false])
    world.clock.advance(1)
    world.run()
    expect(client.answers.at(-1)!.response).toMatchObject({ errorCode: SASL_AUTHENTICATION_FAILED })
    expect(client.closed).toBe(true)
    // from when it was told, and as long for whoever tries anew at once
    const again = world.connect()
    expect(login(world, again, failing)).toBeUndefined()
    world.clock.advance(1_599)
    world.run()
    expect(again.closed).toBe(false)
    world.clock.advance(1)
    world.run()
    expect(again.closed).toBe(true)
  })

  it('that failed, and is not told so yet, ends with whatever it sends next', () => {
    const { world, operator, acme, key } = open()
    const [neighbour, wrong] = [operator.key(acme), { ...key, secret: 'x' }]
    for (const more of ['token', 'handshake'] as const) {
      login(world, world.connect(), wrong)
      const client = world.connect()
      expect(login(world, client, { ...neighbour, secret: more })).toBeUndefined()
      if (more === 'handshake') login(world, client, neighbour)
      else {
        const { key, secret } = neighbour
        client.send(saslAuthenticate, 2, { authBytes: plainToken(key, secret) })
      }
      world.clock.advance(5_000)
      world.run()
      expect(client.closed).toBe(true)
      expect(client.answers.at(-1)!.response).not.toMatchObject({ errorCode: 0, authBytes: {} })
    }
  })

  it('is not held up by forty with a wrong secret of another at its address', () => {
    const { world, operator, acme, key } = open()
    const neighbour = operator.key(acme)
    for (let i = 0; i < 400; i++) {
      login(world, world.connect(), { ...key, secret: 'x' })
      world.clock.advance(25)
    }
    expect(login(world, world.connect(), neighbour)?.errorCode).toBe(0)
  })

  it('that goes away while its login waits is forgotten', () => {
    const { world, key } = open()
    for (let i = 0; i < 4; i++) {
      login(world, world.connect(), { ...key, secret: 'x' })
      world.clock.advance(5_000)
    }
    login(world, world.connect(), { ...key, secret: 'x' })
    const client = world.connect()
    expect(login(world, client, key)).toBeUndefined()
    client.connection.close()
    world.clock.advance(10_000)
    world.run()
    expect(world.front.connections.size).toBe(0)
  })

  it('learns which mechanisms there are when it asks for another', () => {
    const { world } = open()
    const client = world.connect()
    client.send(saslHandshake, 1, { mechanism: 'GSSAPI' })
    world.run()
    expect(client.answers[0]!.response).toEqual({
      errorCode: UNSUPPORTED_SASL_MECHANISM,
      mechanisms: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'],
    })
    expect(client.closed).toBe(true)
  })

  it('speaks out of turn: an error, or the end', () => {
    const { world, key } = open()
    const early = world.connect()
    early.send(saslAuthenticate, 2, { authBytes: plainToken(key.key, key.secret) })
    world.run()
    expect(early.answers[0]!.response).toMatchObject({ errorCode: ILLEGAL_SASL_STATE })
    const anonymous = world.connect()
    anonymous.send(metadata, 9, { topics: [] })
    anonymous.send(saslHandshake, 1, { mechanism: 'PLAIN' })
    world.run()
    expect(anonymous.answers[1]!.response).toMatchObject({ errorCode: ILLEGAL_SASL_STATE })
    const twice = world.connect()
    expect(login(world, twice, key)).toMatchObject({ errorCode: 0 })
    const again = twice.send(saslAuthenticate, 2, { authBytes: plainToken(key.key, key.secret) })
    world.run()
    expect(twice.answer(saslAuthenticate, again)).toMatchObject({ errorCode: ILLEGAL_SASL_STATE })
  })

  it('may send its tokens bare, after a handshake of version 0', () => {
    const here = open()
    const { world, key } = here
    const client = world.connect()
    client.send(saslHandshake, 0, { mechanism: 'PLAIN' })
    world.run()
    const token = plainToken(key.key, key.secret)
    const frame = Buffer.alloc(4 + token.length)
    frame.writeInt32BE(token.length)
    frame.set(token, 4)
    const written: Buffer[] = []
    const write = client.socket.write.bind(client.socket)
    client.socket.write = (bytes: Uint8Array, done?: () => void) => {
      written.push(Buffer.from(bytes))
      done?.()
      return true
    }
    client.connection.onData(frame)
    world.run()
    client.socket.write = write
    expect(Buffer.concat(written)).toEqual(Buffer.alloc(4))
    expect(make(here, client, 'orders')).toBe(0)
    expect(topicsOf(here, world.connect())).toEqual([])
  })
})

describe('the log of a refused login', () => {
  const lineOf = (here: World, client: FakeClient, key: Key) => {
    login(here.world, client, key)
    return here.world.lines.at(-1)!.fields
  }

  it('names the tenant whose key it was, and none where there is no such key', () => {
    const here = open()
    const wrong = lineOf(here, here.world.connect('10.0.0.1:1'), { ...here.key, secret: 'x' })
    expect(wrong).toMatchObject({ client: '10.0.0.1:1', tenant: 'acme' })
    const unknown = { key: 'ABCDEFGHJKMNPQRS', secret: 'x' }
    const nobody = lineOf(here, here.world.connect('10.0.0.2:1'), unknown)
    expect(nobody).not.toHaveProperty('tenant')
    const owned = lineOf(here, here.at({ tenantId: here.acme }), unknown)
    expect(owned).toMatchObject({ tenant: 'acme', reason: 'there is no user "ABCDEFGHJKMNPQRS"' })
  })
})

describe('a session', () => {
  it('ends when its key is revoked, and no other', () => {
    const here = open()
    const { world, operator, acme, key } = here
    const kept = operator.key(acme)
    const [one, two, three] = [world.connect(), world.connect(), world.connect()]
    login(world, one, key)
    login(world, two, kept)
    topicsOf(here, three)
    operator.ask(acme, { kind: 'revoke-key', keyId: key.key })
    expect([one, two, three].map(({ closed }) => closed)).toEqual([true, false, false])
    expect(login(world, world.connect(), key)?.errorCode).toBe(SASL_AUTHENTICATION_FAILED)
    expect(topicsOf(here, two)).toEqual([])
  })

  it('ends when its tenant is suspended, and may begin again when that is resumed', () => {
    const here = open()
    const { world, operator, acme, key } = here
    const client = world.connect()
    login(world, client, key)
    make(here, client, 'orders')
    operator.ask(acme, { kind: 'alter-tenant', settings: { state: 'suspended' } })
    expect(client.closed).toBe(true)
    expect(login(world, world.connect(), key)).toMatchObject({
      errorCode: SASL_AUTHENTICATION_FAILED,
      errorMessage: 'Authentication failed: Invalid username or password',
    })
    expect(world.lines.at(-1)).toMatchObject({
      message: 'login refused',
      fields: {
        ...{ mechanism: 'PLAIN', tenant: 'acme' },
        reason: `user "${key.key}": the tenant 'acme' is suspended`,
      },
    })
    const { counts } = world.front.services.tenantConnections.ownerOf(acme)
    expect(counts[OwnerCount.CONNECTIONS_REFUSED]).toBe(1)
    operator.ask(acme, { kind: 'alter-tenant', settings: { state: 'active' } })
    world.clock.advance(60_000)
    const again = world.connect()
    expect(login(world, again, key)?.errorCode).toBe(0)
    expect(topicsOf(here, again)).toEqual(['orders'])
    operator.ask(acme, { kind: 'delete-tenant' })
    expect(again.closed).toBe(true)
  })

  it('is closed once it has logged in where its tenant has as many connections as it may, with the limit in the log', () => {
    const { world, operator } = open()
    const key = operator.key(operator.tenant('small', { connections: 2 }))
    const clients = Array.from({ length: 3 }, () => world.connect())
    const said = clients.map((client) => login(world, client, key))
    // its secret was right: clients take SASL_AUTHENTICATION_FAILED for final
    expect(said.map((answer) => answer?.errorCode)).toEqual([0, 0, 0])
    expect(clients.map(({ closed }) => closed)).toEqual([false, false, true])
    expect(world.lines.filter(({ level }) => level === 'warn')).toMatchObject([
      {
        message: 'login refused',
        fields: {
          tenant: 'small',
          reason:
            'The limit of 2 connections of this cluster would be passed: 2 are used, 1 more are asked for.',
        },
      },
    ])
    clients[0]!.connection.close()
    expect(login(world, world.connect(), key)?.errorCode).toBe(0)
  })

  it('lasts as long as connections.max.reauth.ms says, unless it authenticates again, as the same', () => {
    const here = open({ brokerConfigs: { 'connections.max.reauth.ms': '60000' } })
    const { world, operator, acme, key } = here
    const other = operator.key(acme, 'bob')
    const [client, idle] = [world.connect(), world.connect()]
    expect(login(world, client, key)).toMatchObject({ errorCode: 0, sessionLifetimeMs: 60_000 })
    login(world, idle, key)
    world.clock.advance(59_000)
    expect(login(world, client, key)).toMatchObject({ errorCode: 0, sessionLifetimeMs: 60_000 })
    world.clock.advance(59_000)
    expect(topicsOf(here, client)).toEqual([])
    idle.send(metadata, 9, { topics: null })
    world.run()
    expect(idle.closed).toBe(true)
    expect(login(world, client, other)).toMatchObject({
      errorCode: SASL_AUTHENTICATION_FAILED,
      errorMessage: 'Cannot change principals during re-authentication',
    })
    expect(client.closed).toBe(true)
  })

  it('of a listener for one tenant is that tenant’s, whoever knocks', () => {
    const here = open()
    const { world, operator, acme, key } = here
    const foreign = operator.key(operator.tenant('emca'))
    const client = here.at({ tenantId: acme })
    expect(make(here, client, 'orders')).toBe(TOPIC_AUTHORIZATION_FAILED)
    operator.ask(acme, { kind: 'alter-tenant', settings: { superUsers: ['User:ANONYMOUS'] } })
    expect(make(here, client, 'orders')).toBe(0)
    expect(login(world, world.connect(), key)?.errorCode).toBe(0)
    expect(login(world, world.connect(), foreign)?.errorCode).toBe(SASL_AUTHENTICATION_FAILED)
    Object.assign(world.listener, { tenantId: null })
    expect(topicsOf(here, world.connect())).toEqual([])
  })
})

describe('a certificate', () => {
  const certified = { principal: 'User:admin', allowsAnonymous: false, allowsSasl: true }
  const stateOf = (client: FakeClient) => client.connection.session as ConnectionState

  it('is a login of its own, as whom it names, within the tenant of the listener', () => {
    const here = open()
    const { world, operator, acme, key } = here
    const ofDefault = here.at({ ...certified, tenantId: null })
    expect(make(here, ofDefault, 'theirs')).toBe(0)
    const client = here.at({ ...certified, tenantId: acme })
    expect(make(here, client, 'orders')).toBe(0)
    expect(topicsOf(here, client)).toEqual(['orders'])
    expect(stateOf(client).session).toMatchObject({
      ...{ tenantId: acme, principal: 'User:admin', login: { kind: 'certificate' } },
    })
    // whom nobody has allowed anything
    const other = here.at({ ...certified, tenantId: acme, principal: 'User:CN=billing' })
    expect(make(here, other, 'more')).toBe(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    // nothing of its own
    operator.ask(acme, { kind: 'revoke-key', keyId: key.key })
    expect(client.closed).toBe(false)
    operator.ask(acme, { kind: 'alter-tenant', settings: { state: 'suspended' } })
    expect([ofDefault.closed, client.closed]).toEqual([false, true])
    const late = world.connect()
    late.send(metadata, 9, { topics: null })
    world.run()
    expect(late.closed).toBe(true)
    expect(here.reasons().pop()).toBe("the tenant 'acme' is suspended")
  })

  it('says less than a login by SASL that comes first, and cannot be changed for one later', () => {
    const here = open()
    const { world, key, acme } = here
    const first = here.at(certified)
    expect(login(world, first, key)).toMatchObject({ errorCode: 0 })
    expect(stateOf(first).session).toMatchObject({
      ...{ tenantId: acme, principal: 'User:admin', login: { kind: 'key' } },
    })
    const later = world.connect()
    expect(topicsOf(here, later)).toEqual([])
    const asked = later.send(saslHandshake, 1, { mechanism: 'PLAIN' })
    world.run()
    expect(later.answer(saslHandshake, asked)).toMatchObject({ errorCode: ILLEGAL_SASL_STATE })
  })
})
