/** All rows, in the order of the table. */
import type { Row } from './row.ts'
import { manyTopicsRow, startRow } from './rows-fresh.ts'

export const rows: readonly Row[] = [manyTopicsRow, startRow]
