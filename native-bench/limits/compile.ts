/** Compiles a program of this folder at its first use, and again only when it has changed. */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../common/root.ts'

const COMPILERS = ['cc', 'gcc', 'clang']
const flagsFor = (arch: string): readonly string[] =>
  arch === 'arm64' ? ['-O2', '-pthread', '-march=armv8-a+crc'] : ['-O2', '-pthread']

export const sources = join(root, 'native-bench/limits')
/** Ignored by git, the user's own, and gone with `npm ci`. */
const cache = join(root, 'node_modules/.cache/griot-bench')

let found: string | null | undefined

/** The first C compiler of the usual names, or null. */
export function compiler(): string | null {
  found ??= COMPILERS.find((name) => spawnSync(name, ['--version']).status === 0) ?? null
  return found
}

/** Path of the program `name`, or null without a compiler. Throws with what the compiler said when it cannot. */
export function compile(name: string): string | null {
  const cc = compiler()
  if (cc === null) return null
  const source = join(sources, `${name}.c`)
  const flags = flagsFor(process.arch)
  const hash = createHash('sha256').update(JSON.stringify([cc, flags]))
  for (const path of [source, join(sources, 'limits.h')]) hash.update(readFileSync(path))
  const program = join(cache, `${name}-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(program)) return program
  mkdirSync(cache, { recursive: true })
  // two runs at once must not start half of a program
  const unfinished = `${program}.${process.pid}`
  const built = spawnSync(cc, [...flags, '-o', unfinished, source], { encoding: 'utf8' })
  if (built.status !== 0) throw new Error(`${cc} could not compile ${source}:\n${built.stderr}`)
  renameSync(unfinished, program)
  return program
}
