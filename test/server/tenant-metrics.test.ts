/** `/metrics?tenants=…` of a real engine, after traffic of two tenants of which everything is known. */
import { afterEach, expect, test } from 'vitest'
// the compiled engine: its workers do not run from sources
import { Griot } from '../../dist/index.js'
import { buildBatch } from '../../src/record/builder.ts'
import { Wire } from '../clients/wire.ts'
import { parseMetrics } from './prometheus-text.ts'

let griot: Griot
afterEach(() => griot.close())

const batch = (records: number): Uint8Array =>
  buildBatch(
    Array.from({ length: records }, () => ({
      ...{ timestampMs: Date.now(), key: null, value: Buffer.alloc(100, 'x') },
    })),
  )

async function scrape(query: string) {
  const response = await fetch(`${griot.url}/metrics${query}`)
  expect(response.status).toBe(200)
  const series = parseMetrics(await response.text())
  const value = (name: string, tenant: string, rest: Record<string, string> = {}) =>
    series
      .filter(({ name: is, labels }) => is === `griot_tenant_${name}` && labels.tenant === tenant)
      .filter(({ labels }) => Object.entries(rest).every(([key, is]) => labels[key] === is))
      .reduce((sum, one) => sum + one.value, 0)
  const tenants = new Set(series.flatMap(({ labels }) => labels.tenant ?? []))
  return { value, tenants: [...tenants].sort() }
}

test('who uses what is told exactly, by tenant and by broker', async () => {
  griot = await Griot.start({ brokers: 3, httpListen: '127.0.0.1:0' })
  const make = (name: string) => griot.createTenant({ name })
  const addresses = await Promise.all(['acme', 'emca', 'idle'].map(make))
  const [acme, emca] = await Promise.all(
    addresses.slice(0, 2).map(({ bootstrapServers }) => Wire.open(bootstrapServers.split(',')[0]!)),
  )
  await acme!.createTopic('orders', 6)
  await emca!.createTopic('orders', 1)
  const [small, large] = [batch(1), batch(50)]
  for (let i = 0; i < 6; i++) await acme!.produce('orders', i, large)
  await emca!.produce('orders', 0, small)
  await emca!.fetch('orders', 0, 0)
  const { value, tenants } = await scrape('?tenants=acme,em*')
  expect(tenants).toEqual(['(others)', 'acme', 'emca'])
  expect([value('connections', 'acme'), value('connections_let_in_total', 'acme')]).toEqual([1, 1])
  expect(value('broker_bytes_in_total', 'acme')).toBe(6 * large.length)
  expect(value('broker_bytes_in_total', 'emca')).toBe(small.length)
  expect(value('broker_bytes_out_total', 'acme')).toBe(0)
  expect(value('broker_bytes_out_total', 'emca')).toBe(small.length)
  expect(value('broker_fetches_total', 'emca')).toBe(1)
  expect(value('broker_commands_total', 'acme')).toBeGreaterThanOrEqual(6)
  // each broker leads two of them
  for (const broker of ['1', '2', '3']) {
    expect(value('broker_bytes_in_total', 'acme', { broker })).toBe(2 * large.length)
    const seconds = value('broker_seconds_total', 'acme', { broker })
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThan(5)
  }
  expect(value('partition_changes_total', 'acme')).toBe(6)
  expect(value('partition_changes_total', 'emca')).toBe(1)
  expect(value('bytes_in_total', 'acme')).toBeGreaterThan(6 * large.length)
  expect(value('in_flight_bytes', 'acme') + value('broker_in_flight_bytes', 'acme')).toBe(0)
  expect(value('errors_total', 'acme')).toBe(0)
  expect(value('limit_used', 'acme', { limit: 'partitions' })).toBe(6)
  expect(value('limit_used', 'acme', { limit: 'connections' })).toBe(1)
  const before = value('bytes_in_total', 'acme')
  acme!.close()
  emca!.close()
  await expect.poll(async () => (await scrape('?tenants=*')).value('connections', 'acme')).toBe(0)
  const after = await scrape('?tenants=*')
  expect(after.tenants).toEqual(['(others)', 'acme', 'default', 'emca', 'idle'])
  expect(after.value('bytes_in_total', 'acme')).toBe(before)
  expect(after.value('bytes_in_total', 'idle')).toBe(0)
  // and nothing of it unasked
  expect((await scrape('')).tenants).toEqual([])
})
