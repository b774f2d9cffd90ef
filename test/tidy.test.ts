/** The layout of the sources, checked: who imports whom, sizes, file maps, forbidden words. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  defaultExports,
  fileMapFaults,
  forbiddenImports,
  forbiddenWords,
  type SourceFile,
  switchedOff,
  tooLong,
  tooLongTest,
} from './tidy-rules.ts'

const root = path.join(import.meta.dirname, '..')

function listFiles(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(path.join(root, folder), path.join(entry.parentPath, entry.name)))
    .map((name) => name.replaceAll(path.sep, '/'))
    .filter((name) => !name.includes('node_modules/'))
    .sort()
}

const read = (folder: string): SourceFile[] =>
  listFiles(folder)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({ path: name, text: readFileSync(path.join(root, folder, name), 'utf8') }))

const sources = read('src')
const inFolders = sources.filter((file) => file.path.includes('/'))
const tests = read('test').filter((file) => !file.path.startsWith('fixtures/'))
const all = <T>(files: readonly T[], rule: (file: T) => string[]) => files.flatMap(rule)

describe('the sources', () => {
  test('import only downwards', () => {
    expect(all(inFolders, forbiddenImports)).toEqual([])
  })

  test('keep files and functions short', () => {
    expect(all(sources, tooLong)).toEqual([])
    expect(all(tests, tooLongTest)).toEqual([])
  })

  test('have no default exports', () => {
    expect(all(sources, defaultExports)).toEqual([])
  })

  test('take clock and random as arguments, and do not wait, in brokers and below', () => {
    expect(all(inFolders, forbiddenWords)).toEqual([])
  })

  test('list the files of each folder in its README', () => {
    const folders = [...new Set(inFolders.map((file) => file.path.split('/')[0]!))]
    const faults = folders.flatMap((folder) => {
      const names = listFiles(`src/${folder}`)
      const readme = names.includes('README.md')
        ? readFileSync(path.join(root, 'src', folder, 'README.md'), 'utf8')
        : null
      return fileMapFaults(
        folder,
        readme,
        names.filter((name) => path.basename(name) !== 'README.md'),
      )
    })
    expect(faults).toEqual([])
  })

  test('have every folder on the map', () => {
    const map = readFileSync(path.join(root, 'src/README.md'), 'utf8')
    const folders = new Set(inFolders.map((file) => file.path.split('/')[0]!))
    expect([...folders].filter((folder) => !map.includes(`\`${folder}\``))).toEqual([])
  })
})

test('no test is singled out or switched off', () => {
  expect(all(tests, switchedOff)).toEqual([])
})

describe('the rules', () => {
  const file = (path: string, text: string): SourceFile => ({ path, text })
  const lines = (count: number) => 'x()\n'.repeat(count)

  test('see an import upwards, whatever its form', () => {
    for (const text of [
      "import { a } from '../broker/a.ts'",
      "import type { A } from '../broker/a.ts'",
      "export { a } from '../broker/a.ts'",
      "export * from '../broker/a.ts'",
      "const a = await import('../broker/a.ts')",
      "type A = import('../broker/a.ts').A",
    ]) {
      expect(forbiddenImports(file('log/b.ts', text))).toEqual(['log/b.ts imports broker/a.ts'])
    }
    expect(forbiddenImports(file('log/b.ts', "import '../base/ids.ts'; import './c.ts'"))).toEqual(
      [],
    )
    expect(forbiddenImports(file('base/b.ts', "import '../log/c.ts'"))).toHaveLength(1)
    expect(forbiddenImports(file('somewhere/b.ts', ''))).toHaveLength(1)
  })

  test('see a long file and a long function, of any kind', () => {
    expect(tooLong(file('a.ts', lines(501)))).toEqual(['a.ts: 501 lines'])
    expect(tooLong(file('a.ts', lines(500)))).toEqual([])
    for (const [head, tail] of [
      ['function f() {', '}'],
      ['const f = () => {', '}'],
      ['class A { f() {', '} }'],
      ['class A { get f() {', 'return 1 } }'],
    ]) {
      expect(tooLong(file('a.ts', `${head}\n${lines(69)}${tail}`))).toHaveLength(1)
      expect(tooLong(file('a.ts', `${head}\n${lines(68)}${tail}`))).toEqual([])
    }
  })

  test('let a describe be long, but not a test', () => {
    expect(tooLongTest(file('a.ts', `describe('x', () => {\n${lines(100)}})`))).toEqual([])
    expect(tooLongTest(file('a.ts', `describe.skipIf(1)('x', () => {\n${lines(100)}})`))).toEqual(
      [],
    )
    expect(tooLongTest(file('a.ts', `test('x', () => {\n${lines(100)}})`))).toHaveLength(1)
  })

  test('see default exports', () => {
    expect(defaultExports(file('a.ts', 'export default 1'))).toHaveLength(1)
    expect(defaultExports(file('a.ts', 'const a = 1; export { a as default }'))).toHaveLength(1)
    expect(defaultExports(file('a.ts', 'export const a = 1'))).toEqual([])
  })

  test('see waiting, clocks and random below the broker, and only there', () => {
    const text = `export async function f() {
      await g(); for await (const x of g()) {}
      setTimeout(g, 1); setImmediate(g); setInterval(g, 1)
      return [Math.random(), Date.now(), new Date()]
    }`
    const words = ['await', 'setTimeout', 'setImmediate', 'setInterval', 'Math.random', 'Date']
    expect(forbiddenWords(file('broker/a.ts', text))).toEqual(words.map((w) => `broker/a.ts: ${w}`))
    expect(forbiddenWords(file('front/a.ts', text))).toEqual([])
    expect(forbiddenWords(file('base/clock.ts', 'const a = Date.now()'))).toEqual([])
    expect(forbiddenWords(file('log/a.ts', '// await a Date\nconst a = "Math.random()"'))).toEqual(
      [],
    )
  })

  test('see tests left singled out or switched off', () => {
    const planted = ['it.only(f)', 'test.skip(f)', 'describe.todo(f)', 'test.only.each(f)(g)']
    for (const text of planted) expect(switchedOff(file('a.ts', text))).toHaveLength(1)
    expect(switchedOff(file('a.ts', 'test.skipIf(x)(f); it(f); list.only(1)'))).toEqual([])
  })

  test('see files that a README misses or invents', () => {
    const readme = '| file | what |\n|---|---|\n| `a.ts`, `b.ts` | both, after `x.ts` |\n'
    expect(fileMapFaults('f', readme, ['a.ts', 'b.ts'])).toEqual([])
    expect(fileMapFaults('f', readme, ['a.ts', 'b.ts', 'c.ts'])).toEqual([
      'f/README.md misses c.ts',
    ])
    expect(fileMapFaults('f', readme, ['a.ts'])).toEqual([
      'f/README.md lists b.ts, which is not there',
    ])
    expect(fileMapFaults('f', '- `a.ts`, `b.ts` both, unlike `c.ts`\n', ['a.ts', 'b.ts'])).toEqual(
      [],
    )
    expect(fileMapFaults('f', null, [])).toEqual(['f: no README.md'])
  })
})
