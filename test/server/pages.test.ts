/**
 * The package in a folder of its own, as far as that goes without a registry: the pages of README.md that need only what is
 * here, both ways in, and their types. All pages, from the packed package and on every Node.js, run in .ci/frameworks.mjs.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readPage } from '../../.ci/frameworks/pages.mjs'

const root = path.join(import.meta.dirname, '../..')
let folder: string

/** `node_modules` as npm would make it, but with links to what is installed here. */
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'griot-pages-'))
  const modules = path.join(folder, 'node_modules')
  mkdirSync(path.join(modules, 'griot'), { recursive: true })
  cpSync(path.join(root, 'dist'), path.join(modules, 'griot/dist'), { recursive: true })
  cpSync(path.join(root, 'package.json'), path.join(modules, 'griot/package.json'))
  const { dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
  for (const name of [...Object.keys(dependencies), 'kafkajs', 'vitest', '@types/node']) {
    mkdirSync(path.dirname(path.join(modules, name)), { recursive: true })
    symlinkSync(path.join(root, 'node_modules', name), path.join(modules, name))
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function run(args: readonly string[]) {
  // what this test itself runs under is not for the inner one
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_|TEST|DEV|PROD)/.test(name)),
  )
  const child = spawn(process.execPath, args as string[], {
    ...{ cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], timeout: 50_000 },
    env: { ...env, NO_COLOR: '1', KAFKAJS_NO_PARTITIONER_WARNING: '1' },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
  }
  const [code] = await once(child, 'close')
  return { code, output }
}

function writePage(heading: string) {
  const page = readPage(readFileSync(path.join(root, 'README.md'), 'utf8'), heading)
  for (const [name, text] of Object.entries(page.files)) {
    writeFileSync(path.join(folder, name), text)
  }
  return page
}

describe('pages of README.md', () => {
  test('node:test', async () => {
    const { tests } = writePage('node:test')
    const { code, output } = await run(['--test', 'kafka.test.mjs'])
    expect([code, output]).toEqual([0, expect.stringMatching(`pass ${tests}\n`)])
  })

  test.each(['forks', 'threads'])('vitest, %s', async (pool) => {
    const { tests } = writePage('vitest')
    const vitest = 'node_modules/vitest/vitest.mjs'
    const { code, output } = await run([vitest, 'run', '--pool', pool, 'kafka.test.js'])
    expect([code, output]).toEqual([0, expect.stringMatching(`Tests +${tests} passed`)])
  })

  test('a broker dies in a test', async () => {
    const { tests } = writePage('A broker dies in a test')
    const vitest = 'node_modules/vitest/vitest.mjs'
    const { code, output } = await run([vitest, 'run', 'broker-dies.test.js'])
    expect([code, output]).toEqual([0, expect.stringMatching(`Tests +${tests} passed`)])
  }, 60_000)

  test('a page per framework, each with one command that runs it', () => {
    for (const modules of ['CommonJS', 'ES modules']) {
      const { commands } = writePage(`Jest, with ${modules}`)
      expect(commands.filter((line) => !line.startsWith('npm '))).toHaveLength(1)
    }
  })
})

test('require and import give the same class', async () => {
  const script = `const { Griot } = require('griot')
    import('griot').then((esm) => console.log(esm.Griot === Griot, typeof Griot.start))`
  expect(await run(['-e', script])).toEqual({ code: 0, output: 'true function\n' })
})

test('both ways in have their types, without skipLibCheck', async () => {
  const use = (load: string) => `${load}
    const options: GriotOptions = { brokers: 1, chaos: true }
    export const fail = ({ chaos }: Griot): Promise<void> => chaos.failDisk(1, 'ENOSPC')
    export const kill = (chaos: GriotChaos): Promise<void> => chaos.killBroker(1)
    export async function use(): Promise<string> {
      const griot: Griot = await Griot.start(options)
      await using other = griot.unref()
      // @ts-expect-error no such option
      await Griot.start({ broker: 1 })
      return other.brokers[0] ?? griot.dataDir
    }\n`
  const load = "import { Griot, type GriotChaos, type GriotOptions } from 'griot'"
  writeFileSync(path.join(folder, 'use.mts'), use(load))
  writeFileSync(path.join(folder, 'use.cts'), use(load))
  const compilerOptions = {
    ...{ module: 'nodenext', target: 'es2022', lib: ['es2022', 'esnext.disposable'] },
    ...{ strict: true, noEmit: true, types: ['node'], skipLibCheck: false },
  }
  const config = { compilerOptions, files: ['use.mts', 'use.cts'] }
  writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config))
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc')
  expect(await run([tsc, '-p', folder])).toEqual({ code: 0, output: '' })
})

test('files that package.json names are there', () => {
  const { main, types, exports, bin } = JSON.parse(
    readFileSync(path.join(folder, 'node_modules/griot/package.json'), 'utf8'),
  )
  const named = [main, types, bin.griot, ...JSON.stringify(exports).match(/\.\/[^"]+/g)!]
  expect(named.length).toBeGreaterThan(6)
  expect(named.filter((file) => !existsSync(path.join(root, file)))).toEqual([])
})
