/** Which tenants a scrape tells, what it is refused for, and what it says of each. */
import { expect, test } from 'vitest'
import type { MetricSample, MetricSource } from '../../src/admin/metrics-route.ts'
import { selectTenants, tenantSources } from '../../src/admin/tenant-metrics.ts'
import type { TenantUses } from '../../src/admin/tenant-use.ts'
import { NamePatterns } from '../../src/admin/topic-selection.ts'
import type { MetadataView } from '../../src/image/view.ts'
import { ApiWorld, NO_USE } from './api-world.ts'

const patterns = (text: string) => NamePatterns.of(new URLSearchParams({ t: text }), 't')!

async function linesOf(sources: readonly MetricSource[]): Promise<Record<string, number>> {
  const lines: Record<string, number> = {}
  for (const source of sources) {
    for (const sample of await source.read()) {
      const { labels, value } = sample as MetricSample
      lines[`${source.name} ${Object.values(labels).join(' ')}`] = value
    }
  }
  return lines
}

test('those that do something before those that do nothing, up to the bound', () => {
  const names = ['a', 'b', 'c', 'd', 'x']
  const image = {
    tenants: () => names.map((name) => ({ tenantId: name, name })),
  } as unknown as MetadataView
  const has = (id: string) => id === 'c' || id === 'x'
  const select = (max: number, text = 'a,b,c,d') => {
    const { tenants, leftOut } = selectTenants(image, patterns(text), { has }, max)
    return [tenants.map(({ name }) => name).join(), leftOut]
  }
  expect(select(3)).toEqual(['c,a,b', 1])
  expect(select(1)).toEqual(['c', 3])
  expect(select(9)).toEqual(['c,a,b,d', 0])
  expect(select(9, 'y')).toEqual(['', 0])
})

test('what each uses, what it may have, and what is nobody’s', async () => {
  const world = new ApiWorld()
  await world.call('POST', '/admin/v1/tenants', { name: 'team-a', limits: { topics: 3 } })
  await world.call('POST', '/admin/v1/tenants', { name: 'other' })
  world.makeTopics('team-a', 2, 't')
  const { tenantId } = world.image.tenantByName('team-a')!
  const at = { bytesIn: 10, bytesOut: 20, commands: 30, fetches: 40, inFlightBytes: 50 }
  const mine = {
    ...NO_USE,
    connections: 2,
    bytesOut: 7,
    brokers: [{ ...at, brokerId: 2, seconds: 0.5 }],
  }
  const uses: TenantUses = {
    of: (id) => (id === tenantId ? mine : NO_USE),
    has: () => false,
    others: { ...NO_USE, requests: 9 },
  }
  const scrape = (query: string) =>
    linesOf(tenantSources(new URLSearchParams(query), world, () => uses))
  const lines = await scrape('tenants=team-*')
  expect(lines).toMatchObject({
    'griot_tenant_connections team-a': 2,
    'griot_tenant_bytes_out_total team-a': 7,
    'griot_tenant_requests_total (others)': 9,
    'griot_tenant_broker_seconds_total team-a 2': 0.5,
    'griot_tenant_broker_bytes_in_total team-a 2': 10,
    'griot_tenant_broker_bytes_out_total team-a 2': 20,
    'griot_tenant_broker_commands_total team-a 2': 30,
    'griot_tenant_broker_fetches_total team-a 2': 40,
    'griot_tenant_broker_in_flight_bytes team-a 2': 50,
    'griot_tenant_limit team-a topics': 3,
    'griot_tenant_limit_used team-a topics': 1,
    'griot_tenant_limit_used team-a partitions': 2,
    'griot_tenant_limit_used team-a connections': 2,
    'griot_metrics_tenants_left_out ': 0,
  })
  expect(Object.keys(lines)).not.toContain('griot_tenant_limit team-a partitions')
  expect(Object.keys(lines).filter((line) => line.includes('other '))).toEqual([])
  expect(await scrape('topics=*')).toEqual({})
  // so many brokers have worked for two tenants that the third is left out
  const each = { ...NO_USE, brokers: Array.from({ length: 2_500 }, () => mine.brokers[0]!) }
  const busy = tenantSources(new URLSearchParams('tenants=*'), world, () => ({
    ...{ of: () => each, has: () => true, others: NO_USE },
  }))
  const told = await linesOf(busy)
  expect(told['griot_metrics_tenants_left_out ']).toBe(1)
  expect(told['griot_tenant_connections team-a']).toBe(0)
  expect(told['griot_tenant_connections other']).toBeUndefined()
  expect(() => tenantSources(new URLSearchParams('tenants=A'), world, () => uses)).toThrow(
    'tenants: "A" can name no tenant: their names have lower-case letters, digits and "-"',
  )
})
