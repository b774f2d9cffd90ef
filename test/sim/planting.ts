/** The simulator, or another program, as one file of JavaScript, with a bug in the copy of the source that goes into it; and runs of it, in a process of its own. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { PlantedBug } from './planted.ts'

const SRC = join(import.meta.dirname, '../../src')
/** Where what is made lies. */
export const OUT = join(import.meta.dirname, '.bundles')

/** Throws where the text that the bug changes is not there, or not once. Returns the path of what was made. */
export async function plant(
  bug: Pick<PlantedBug, 'file' | 'find' | 'replace'> | null,
  name: string,
  { entry = join(import.meta.dirname, 'main.ts'), out = OUT } = {},
): Promise<string> {
  mkdirSync(out, { recursive: true })
  const outfile = join(out, `${name}.mjs`)
  const path = bug === null ? '' : join(SRC, bug.file)
  if (bug !== null && readFileSync(path, 'utf8').split(bug.find).length !== 2) {
    throw new Error(`${bug.file} does not have this once: ${bug.find}`)
  }
  await build({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    logLevel: 'warning',
    outfile,
    plugins: [
      {
        name: 'planted',
        setup(with_) {
          if (bug === null) return
          with_.onLoad({ filter: /\.ts$/ }, (args) => {
            if (args.path !== path) return null
            const contents = readFileSync(path, 'utf8').replace(bug.find, () => bug.replace)
            return { contents, loader: 'ts' }
          })
        },
      },
    ],
  })
  return outfile
}

export interface PlantedRun {
  /** The first seed that failed; null where none did. */
  readonly caughtBy: number | null
  readonly message: string
}

/** Runs seeds until one fails. A process that ends in another way than by finding something is an error. */
export function run(
  file: string,
  of: {
    readonly from: number
    readonly seeds: number
    readonly only?: readonly string[] | undefined
  },
): PlantedRun {
  const args = ['--from', `${of.from}`, '--seeds', `${of.seeds}`]
  if (of.only !== undefined) args.push('--only', of.only.join(','))
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  const failed = /^failed: (\d+)/m.exec(stdout)?.[1]
  if (failed === undefined && status !== 0) throw new Error(`the run has failed: ${stderr}`)
  const message = /(SafetyError|LivenessError): [^\n]*/.exec(stderr)?.[0] ?? ''
  if (failed !== undefined && message === '') throw new Error(`not a finding: ${stderr}`)
  return { caughtBy: failed === undefined ? null : Number(failed), message }
}
