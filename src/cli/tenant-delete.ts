/** `griot tenant delete`: asks, deletes, waits with what is left in sight, of the metadata and, with `--purge`, of the disk. `--verify` looks only. */
import { parseDurationMs } from '../server/units.ts'
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
  readonly timeout?: string
  readonly wait: boolean
}

type Verified = Tenant & { readonly left: TenantRest | null }

/** null: it is gone. */
type Rest = TenantRest | null

const LOOK_EVERY_MS = 200
/** All files are read each time, so less often while nothing changes. */
const PURGE_EVERY_MS = 500
const PURGE_EVERY_MAX_MS = 5_000
/** What is left is what it was for so long: unless said otherwise, nothing more is waited for. */
const PURGE_PATIENCE_MS = 60_000
const TENANT_ID = /^[0-9a-f]{16}$/
const SHOWN_PATHS = 10

/** Whom it is about. */
interface Subject {
  /** null: there is none of that name or id. */
  readonly tenant: Tenant | null
  /** null: nobody knows. */
  readonly tenantId: string | null
  /** What the disk had before anything was asked for; null where the tenant is there. */
  readonly before: DiskRemains | null
}

export async function runTenantDelete(name: string, options: DeleteOptions): Promise<void> {
  await runOnEngine(options, async (json) => {
    if (options.purge && !options.wait) {
      throw new UsageError('one of --purge and --no-wait is wanted: a purge is waited for')
    }
    patienceOf(options)
    const subject = await subjectOf(name, options)
    const { tenant, tenantId } = subject
    if (tenant === null && (tenantId === null || !options.purge) && !options.verify) {
      throw new FailedError(printable(`there is no tenant "${name}"; ${LIST_TENANTS}`))
    }
    if (tenant !== null && tenant.state !== 'deleting') {
      // an id is for looking at what is left: what is there goes by its name alone
      if (options.verify || tenant.name !== name) throw new FailedError(thereText(tenant))
      await deleteIt(tenant, options)
    }
    const isAwaited = options.wait && !options.verify
    const rest = tenant === null ? null : await restOf(tenant, options, isAwaited)
    const disk = tenantId === null ? null : await diskOf(tenantId, name, subject.before, options)
    if (json) printJson(name, subject, rest, disk)
    else console.log(lineOf(name, subject, rest, disk))
    if (options.verify && !json) process.stdout.write(`\n${restText(rest, disk)}`)
  })
}

async function subjectOf(name: string, options: DeleteOptions): Promise<Subject> {
  const tenant = await findInApi<Tenant>(options, tenantPath(name))
  if (tenant !== null) return { tenant, tenantId: tenant.tenantId, before: null }
  if (!TENANT_ID.test(name)) return { tenant: null, tenantId: null, before: null }
  if (!options.verify && !options.purge) return { tenant: null, tenantId: name, before: null }
  const before = await askApi<DiskRemains>(options, ['GET', remainsPath(name)])
  const found =
    before.tenant === null ? null : await findInApi<Tenant>(options, tenantPath(before.tenant))
  // another may have its name by now
  if (found?.tenantId === name) return { tenant: found, tenantId: name, before: null }
  return { tenant: null, tenantId: name, before }
}

const hasText = ({ used: { topics = 0, partitions = 0, keys = 0 } }: Tenant): string =>
  `${topics} topics with ${partitions} partitions and ${keys} keys`

/** Of one that nobody has deleted. */
function thereText(tenant: Tenant): string {
  const { name, tenantId, state } = tenant
  const next =
    name === 'default'
      ? 'it cannot be deleted'
      : `\`griot tenant delete ${name}\`, without --verify, deletes it`
  return printable(
    `tenant ${name} (id ${tenantId}) is there, ${state}: ${hasText(tenant)}; ${next}`,
  )
}

