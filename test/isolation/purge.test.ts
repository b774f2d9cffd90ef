/** After `griot tenant delete --purge` no byte of the tenant is left below the data directory, with one broker and with three, and after a restart; all others are as they were. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { Griot } from '../../dist/index.js'
import { griot as command } from '../cli/griot-process.ts'
import { LiveClient } from './live-client.ts'

const NAMES = ['acmemarker', 'betamarker', 'gammamarker'] as const
const GONE = 'betamarker'

let directory = ''
let engine: Griot | null = null
afterEach(async () => {
  await engine?.close()
  engine = null
  rmSync(directory, { recursive: true, force: true })
})

/** Files below the data directory with any of `texts` in their bytes or their names. */
function holding(texts: readonly string[], folder = directory): string[] {
  const found: string[] = []
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    // what is being removed meanwhile is not there
    const stats = statSync(path, { throwIfNoEntry: false })
    if (texts.some((text) => name.includes(text))) found.push(path)
    if (stats?.isDirectory()) found.push(...holding(texts, path))
    else if (stats?.isFile()) {
      const bytes = readFileSync(path)
      if (texts.some((text) => bytes.includes(text))) found.push(path)
    }
  }
  return found
}

const run = (...args: string[]) => command([...args, '--data-dir', directory])

async function jsonOf(...args: string[]) {
  const { code, stdout, stderr } = await run(...args, '--json')
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}

async function begun(brokers: number): Promise<void> {
  directory = mkdtempSync(join(tmpdir(), 'griot-purge-'))
  await start(brokers)
  for (const name of NAMES) {
    const client = await LiveClient.live(engine!, { name, sharedPartitions: 2 })
    client.close()
    expect((await run('key', 'create', name, '--user', `${name}-user`)).code).toBe(0)
  }
}

async function start(brokers: number): Promise<void> {
  const options = { dataDir: directory, brokers, httpListen: '127.0.0.1:0' }
  engine = await Griot.start({ ...options, logLevel: 'silent' })
}

it.each([1, 3])(
  'nothing of it is left with %i brokers, by its bytes',
  async (brokers) => {
    await begun(brokers)
    const { tenantId, clusterId } = await jsonOf('tenant', 'describe', GONE)
    const used = async () => (await jsonOf('tenant', 'describe', GONE)).used
    // told by brokers within some seconds
    await expect.poll(used, { timeout: 10_000 }).toMatchObject({ groups: 3 })
    await expect
      .poll(async () => (await used()).storageBytes, { timeout: 10_000 })
      .toBeGreaterThan(1_000)
    const keys = await jsonOf('key', 'list', GONE)
    const marks = [GONE, tenantId, clusterId, ...keys.map(({ key }: { key: string }) => key)]
    expect(holding(marks).length).toBeGreaterThan(5)
    // without a purge the metadata still tells of it
    const other = await jsonOf('tenant', 'delete', 'gammamarker', '--yes')
    expect(await jsonOf('tenant', 'delete', other.tenantId, '--verify')).toMatchObject({
      ...{ status: 'deleted', disk: { isNothing: false } },
    })
    expect(holding(['gammamarker']).length).toBeGreaterThan(0)
    const purged = await run('tenant', 'delete', GONE, '--yes', '--purge')
    expect([purged.code, purged.stderr]).toEqual([0, ''])
    expect(purged.stdout).toContain(`nothing of it is left on disk: no directory, and none of`)
    expect(holding(marks)).toEqual([])
    // what went before goes with it
    expect(holding(['gammamarker'])).toEqual([])
    await engine!.close()
    expect(holding(marks)).toEqual([])
    await start(brokers)
    expect(holding(marks)).toEqual([])
    expect((await jsonOf('tenant', 'list')).map(({ name }: { name: string }) => name)).toEqual([
      ...['acmemarker', 'default'],
    ])
    expect(await jsonOf('tenant', 'delete', tenantId, '--verify')).toMatchObject({
      ...{ status: 'unknown', left: null, disk: { isNothing: true, files: [], directories: [] } },
    })
    expect(holding(['acmemarker']).length).toBeGreaterThan(5)
  },
  120_000,
)

it('of one that was deleted without, nothing is left once that is asked for by its id', async () => {
  await begun(3)
  const { tenantId } = await jsonOf('tenant', 'describe', GONE)
  await jsonOf('tenant', 'delete', GONE, '--yes')
  expect(holding([GONE]).length).toBeGreaterThan(0)
  const { tenantId: there } = await jsonOf('tenant', 'describe', 'acmemarker')
  const refused = await run('tenant', 'delete', there, '--purge')
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringContaining(`tenant acmemarker (id ${there}) is there, active: `),
  ])
  expect((await jsonOf('tenant', 'delete', tenantId, '--purge')).disk.isNothing).toBe(true)
  expect(holding([GONE, tenantId])).toEqual([])
  expect((await run('tenant', 'delete', GONE, '--purge')).code).toBe(1)
}, 120_000)
