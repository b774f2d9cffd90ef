/** Where and when something was measured: no figure without it. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { root } from './root.ts'

export interface Circumstances {
  /** ISO 8601, UTC. */
  readonly date: string
  /** Short commit hash, with `+` when files were changed since; null without git. */
  readonly commit: string | null
  readonly node: string
  readonly cpus: number
  readonly cpuModel: string
  readonly memoryBytes: number
  readonly kernel: string
}

export function circumstances(): Circumstances {
  const all = cpus()
  return {
    date: new Date().toISOString(),
    commit: commitOf(),
    node: process.version,
    cpus: all.length,
    cpuModel: all[0]?.model.trim() ?? 'unknown',
    memoryBytes: totalmem(),
    kernel: `${process.platform} ${release()} ${process.arch}`,
  }
}

function commitOf(): string | null {
  // as an installed package it lies in somebody else's repository
  if (!existsSync(join(root, '.git'))) return null
  const git = (...args: string[]) => spawnSync('git', args, { cwd: root, encoding: 'utf8' })
  const head = git('rev-parse', '--short', 'HEAD')
  if (head.status !== 0) return null
  // results of the rows before are no change of what is measured
  const measured = ['--', '.', ':!native-bench/results']
  const status = git('status', '--porcelain', '--untracked-files=no', ...measured)
  const isChanged = status.stdout.trim() !== ''
  return `${head.stdout.trim()}${isChanged ? '+' : ''}`
}

/** One line for the end of a table. */
export function circumstancesLine(of: Circumstances): string {
  const memory = `${(of.memoryBytes / 2 ** 30).toFixed(0)} GB`
  return `${of.date.slice(0, 10)}, commit ${of.commit ?? 'unknown'}, Node ${of.node}, ${of.cpus} × ${of.cpuModel}, ${memory}, ${of.kernel}`
}
