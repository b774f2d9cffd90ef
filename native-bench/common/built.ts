/** What is measured, as it was built: to tell whether it was the same all the time. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { root } from './root.ts'

/** Compiled code that an engine keeps there is made by starts, not by builds. */
const KEPT_BY_STARTS = 'code-cache'

/** A hash of all that was built: names and contents. */
export function builtHash(directory = join(root, 'dist')): string {
  const hash = createHash('sha256')
  if (!existsSync(directory)) return hash.digest('hex')
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => relative(directory, path).split(sep)[0] !== KEPT_BY_STARTS)
    .sort()
  for (const path of files) hash.update(relative(directory, path)).update(readFileSync(path))
  return hash.digest('hex')
}
