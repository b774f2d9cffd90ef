/** `griot tenant delete`: asks, deletes, waits with what is left in sight. */
import { confirmDeletion } from './confirm.ts'
import { type EngineOptions, runOnEngine } from './engine-command.ts'
import { FailedError } from './failure.ts'
import {
  askApi,
  findInApi,
  LIST_TENANTS,
  type Tenant,
  type TenantRest,
  tenantPath,
} from './operator-api.ts'
import { Progress } from './progress.ts'
import { type Cell, printable, renderTable } from './table.ts'

interface DeleteOptions extends EngineOptions {
  readonly yes?: boolean
  readonly verify?: boolean
  readonly wait: boolean
}

type Verified = Tenant & { readonly left: TenantRest | null }

/** null: it is gone. */
type Rest = TenantRest | null

const LOOK_EVERY_MS = 200

export async function runTenantDelete(name: string, options: DeleteOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    const tenant = await findInApi<Tenant>(options, tenantPath(name))
    if (tenant === null && !options.verify) {
      throw new FailedError(printable(`there is no tenant "${name}"; ${LIST_TENANTS}`))
    }
    const isNew = tenant !== null && tenant.state !== 'deleting'
    if (isNew) await deleteIt(tenant, options)
    // what is left of one that was being deleted already is what is asked for
    const isAwaited = options.wait && (isNew || !options.verify)
    const rest = tenant === null ? null : await restOf(tenant, options, isAwaited)
    if (json) printJson(name, tenant, rest)
    else console.log(lineOf(name, tenant, rest))
    if (options.verify && !json) process.stdout.write(`\n${restText(rest)}`)
  })
}

async function deleteIt(tenant: Tenant, options: DeleteOptions): Promise<void> {
  const { name, used } = tenant
  if (!options.yes && name !== 'default') {
    const { topics = 0, partitions = 0, keys = 0 } = used
    const has = `${topics} topics with ${partitions} partitions and ${keys} keys`
    await confirmDeletion(`all that tenant ${name} has would be lost: ${has}`, [name])
  }
  const next = { 409: `\`griot tenant suspend ${name}\` keeps its clients out` }
  await askApi(options, ['DELETE', tenantPath(name)], next)
}

/** Looks at what is left; with `isAwaited` again and again, until nothing is. */
async function restOf(tenant: Tenant, options: DeleteOptions, isAwaited: boolean): Promise<Rest> {
  const progress = new Progress(!options.json)
  try {
    for (;;) {
      const found = await findInApi<Verified>(options, tenantPath(tenant.name, '?verify'))
      // another may have its name by now
      if (found === null || found.tenantId !== tenant.tenantId) return null
      if (!isAwaited) return found.left
      progress.update(() => `tenant ${tenant.name}: ${leftText(found.left)}`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    }
  } finally {
    progress.end()
  }
}

const leftText = (rest: Rest): string =>
  rest === null ? 'nothing left' : `${rest.topics} topics and ${rest.keys} keys left`

function lineOf(name: string, tenant: Tenant | null, rest: Rest): string {
  if (rest !== null) return `tenant ${printable(name)}: being deleted, ${leftText(rest)}`
  return `tenant ${printable(name)}: ${tenant === null ? 'not there, or not any more' : 'deleted'}`
}

function printJson(name: string, tenant: Tenant | null, left: Rest): void {
  const status = left !== null ? 'deleting' : tenant === null ? 'unknown' : 'deleted'
  console.log(JSON.stringify({ tenant: name, status, left }))
}

/** What there may be of a tenant, and when it goes. */
function restText(rest: Rest): string {
  const now = rest === null ? 'gone' : 'now, some hundreds at a time'
  const rows: Cell[][] = [
    ['topics', rest?.topics ?? 0, now],
    ['keys', rest?.keys ?? 0, now],
    ['users', rest?.users ?? 0, now],
    ['ACLs', rest?.acls ?? 0, now],
    ['files', null, 'brokers remove them once the topics are gone: in seconds, or after a restart'],
    [
      ...['entries of the metadata log', null],
      'when the metadata has been snapshotted twice since (each after 20 MiB of changes, or an hour with any)',
    ],
  ]
  return renderTable(['WHAT', 'LEFT', 'GOES'], rows)
}
