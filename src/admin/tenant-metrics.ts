/** Metrics by tenant, for scrapes that ask for them: who uses what of what there is, and how much of what it may have. HTTP front's thread. */
import type { MetadataView, TenantView } from '../image/view.ts'
import type { MetricSample, MetricSource } from './metrics-route.ts'
import type { TenantApiOptions } from './tenant-access.ts'
import { tenantBody } from './tenant-routes.ts'
import type { ReadTenantUses, TenantUse, TenantUseAtBroker, TenantUses } from './tenant-use.ts'
import { NamePatterns } from './topic-selection.ts'

/** The parameter of `/metrics` that names tenants. */
export const TENANTS_PARAMETER = 'tenants'

/** Tenants told in one scrape; series are twenty to thirty times as many, … */
export const SCRAPE_TENANTS_MAX = 1_000
/** … and six for each broker that has done something for one: so many of them, whole tenants. */
export const SCRAPE_BROKERS_MAX = 5_000

/** Stands for all that have no row of their own: no tenant can be called that. */
export const OTHERS = '(others)'

/** What no tenant can be called. */
const checkTenantPattern = (pattern: string): string | null =>
  /^[a-z0-9*-]+$/.test(pattern)
    ? null
    : 'can name no tenant: their names have lower-case letters, digits and "-"; * stands for any text'

interface Told {
  readonly tenant: string
  readonly use: TenantUse
  /** What it has of what it may have; null of {@link OTHERS}. */
  readonly limits: ReturnType<typeof tenantBody> | null
}

/** Sources for one scrape: none unless `query` asks for them. Throws ScrapeQueryError. */
export function tenantSources(
  query: URLSearchParams,
  of: Pick<TenantApiOptions, 'image' | 'holdings'>,
  readUses: ReadTenantUses,
): readonly MetricSource[] {
  const { image } = of
  const patterns = NamePatterns.of(query, TENANTS_PARAMETER, checkTenantPattern)
  if (patterns === null) return []
  const uses = readUses()
  const { tenants, leftOut } = selectTenants(image, patterns, uses)
  const told: Told[] = [{ tenant: OTHERS, use: uses.others, limits: null }]
  let brokers = 0
  for (const tenant of tenants) {
    const use = uses.of(tenant.tenantId)
    brokers += use.brokers.length
    if (brokers > SCRAPE_BROKERS_MAX) break
    told.push({ tenant: tenant.name, use, limits: tenantBody(of, tenant, uses) })
  }
  const beyond = leftOut + tenants.length + 1 - told.length
  return [
    ...perTenant(told),
    ...perBroker(told),
    ...limitSources(told),
    {
      kind: 'gauge',
      name: 'griot_metrics_tenants_left_out',
      help: 'Tenants that the scrape asked for and that are beyond its limit',
      read: () => [{ labels: {}, value: beyond }],
    },
  ]
}

/** Those that have done something come first: with more than the limit, who is left out does nothing, if possible. */
export function selectTenants(
  image: MetadataView,
  patterns: NamePatterns,
  uses: Pick<TenantUses, 'has'>,
  tenantsMax: number = SCRAPE_TENANTS_MAX,
): { readonly tenants: readonly TenantView[]; readonly leftOut: number } {
  const active: TenantView[] = []
  const idle: TenantView[] = []
  let found = 0
  for (const tenant of image.tenants()) {
    if (!patterns.matches(tenant.name)) continue
    found++
    const list = uses.has(tenant.tenantId) ? active : idle
    if (list.length < tenantsMax) list.push(tenant)
  }
  const tenants = [...active, ...idle].slice(0, tenantsMax)
  return { tenants, leftOut: found - tenants.length }
}

type Row<Of> = readonly [
  kind: 'counter' | 'gauge',
  name: string,
  help: string,
  read: (of: Of) => number,
]

const TENANT_ROWS: readonly Row<TenantUse>[] = [
  ['gauge', 'connections', 'Kafka connections of a tenant', (use) => use.connections],
  [
    'counter',
    'connections_let_in_total',
    'Connections that became the tenant’s',
    (use) => use.connectionsLetIn,
  ],
  [
    'counter',
    'connections_refused_total',
    'Connections that would have: over its limit, or a login of it failed',
    (use) => use.connectionsRefused,
  ],
  ['counter', 'bytes_in_total', 'Bytes of requests', (use) => use.bytesIn],
  ['counter', 'bytes_out_total', 'Bytes of replies', (use) => use.bytesOut],
  ['counter', 'requests_total', 'Requests', (use) => use.requests],
  [
    'counter',
    'errors_total',
    'Errors in replies, each partition’s or topic’s counted',
    (use) => use.errors,
  ],
  ['gauge', 'in_flight_bytes', 'Memory of requests and replies', (use) => use.inFlightBytes],
  [
    'counter',
    'front_seconds_total',
    'Time of the front’s thread: requests decoded and handled, replies written',
    (use) => use.frontSeconds,
  ],
  [
    'counter',
    'partition_changes_total',
    'Partitions made, added or deleted with their topics',
    (use) => use.partitionChanges,
  ],
]

const BROKER_ROWS: readonly Row<TenantUseAtBroker>[] = [
  [
    'counter',
    'seconds_total',
    'Time of a broker’s thread on behalf of a tenant',
    (use) => use.seconds,
  ],
  [
    'counter',
    'bytes_in_total',
    'Bytes of batches and of calls to coordinators',
    (use) => use.bytesIn,
  ],
  [
    'counter',
    'bytes_out_total',
    'Bytes of batches read from what a broker leads',
    (use) => use.bytesOut,
  ],
  [
    'counter',
    'commands_total',
    'Batches, looks for fetches, calls to coordinators',
    (use) => use.commands,
  ],
  ['counter', 'fetches_total', 'Partitions in answers to fetches', (use) => use.fetches],
  [
    'gauge',
    'in_flight_bytes',
    'Bytes of batches that wait for their acknowledgement',
    (use) => use.inFlightBytes,
  ],
]

const perTenant = (told: readonly Told[]): MetricSource[] =>
  TENANT_ROWS.map(([kind, name, help, read]) => ({
    ...{ kind, name: `griot_tenant_${name}`, help },
    read: () => told.map(({ tenant, use }) => ({ labels: { tenant }, value: read(use) })),
  }))

const perBroker = (told: readonly Told[]): MetricSource[] =>
  BROKER_ROWS.map(([kind, name, help, read]) => ({
    ...{ kind, name: `griot_tenant_broker_${name}`, help },
    read: () =>
      told.flatMap(({ tenant, use }) =>
        use.brokers.map((at) => ({
          labels: { tenant, broker: String(at.brokerId) },
          value: read(at),
        })),
      ),
  }))

/** Series of limits that there are, and of all that is used. */
function limitSources(told: readonly Told[]): MetricSource[] {
  const gauge = (name: string, help: string, of: (one: Told) => Limits | undefined) => ({
    ...{ kind: 'gauge' as const, name, help },
    read: () => told.flatMap((one) => samples(one.tenant, of(one) ?? {})),
  })
  return [
    gauge(
      'griot_tenant_limit',
      'What a tenant may have; none where it is not limited',
      ({ limits }) => limits?.limits,
    ),
    gauge(
      'griot_tenant_limit_used',
      'What a tenant has of what can be limited',
      ({ limits }) => limits?.used,
    ),
  ]
}

type Limits = Readonly<Record<string, number | null>>

const samples = (tenant: string, limits: Limits): MetricSample[] =>
  Object.entries(limits).flatMap(([limit, value]) =>
    value === null ? [] : [{ labels: { tenant, limit }, value }],
  )
