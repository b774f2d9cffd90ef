/** All rows, in the order of the table, and how one is named on the command line. */
import type { Row } from './row.ts'
import { manyTopicsRow, memoryRow, startRow } from './rows-fresh.ts'
import { catchUpRows, loadRows, openRows } from './rows-load.ts'
import { idleRow, loopbackRow } from './rows-other.ts'
import { REPLICATED, replicatedRows } from './rows-replicated.ts'

export const rows: readonly Row[] = [
  ...loadRows,
  ...catchUpRows,
  ...openRows,
  manyTopicsRow,
  startRow,
  memoryRow,
  idleRow,
  loopbackRow,
  ...replicatedRows,
]

/**
 * The row called `name`; with three nodes asked for it may go without its suffix. Throws with the names that there are, and for a row
 * that has another number of nodes.
 */
export function rowNamed(name: string, nodes?: 1 | 3): Row {
  const short = rows.find((row) => row.nodes === 3 && row.name === `${name}${REPLICATED}`)
  const row = (nodes === 3 ? short : undefined) ?? rows.find((one) => one.name === name)
  if (row === undefined) {
    const names = rows.map((one) => one.name).join(', ')
    const also = short === undefined ? '' : ` (${short.name} with --nodes 3)`
    throw new Error(`no row ${name}${also}; there are ${names}`)
  }
  const own = row.nodes ?? 1
  if (nodes !== undefined && nodes !== own) {
    const three = replicatedRows.map((one) => one.name).join(', ')
    throw new Error(
      `row ${row.name} has ${own === 1 ? 'one node' : 'three nodes'}; with three there are ${three}`,
    )
  }
  return row
}