async function deleteIt(tenant: Tenant, options: DeleteOptions): Promise<void> {
  const { name } = tenant
  if (!options.yes && name !== 'default') {
    await confirmDeletion(`all that tenant ${name} has would be lost: ${hasText(tenant)}`, [name])
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

/** What the disk has of it, where that is asked for; with `--purge` alone again and again, until it has nothing. */
async function diskOf(
  tenantId: string,
  name: string,
  before: DiskRemains | null,
  options: DeleteOptions,
): Promise<DiskRemains | null> {
  const path = remainsPath(tenantId)
  if (options.verify) return before ?? (await askApi<DiskRemains>(options, ['GET', path]))
  if (!options.purge || before?.isNothing) return before
  const patienceMs = patienceOf(options)
  const progress = new Progress(!options.json)
  try {
    let seen = ''
    let everyMs = PURGE_EVERY_MS
    for (let sinceMs = Date.now(); ; ) {
      // each time: a copy of the metadata forgets when there is more to take a snapshot of
      const left = await askApi<DiskRemains>(options, ['DELETE', path])
      if (left.isNothing) return left
      progress.update(() => `tenant ${name}: ${diskText(left)} left on disk`)
      const now = JSON.stringify([left.directories, left.files])
      everyMs = now === seen ? Math.min(PURGE_EVERY_MAX_MS, 2 * everyMs) : PURGE_EVERY_MS
      if (now !== seen) sinceMs = Date.now()
      else if (Date.now() - sinceMs >= patienceMs) throw new FailedError(stuckText(name, left))
      seen = now
      await after(Math.min(everyMs, patienceMs))
    }
  } finally {
    progress.end()
  }
}

/** Throws a UsageError. */
function patienceOf({ timeout }: DeleteOptions): number {
  if (timeout === undefined) return PURGE_PATIENCE_MS
  try {
    return parseDurationMs(timeout)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new UsageError(`--timeout: ${error.message}`)
  }
}

/** Of a purge that gets no further. */
function stuckText(name: string, left: DiskRemains): string {
  const paths = [...left.directories, ...left.files].slice(0, SHOWN_PATHS).join(', ')
  return printable(
    `tenant ${name} is deleted, with ${diskText(left)} left on disk, and nothing changes any more: ${paths}. A broker that is down keeps its copy until it is back, a full disk has no room for a snapshot, and files of your own that name the tenant are yours to remove; then run this again`,
  )
}

const leftText = (rest: Rest): string =>
  rest === null ? 'nothing left' : `${rest.topics} topics and ${rest.keys} keys left`

const diskText = ({ directories, files }: DiskRemains): string =>
  `${directories.length} directories and ${files.length} files that name it`

function lineOf(name: string, subject: Subject, rest: Rest, disk: DiskRemains | null): string {
  const { tenantId } = subject
  const who = `tenant ${printable(tenantId === null || name === tenantId ? name : `${name} (id ${tenantId})`)}`
  if (rest !== null) return `${who}: being deleted, ${leftText(rest)}`
  const looked = `no directory, and none of ${disk?.looked} files names ${tenantId}`
  if (!wasThere(subject)) {
    return tenantId === null
      ? `${who}: not there, or not any more`
      : `${who}: nothing of such a tenant was found: ${looked}`
  }
  if (disk?.isNothing) return `${who}: deleted, and nothing of it is left on disk: ${looked}`
  return `${who}: deleted`
}

/** It is, or its remains tell that it was: one that was purged is like one that never was. */
const wasThere = ({ tenant, before }: Subject): boolean =>
  tenant !== null || before?.isNothing === false

function printJson(name: string, subject: Subject, left: Rest, disk: DiskRemains | null): void {
  const status = left !== null ? 'deleting' : wasThere(subject) ? 'deleted' : 'unknown'
  const { tenantId } = subject
  const about = { tenant: name, tenantId, status, left }
  console.log(JSON.stringify({ ...about, ...(disk === null ? {} : { disk }) }))
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
