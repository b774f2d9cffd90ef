import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

<<<<<<< HEAD
/** The repository, from wherever this runs: the bundle of the bench in `dist`, one of the tests, or its source. */
export const root = (() => {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'native-bench/main.ts'))) return folder
    if (folder === dirname(folder)) throw new Error(`${import.meta.dirname} is not in a checkout`)
  }
})()
=======
/** The repository, from the bundle in its `dist` as well as from the sources. */
export const root = packageOf(import.meta.dirname)

function packageOf(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : packageOf(dirname(directory))
}
>>>>>>> bench-limits
