/** Before all tests: compiles and bundles once, since whatever starts workers runs from compiled output. */
import { spawnSync } from 'node:child_process'
import path from 'node:path'

export function setup(): void {
  const root = path.join(import.meta.dirname, '..')
  const run = (args: readonly string[]) =>
    spawnSync(process.execPath, args as string[], { cwd: root, encoding: 'utf8' })
  const compiled = run(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'])
  if (compiled.status !== 0) throw new Error(`tsc failed:\n${compiled.stdout}${compiled.stderr}`)
  const bundled = run(['.build/bundle.mjs'])
  if (bundled.status !== 0) throw new Error(`bundling failed:\n${bundled.stdout}${bundled.stderr}`)
}
