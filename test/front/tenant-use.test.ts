/** What each tenant uses is counted in rows that others read; sums stay what they are when tenants come and go. */
import { describe, expect, it } from 'vitest'
import { asTenantId, type TenantId } from '../../src/base/ids.ts'
import { TenantUse } from '../../src/link/tenant-use.ts'
import { USE_KINDS, UseKind } from '../../src/link/use-kinds.ts'
import { OWNER_COUNTS, OwnerCount } from '../../src/net/owner-counts.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { newRegion } from '../../src/shared/region.ts'
import {
  formatUseTable,
  UseTableReader,
  UseTableWriter,
  useTableBytes,
} from '../../src/shared/use-table.ts'
import type { FakeClient } from './fake-client.ts'
import { Harness } from './harness.ts'
import { batchOf, sendFetch, sendProduce } from './requests.ts'
import { login, Operator } from './tenants.ts'

function createTopicBy(world: Harness, client: FakeClient, name: string): void {
  const topic = { name, numPartitions: 1, replicationFactor: -1, assignments: [], configs: [] }
  const asked = client.send(createTopics, 7, { topics: [topic] })
  world.run()
  expect(client.answer(createTopics, asked)?.topics[0]?.errorCode).toBe(0)
}

/** `places` rows, and the one of all others behind them. */
function rowsOf(places: number) {
  const shape = { threads: 1, rows: places + 2, kinds: USE_KINDS, brokers: 1 }
  const region = formatUseTable(newRegion(useTableBytes(shape)), shape)
  const rows = new UseTableWriter(region, 0)
  const own = Array.from({ length: places }, (_, place) => rows.values(place + 2))
  const all = [...own, rows.shared[0]!]
  const sum = (count: number) => all.reduce((total, row) => total + row[count]!, 0)
  return { all, rows, sum, region }
}

/** With rows of their own. */
function tenantsIn(region: ReturnType<typeof rowsOf>['region']) {
  const tenants = new Set<TenantId>()
  new UseTableReader(region).each(({ tenantId }) => {
    if (tenantId !== null) tenants.add(tenantId)
  })
  return tenants
}

const tenant = (n: number) => asTenantId(`${n}`.padStart(16, '0'))

describe('rows of use', () => {
  it('are given out as tenants come, and shared by those that find none', () => {
    const { all, rows } = rowsOf(2)
    const use = new TenantUse(rows)
    for (const n of [1, 2, 1]) use.take(tenant(n))![OwnerCount.REQUESTS]! += n
    expect(use.take(tenant(3))).toBe(rows.shared[0])
    expect(all.map((row) => row[OwnerCount.REQUESTS])).toEqual([2, 2, 0])
    expect([1, 2, 3].map((n) => use.has(tenant(n)))).toEqual([true, true, false])
    use.release(tenant(3))
    use.release(tenant(1))
    use.take(tenant(3))![OwnerCount.REQUESTS]! += 3
    expect(all.map((row) => row[OwnerCount.REQUESTS])).toEqual([3, 2, 2])
  })

  it('are all there again when they were taken back', () => {
    const { rows } = rowsOf(2)
    const use = new TenantUse(rows)
    for (let n = 1; n <= 9; n++) {
      use.take(tenant(n))
      use.release(tenant(n))
    }
    const taken = [10, 11, 12].map((n) => use.take(tenant(n)))
    expect(taken.map((values) => values === rows.shared[0])).toEqual([false, false, true])
  })

  it('leave what they have counted to the sum when they are taken back', () => {
    const { all, rows, sum } = rowsOf(8)
    const use = new TenantUse(rows)
    for (let n = 1; n <= 8; n++) use.take(tenant(n))![OwnerCount.BYTES_IN]! += n
    expect([use.isShort, sum(OwnerCount.BYTES_IN)]).toEqual([true, 36])
    use.release(tenant(8))
    expect([use.isShort, sum(OwnerCount.BYTES_IN)]).toEqual([false, 36])
    expect(all[7]![OwnerCount.BYTES_IN]).toBe(0)
    expect(rows.shared[0]![OwnerCount.BYTES_IN]).toBe(8)
    // the next one begins at nothing
    expect(use.take(tenant(9))![OwnerCount.BYTES_IN]).toBe(0)
  })
})

it('has the kinds of its owners where others look for them', () => {
  const { BROKER_NS, PARTITION_CHANGES, ...ofFronts } = UseKind
  expect(OwnerCount).toEqual(ofFronts)
  const kinds = Object.values(UseKind)
  expect(new Set(kinds).size).toBe(kinds.length)
  expect(OWNER_COUNTS).toBe(USE_KINDS)
})

describe('a front', () => {
  it('counts what comes and goes as its tenant’s, exactly, also when that has gone', () => {
    const { all, rows, sum, region } = rowsOf(9)
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
    const { owner } = client.connection
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
    const emca = operator.tenant('emca')
    world.front.services.tenantConnections.ownerOf(emca).counts[OwnerCount.REQUESTS] = 7
    expect(own![OwnerCount.REQUESTS]).toBe(7)
    // an answer that comes late, after its connection and its tenant have gone
    owner.counts[OwnerCount.ERRORS]!++
    expect(own![OwnerCount.ERRORS]).toBe(0)
    world.front.services.tenantConnections.useAt(acme, 1)
    expect(tenantsIn(region)).toEqual(new Set([emca, acme]))
    world.clock.advance(60_000)
    world.run()
    expect(tenantsIn(region)).toEqual(new Set([emca]))
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
    expect(world.front.services.tenantConnections.ownerOf(acme).counts).toEqual(all[0])
  })

  it('counts what it reads for a tenant by the broker that leads it, and what goes wrong', () => {
    const { rows, region } = rowsOf(9)
    const world = new Harness({ use: rows })
    const operator = new Operator(world)
    const acme = operator.tenant('acme', { connections: 1 })
    const key = operator.key(acme)
    const client = world.connect()
    login(world, client, key)
    createTopicBy(world, client, 't')
    const rowOf = (brokerId: number) => {
      let found: number[] = []
      new UseTableReader(region).each((label, values) => {
        if (label.tenantId === acme && label.brokerId === brokerId) found = [...values]
      })
      return found
    }
    const batch = batchOf('one', 'two')
    sendProduce(client, 't', batch)
    world.run()
    sendFetch(client, { t: { 0: 0 } })
    world.run()
    expect(rowOf(1)[UseKind.BYTES_OUT]).toBe(batch.length)
    expect(rowOf(1)[UseKind.REQUESTS]).toBe(1)
    expect(rowOf(0)[UseKind.ERRORS]).toBe(0)
    sendFetch(client, { nothing: { 0: 0 } })
    world.run()
    expect(rowOf(0)[UseKind.ERRORS]).toBe(1)
    expect(rowOf(0)[UseKind.CONNECTIONS_REFUSED]).toBe(0)
    const another = world.connect()
    login(world, another, key)
    expect(rowOf(0)[UseKind.CONNECTIONS_REFUSED]).toBe(1)
    const guesser = world.connect()
    login(world, guesser, { ...key, secret: `${key.secret}x` })
    expect(rowOf(0)[UseKind.CONNECTIONS_REFUSED]).toBe(2)
    expect([rowOf(0)[UseKind.CONNECTIONS], rowOf(0)[UseKind.CONNECTIONS_NOW]]).toEqual([1, 1])
  })
})
