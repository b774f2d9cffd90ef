import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const directory = mkdtempSync(path.join(tmpdir(), 'griot-code-cache-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const kept = path.join(directory, 'code-cache')
const module = pathToFileURL(path.join(import.meta.dirname, '../../dist/lib/server/code-cache.js'))

/** A bundle as the build writes it: its last line is a hash of the rest. */
function writeBundle(value: string, build?: string): void {
  const text = `exports.value = () => '${value}'
exports.place = __dirname
exports.platform = () => require('node:os').platform()
exports.fail = () => { throw new Error('on purpose') }`
  const hash = build ?? createHash('sha256').update(text).digest('hex')
  const file = path.join(directory, 'bundle.cjs')
  writeFileSync(file, `${text}\n//# build=${hash}`)
  // as npm unpacks it: the same for every version of a package
  utimesSync(file, new Date(499_162_500_000), new Date(499_162_500_000))
}

interface Loaded {
  readonly value: string
  readonly place: string
  readonly platform: string
  readonly stack: string
  /** Null where no cache is in use. */
  readonly missed: number | null
}

/** Loads the bundle in a process of its own, which keeps the code when asked to. */
function load({
  keeps = null as 'late' | 'at-end' | null,
  exitCode = 0,
  flags = [] as string[],
  env = {},
} = {}): Loaded {
  const script = `
    import { createRequire } from 'node:module'
    import { CodeCache } from ${JSON.stringify(module.href)}
    const entry = ${JSON.stringify(path.join(directory, 'entry.cjs'))}
    const cache = CodeCache.install(entry)
    const { value, place, platform, fail } = createRequire(entry)('./bundle.cjs')
    let stack
    try { fail() } catch (error) { stack = error.stack }
    const missed = cache?.missed ?? null
    console.log(JSON.stringify({ value: value(), place, platform: platform(), stack, missed }))
    if (${keeps !== null}) {
      cache?.publishLater(['bundle'])
      process.exitCode = ${exitCode}
      if (${keeps === 'late'}) setTimeout(() => {}, 5_000)
    }`
  const args = [...flags, '--input-type=module', '-e', script]
  const run = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { ...process.env, NODE_V8_COVERAGE: undefined, ...env },
  })
  if (run.status !== exitCode) throw new Error(run.stderr)
  return JSON.parse(run.stdout) as Loaded
}

const isNodesOwn = Number.parseInt(process.versions.node, 10) >= 22

describe.skipIf(isNodesOwn)('compiled code kept between starts', () => {
  it('is used by the next process, and by none that it was not made for', () => {
    writeBundle('first')
    // a start that failed has not called what a start calls
    expect(load({ keeps: 'at-end', exitCode: 1 })).toMatchObject({ value: 'first', missed: 1 })
    expect(existsSync(kept) ? readdirSync(kept) : []).toEqual([])
    expect(load({ keeps: 'late' })).toMatchObject({ value: 'first', missed: 1 })
    // whole files alone, under the name that is looked for
    const files = readdirSync(kept)
    expect(files).toEqual([`bundle-${process.version}-${process.arch}.bin`])
    const file = path.join(kept, files[0]!)
    const code = readFileSync(file)

    const again = load()
    expect(again).toMatchObject({ value: 'first', place: directory, missed: 0 })
    expect(again.platform).toBe(process.platform)
    expect(again.stack).toContain(`${path.join(directory, 'bundle.cjs')}:4:`)

    // V8 itself would take this one: the source is as long as before
    writeBundle('other')
    expect(load()).toMatchObject({ value: 'other', missed: 1 })
    writeBundle('first')
    expect(load()).toMatchObject({ value: 'first', missed: 0 })
    // only its time tells that somebody edited it by hand
    utimesSync(path.join(directory, 'bundle.cjs'), new Date(), new Date())
    expect(load()).toMatchObject({ missed: 1 })

    writeBundle('first')
    truncateSync(file, code.length - 1)
    expect(load({ keeps: 'at-end' })).toMatchObject({ value: 'first', missed: 1 })
    expect(load()).toMatchObject({ missed: 0 })
    expect(load({ flags: ['--max-lazy'] })).toMatchObject({ value: 'first', missed: 1 })
    expect(load({ env: { NODE_DISABLE_COMPILE_CACHE: '1' } })).toMatchObject({ missed: null })
  }, 60_000)

  it('is of bundles without import(), which Node would not serve', () => {
    const dist = path.join(import.meta.dirname, '../../dist')
    for (const name of readdirSync(dist).filter((name) => name.endsWith('.cjs'))) {
      const text = readFileSync(path.join(dist, name), 'utf8')
      expect(text.match(/\bimport\s*\(.{0,40}/)?.[0], name).toBeUndefined()
    }
  })

  it('leaves to Node what the build did not write', () => {
    writeFileSync(
      path.join(directory, 'bundle.cjs'),
      'exports.value = exports.platform = exports.fail = () => 1',
    )
    expect(load()).toMatchObject({ value: 1, missed: 0 })
  })
})
