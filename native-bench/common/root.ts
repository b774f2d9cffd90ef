import { join } from 'node:path'

/** The repository: everything of the bench runs from one bundle in its `dist`. */
export const root = join(import.meta.dirname, '..')
