/** How many connections may wait for their login, and for how long; and whose share a connection takes from. */
import { describe, expect, it } from 'vitest'
import { defaultLimits } from '../../src/net/connection-set.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { saslHandshake } from '../../src/protocol/17-sasl-handshake.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { Harness } from './harness.ts'
import { login, Operator } from './tenants.ts'

/** 8 logins at a time, 4 of them from one address. */
function open() {
  const world = new Harness({ limits: { ...defaultLimits, connectionsMax: 16 } })
  const operator = new Operator(world)
  const acme = operator.tenant('acme')
  const key = operator.key(acme)
  const reasons = () => world.lines.flatMap(({ fields }) => fields.reason ?? [])
  return { world, operator, acme, key, reasons }
}

describe('a login', () => {
  it('has 10 s at a listener that wants one, whatever is said meanwhile', () => {
    const { world, key, reasons } = open()
    Object.assign(world.listener, { allowsAnonymous: false })
    const [silent, asking, good] = [world.connect(), world.connect(), world.connect()]
    expect(login(world, good, key)?.errorCode).toBe(0)
    world.clock.advance(9_999)
    asking.send(apiVersions, 3, { clientSoftwareName: 'x', clientSoftwareVersion: '1' })
    world.run()
    expect(silent.closed).toBe(false)
    world.clock.advance(1)
    world.run()
    expect([silent, asking, good].map(({ closed }) => closed)).toEqual([true, true, false])
    expect(reasons()).toEqual(Array(2).fill('it has not logged in within 10 s'))
    // those that come later have as long
    const first = world.connect()
    world.clock.advance(5_000)
    const second = world.connect()
    world.clock.advance(5_000)
    world.run()
    expect([first.closed, second.closed]).toEqual([true, false])
    world.clock.advance(4_999)
    world.run()
    expect(second.closed).toBe(false)
    world.clock.advance(1)
    world.run()
    expect(second.closed).toBe(true)
    expect(world.front.services.logins.size).toBe(0)
  })

  it('ends a few at a time where thousands have come at once', () => {
    const world = new Harness({ limits: { ...defaultLimits, connectionsMax: 4_000 } })
    new Operator(world).tenant('acme')
    Object.assign(world.listener, { allowsAnonymous: false })
    const clients = Array.from({ length: 300 }, () => world.connect())
    const left = () => clients.filter(({ closed }) => !closed).length
    world.clock.advance(10_000)
    for (let before = 300; before > 0; before = left()) {
      world.front.doWork(world.clock.monotonicMs())
      expect(before - left()).toBeGreaterThan(0)
      expect(before - left()).toBeLessThanOrEqual(64)
      world.clock.advance(1)
    }
  })

  it('has 10 s elsewhere once it has begun; who begins none is left alone', () => {
    const { world } = open()
    const [silent, begun] = [world.connect(), world.connect()]
    world.clock.advance(5_000)
    begun.send(saslHandshake, 1, { mechanism: 'PLAIN' })
    world.run()
    world.clock.advance(9_000)
    // again is no later
    begun.send(saslHandshake, 1, { mechanism: 'PLAIN' })
    world.run()
    expect(begun.closed).toBe(false)
    world.clock.advance(1_000)
    world.run()
    expect([silent.closed, begun.closed]).toEqual([false, true])
  })

  it('that is one too many from an address costs the oldest from there its place, and others nothing', () => {
    const { world, key, reasons } = open()
    Object.assign(world.listener, { allowsAnonymous: false })
    const other = world.connect('10.0.0.1:1')
    const flood = Array.from({ length: 6 }, (_, i) => world.connect(`10.0.0.2:${i + 1}`))
    expect(flood.map(({ closed }) => closed)).toEqual([true, true, false, false, false, false])
    expect(other.closed).toBe(false)
    // behind the same address somebody gets in
    expect(login(world, world.connect('10.0.0.2:99'), key)?.errorCode).toBe(0)
    expect(reasons()).toEqual(Array(3).fill('too many connections wait for their login'))
    expect(login(world, other, key)?.errorCode).toBe(0)
  })

  it('that is one too many of all costs the address that has most of them', () => {
    const { world } = open()
    Object.assign(world.listener, { allowsAnonymous: false })
    const at = (host: string, count: number) =>
      Array.from({ length: count }, (_, i) => world.connect(`${host}:${i + 1}`))
    const [few, most, some] = [at('10.0.0.1', 2), at('10.0.0.2', 4), at('10.0.0.3', 3)]
    const closed = [few, most, some].map((all) => all.map((client) => client.closed))
    expect(closed).toEqual([
      [false, false],
      [true, false, false, false],
      [false, false, false],
    ])
    for (const { connection } of [...few, ...most, ...some]) connection.close()
    expect(world.front.services.logins.size).toBe(0)
  })
})

describe('what a connection holds', () => {
  it('counts as its tenant’s: by its login, by its first request, or by its listener from the beginning', () => {
    const { world, acme, key } = open()
    const { tenantConnections } = world.front.services
    const { owners } = world.front.connections
    const [user, anonymous, silent] = [world.connect(), world.connect(), world.connect()]
    expect(owners.strangers.connections).toBe(3)
    login(world, user, key)
    anonymous.send(metadata, 9, { topics: [] })
    world.run()
    const own = tenantConnections.ownerOf(acme)
    const common = tenantConnections.ownerOf(world.image.defaultTenant!.tenantId)
    expect(user.connection.owner).toBe(own)
    expect(anonymous.connection.owner).toBe(common)
    expect(silent.connection.owner).toBe(owners.strangers)
    Object.assign(world.listener, { tenantId: acme })
    const atItsListener = world.connect()
    expect(atItsListener.connection.owner).toBe(own)
    tenantConnections.sweep()
    expect(tenantConnections.ownerOf(acme)).toBe(own)
    for (const { connection } of [user, atItsListener]) connection.close()
    tenantConnections.sweep()
    expect(tenantConnections.ownerOf(acme)).not.toBe(own)
  })
})
