import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The repository, from the bundle in its `dist` as well as from the sources. */
export const root = packageOf(import.meta.dirname)

function packageOf(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : packageOf(dirname(directory))
}
