/** `griot tenant delete`: asks, deletes, waits with what is left in sight, of the metadata and, with `--purge`, of the disk. */
import { confirmDeletion } from './confirm.ts'
import { type EngineOptions, runOnEngine } from './engine-command.ts'
import { FailedError, UsageError } from './failure.ts'
import {
  askApi,
  type DiskRemains,
  findInApi,
  LIST_TENANTS,
  remainsPath,
  type Tenant,
  type TenantRest,
  tenantPath,
} from './operator-api.ts'
import { Progress } from './progress.ts'
import { type Cell, printable, renderTable } from './table.ts'

interface DeleteOptions extends EngineOptions {
  readonly yes?: boolean
  readonly verify?: boolean
  readonly purge?: boolean
  readonly wait: boolean
}

type Verified = Tenant & { readonly left: TenantRest | null }

/** null: it is gone. */
type Rest = TenantRest | null

const LOOK_EVERY_MS = 200
/** All files are read each time. */
const PURGE_EVERY_MS = 500
const TENANT_ID = /^[0-9a-f]{16}$/
const SHOWN_PATHS = 10

export async function runTenantDelete(name: string, options: DeleteOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    if (options.purge && !options.wait) {
      throw new UsageError('one of --purge and --no-wait is wanted: a purge is waited for')
    }
    const tenant = await findInApi<Tenant>(options, tenantPath(name))
    const tenantId = tenant?.tenantId ?? (TENANT_ID.test(name) ? name : null)
    if (tenant === null && (tenantId === null || !options.purge) && !options.verify) {
      throw new FailedError(printable(`there is no tenant "${name}"; ${LIST_TENANTS}`))
    }
    const isNew = tenant !== null && tenant.state !== 'deleting'
    if (isNew) await deleteIt(tenant, options)
    // what is left of one that was being deleted already is what is asked for
    const isAwaited = options.wait && (isNew || options.purge === true || !options.verify)
    const rest = tenant === null ? null : await restOf(tenant, options, isAwaited)
    const disk = tenantId === null ? null : await diskOf(tenantId, name, options)
    if (json) printJson(name, tenant, rest, disk)
    else console.log(lineOf(name, tenant, rest, options.purge ? disk : null))
    if (options.verify && !json) process.stdout.write(`\n${restText(rest, disk)}`)
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

const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

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
      await after(LOOK_EVERY_MS)
    }
  } finally {
    progress.end()
  }
}

/** What the disk has of it, where that is asked for; with `--purge` again and again, until it has nothing. */
async function diskOf(
  tenantId: string,
  name: string,
  options: DeleteOptions,
): Promise<DiskRemains | null> {
  const path = remainsPath(tenantId)
  if (!options.purge) {
    return options.verify ? await askApi<DiskRemains>(options, ['GET', path]) : null
  }
  const progress = new Progress(!options.json)
  try {
    for (;;) {
      // each time: a copy of the metadata forgets when there is more to take a snapshot of
      const left = await askApi<DiskRemains>(options, ['DELETE', path])
      if (left.isNothing) return left
      progress.update(() => `tenant ${name}: ${diskText(left)} left on disk`)
      await after(PURGE_EVERY_MS)
    }
  } finally {
    progress.end()
  }
}

const leftText = (rest: Rest): string =>
  rest === null ? 'nothing left' : `${rest.topics} topics and ${rest.keys} keys left`

const diskText = ({ directories, files }: DiskRemains): string =>
  `${directories.length} directories and ${files.length} files that name it`

function lineOf(name: string, tenant: Tenant | null, rest: Rest, disk: DiskRemains | null): string {
  const who = `tenant ${printable(name)}`
  if (rest !== null) return `${who}: being deleted, ${leftText(rest)}`
  if (disk !== null) {
    return `${who}: deleted, and nothing of it is left on disk: no directory, and none of ${disk.looked} files names ${disk.tenantId}`
  }
  return `${who}: ${tenant === null ? 'not there, or not any more' : 'deleted'}`
}

function printJson(
  name: string,
  tenant: Tenant | null,
  left: Rest,
  disk: DiskRemains | null,
): void {
  const isKnown = tenant !== null || disk !== null
  const status = left !== null ? 'deleting' : isKnown ? 'deleted' : 'unknown'
  console.log(JSON.stringify({ tenant: name, status, left, ...(disk === null ? {} : { disk }) }))
}

/** What there may be of a tenant, and when it goes. */
function restText(rest: Rest, disk: DiskRemains | null): string {
  const now = rest === null ? 'gone' : 'now, some hundreds at a time'
  const rows: Cell[][] = [
    ['topics', rest?.topics ?? 0, now],
    ['keys', rest?.keys ?? 0, now],
    ['users', rest?.users ?? 0, now],
    ['ACLs', rest?.acls ?? 0, now],
    [
      ...['directories', disk?.directories.length ?? null],
      disk?.directories.length === 0
        ? 'gone'
        : 'brokers remove them once the topics are gone: in seconds, or after a restart',
    ],
    [
      ...['metadata files that name it', disk?.files.length ?? null],
      disk?.files.length === 0
        ? 'gone'
        : 'when the metadata has been snapshotted twice since (each after 20 MiB of changes, or an hour with any); at once with --purge',
    ],
  ]
  const paths = [...(disk?.directories ?? []), ...(disk?.files ?? [])]
  const shown = paths.slice(0, SHOWN_PATHS).map((path) => `  ${printable(path)}\n`)
  const more = paths.length > SHOWN_PATHS ? [`  and ${paths.length - SHOWN_PATHS} more\n`] : []
  const list = paths.length === 0 ? '' : `\n${[...shown, ...more].join('')}`
  return renderTable(['WHAT', 'LEFT', 'GOES'], rows) + list
}
