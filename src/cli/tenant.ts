/** `griot tenant create`, `list`, `describe`, `set`, `suspend` and `resume`. */
import { type EngineOptions, runOnEngine } from './engine-command.ts'
import { UsageError } from './failure.ts'
import { limitsOf } from './limit-option.ts'
import { askApi, listAll, type Tenant, tenantPath, tenantsPath } from './operator-api.ts'
import { type Cell, renderList, renderTable } from './table.ts'

interface AccessOptions extends EngineOptions {
  readonly plan?: string
  readonly limit?: readonly string[]
  readonly superUser?: readonly string[]
  /** true: without a value. */
  readonly allowEveryoneIfNoAcl?: string | true
}

interface SetOptions extends AccessOptions {
  /** false: `--no-super-users`. */
  readonly superUsers?: boolean
}

const printJson = (value: unknown): void => console.log(JSON.stringify(value, null, 2))

export async function runTenantCreate(name: string, options: AccessOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    const next = { 409: `\`griot tenant describe ${name}\` shows it` }
    const body = { name, ...accessOf(options) }
    const tenant = await askApi<Tenant>(options, ['POST', tenantsPath(), body], next)
    if (json) printJson(tenant)
    else {
      console.log(`tenant ${tenant.name}: created, cluster id ${tenant.clusterId}`)
      console.log(`\`griot key create ${tenant.name}\` makes a key that its clients come in with`)
    }
  })
}

export async function runTenantList(options: EngineOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    const tenants = await listAll<Tenant>(options, tenantsPath(), 'tenants')
    if (json) {
      printJson(tenants)
      return
    }
    const rows = tenants.map(({ name, state, used, clusterId }) => [
      ...[name, state, used.topics ?? null, used.partitions ?? null, used.keys ?? null],
      clusterId,
    ])
    const head = ['NAME', 'STATE', 'TOPICS', 'PARTITIONS', 'KEYS', 'CLUSTER-ID']
    process.stdout.write(renderTable(head, rows))
  })
}

export async function runTenantDescribe(name: string, options: EngineOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    const tenant = await askApi<Tenant>(options, ['GET', tenantPath(name)])
    if (json) printJson(tenant)
    else process.stdout.write(textOf(tenant))
  })
}

function textOf({ limits, used, use, ...tenant }: Tenant): string {
  const list = renderList([
    ['NAME', tenant.name],
    ['STATE', tenant.state],
    ['CLUSTER-ID', tenant.clusterId],
    ['TENANT-ID', tenant.tenantId],
    ['PLAN', tenant.plan],
    ['SUPER-USERS', tenant.superUsers.join(', ') || null],
    ['ALLOW-EVERYONE-IF-NO-ACL', String(tenant.allowEveryoneIfNoAcl)],
  ])
  const originOf = (name: string, max: number | null) => {
    if (max === null) return null
    if ((tenant.ownLimits[name] ?? null) !== null) return 'its own'
    return (tenant.planLimits?.[name] ?? null) === null ? 'default' : 'plan'
  }
  const rows = Object.entries(limits).map(([name, max]): Cell[] => [
    name,
    used[name] ?? null,
    max,
    originOf(name, max),
  ])
  const counted = renderTable(['USE', 'SINCE START'], Object.entries(use))
  return `${list}\n${renderTable(['LIMIT', 'USED', 'MAX', 'FROM'], rows)}\n${counted}`
}

export async function runTenantSet(name: string, options: SetOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    const superUsers = options.superUsers === false ? { superUsers: [] } : {}
    const body = { ...accessOf(options), ...superUsers }
    if (Object.keys(body).length === 0) {
      throw new UsageError(
        'nothing is to change: give --plan PLAN, --limit LIMIT=MAX, --super-user User:NAME, --no-super-users or --allow-everyone-if-no-acl BOOL',
      )
    }
    if (options.superUser !== undefined && options.superUsers === false) {
      throw new UsageError('one of --super-user and --no-super-users is wanted')
    }
    const tenant = await askApi<Tenant>(options, ['PATCH', tenantPath(name), body])
    if (json) printJson(tenant)
    else process.stdout.write(`tenant ${tenant.name}: changed\n\n${textOf(tenant)}`)
  })
}

export async function runTenantState(
  name: string,
  state: 'active' | 'suspended',
  options: EngineOptions,
): Promise<void> {
  await runOnEngine(options, async (json) => {
    const tenant = await askApi<Tenant>(options, ['PATCH', tenantPath(name), { state }])
    if (json) printJson(tenant)
    else if (state === 'active') console.log(`tenant ${tenant.name}: active`)
    else {
      const back = `\`griot tenant resume ${tenant.name}\` lets its clients in again`
      console.log(`tenant ${tenant.name}: suspended; ${back}`)
    }
  })
}

/** Those that are given, as the engine takes them. Throws {@link UsageError}. */
function accessOf({ plan, limit, superUser, allowEveryoneIfNoAcl }: AccessOptions): object {
  return {
    ...(plan === undefined ? {} : { plan: plan === 'none' ? null : plan }),
    ...(limit === undefined ? {} : { limits: limitsOf(limit) }),
    ...(superUser === undefined ? {} : { superUsers: superUser }),
    ...(allowEveryoneIfNoAcl === undefined
      ? {}
      : { allowEveryoneIfNoAcl: booleanOf(allowEveryoneIfNoAcl) }),
  }
}

function booleanOf(given: string | true): boolean {
  if (given === true || given === 'true') return true
  if (given === 'false') return false
  throw new UsageError(
    `option --allow-everyone-if-no-acl: "${given}" is refused, it wants true or false`,
  )
}
