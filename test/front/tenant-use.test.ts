/** What each tenant uses is counted in rows that others read; sums stay what they are when tenants come and go. */
import { describe, expect, it } from 'vitest'
import { asTenantId } from '../../src/base/ids.ts'
import { TenantUse, type UseRows } from '../../src/front/tenant-use.ts'
import { OWNER_COUNTS, OwnerCount } from '../../src/net/owner-counts.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { Harness } from './harness.ts'
import { login, Operator } from './tenants.ts'

function rowsOf(places: number) {
  const all = Array.from({ length: places + 1 }, () => new Float64Array(OWNER_COUNTS))
  const rows: UseRows = { places, shared: all[places]!, of: (place) => all[place]! }
  const sum = (count: number) => all.reduce((total, row) => total + row[count]!, 0)
  return { all, rows, sum }
}

const tenant = (n: number) => asTenantId(`${n}`.padStart(16, '0'))

describe('rows of use', () => {
  it('are given out as tenants come, and shared by those that find none', () => {
    const { all, rows } = rowsOf(2)
    const use = new TenantUse(rows)
    expect(use.take(tenant(1))).toBe(all[0])
    expect(use.take(tenant(2))).toBe(all[1])
    expect(use.take(tenant(1))).toBe(all[0])
    expect(use.take(tenant(3))).toBe(rows.shared)
    expect([1, 2, 3].map((n) => use.placeOf(tenant(n)))).toEqual([0, 1, undefined])
    use.release(tenant(3))
    use.release(tenant(1))
    expect(use.take(tenant(3))).toBe(all[0])
  })

  it('leave what they have counted to the sum when they are taken back', () => {
    const { all, rows, sum } = rowsOf(8)
    const use = new TenantUse(rows)
    for (let n = 1; n <= 8; n++) use.take(tenant(n))![OwnerCount.BYTES_IN]! += n
    expect([use.isShort, sum(OwnerCount.BYTES_IN)]).toEqual([true, 36])
    use.release(tenant(8))
    expect([use.isShort, sum(OwnerCount.BYTES_IN)]).toEqual([false, 36])
    expect(all[7]![OwnerCount.BYTES_IN]).toBe(0)
    expect(rows.shared[OwnerCount.BYTES_IN]).toBe(8)
    // the next one begins at nothing
    expect(use.take(tenant(9))![OwnerCount.BYTES_IN]).toBe(0)
  })
})

describe('a front', () => {
  it('counts what comes and goes as its tenant’s, exactly, also when that has gone', () => {
    const { all, rows, sum } = rowsOf(9)
    const world = new Harness({ use: rows })
    const operator = new Operator(world)
    const acme = operator.tenant('acme')
    const key = operator.key(acme)
    const client = world.connect()
    login(world, client, key)
    const [before, beforeOut] = [all[0]![OwnerCount.BYTES_IN]!, all[0]![OwnerCount.BYTES_OUT]!]
    const received = client.bytesReceived
    const [wholeIn, wholeOut] = [OwnerCount.BYTES_IN, OwnerCount.BYTES_OUT].map(sum)
    const bytes = client.encode(metadata, 9, { topics: [] }, 77).length
    client.send(metadata, 9, { topics: [] })
    world.run()
    const [own] = all
    expect(own![OwnerCount.BYTES_IN]! - before).toBe(bytes)
    expect(own![OwnerCount.BYTES_OUT]! - beforeOut).toBe(client.bytesReceived - received)
    expect(own![OwnerCount.CONNECTIONS_NOW]).toBe(1)
    expect(own![OwnerCount.CONNECTIONS]).toBe(1)
    expect(own![OwnerCount.REQUESTS]).toBe(1)
    expect(own![OwnerCount.IN_FLIGHT_BYTES_NOW]).toBe(0)
    client.connection.close()
    expect(own![OwnerCount.CONNECTIONS_NOW]).toBe(0)
    operator.ask(acme, { kind: 'delete-tenant' })
    for (let i = 0; i < 200 && world.image.tenant(acme) !== undefined; i++) {
      world.clock.advance(100)
      world.run()
    }
    world.clock.advance(60_000)
    world.run()
    // its figures are the sum's, and its place another's
    expect(own!.every((value) => value === 0)).toBe(true)
    expect(sum(OwnerCount.BYTES_IN) - wholeIn!).toBe(bytes)
    expect(sum(OwnerCount.BYTES_OUT) - wholeOut!).toBe(client.bytesReceived - received)
    expect(world.front.services.tenantConnections.ownerOf(operator.tenant('emca')).counts).toBe(own)
  })

  it('keeps an idle tenant’s figures as long as there are places', () => {
    const { all, rows } = rowsOf(9)
    const world = new Harness({ use: rows })
    const operator = new Operator(world)
    const acme = operator.tenant('acme')
    const client = world.connect()
    login(world, client, operator.key(acme))
    client.connection.close()
    world.clock.advance(60_000)
    world.run()
    expect(all[0]![OwnerCount.CONNECTIONS]).toBe(1)
    expect(world.front.services.tenantConnections.ownerOf(acme).counts).toBe(all[0])
  })
})
