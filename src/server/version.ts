/** The version of this package, read from its package.json once. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

let known: string | null = null

export function griotVersion(): string {
  known ??= readVersion(path.dirname(fileURLToPath(import.meta.url)))
  return known
}

/** Walks up: this file is at different depths in the bundle and in the compiled tree. */
function readVersion(from: string): string {
  for (let directory = from; ; directory = path.dirname(directory)) {
    const file = path.join(directory, 'package.json')
    if (existsSync(file)) {
      const { name, version } = JSON.parse(readFileSync(file, 'utf8'))
      if (name === 'griot') return version
    }
    if (directory === path.dirname(directory)) return 'unknown'
  }
}
