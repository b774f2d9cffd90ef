/** All rows, in the order of the table. */
import type { Row } from './row.ts'
import { manyTopicsRow, memoryRow, startRow } from './rows-fresh.ts'
import { catchUpRows, loadRows, openRows } from './rows-load.ts'
import { idleRow, loopbackRow } from './rows-other.ts'

export const rows: readonly Row[] = [
  ...loadRows,
  ...catchUpRows,
  ...openRows,
  manyTopicsRow,
  startRow,
  memoryRow,
  idleRow,
  loopbackRow,
]
