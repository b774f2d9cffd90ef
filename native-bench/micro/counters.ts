import {
  CounterReader,
  type CounterShape,
  CounterWriter,
  counterTableBytes,
  formatCounterTable,
} from '../../src/shared/counter-table.ts'
import { newRegion } from '../../src/shared/region.ts'
import type { Subject } from './case.ts'

const shape: CounterShape = { threads: 8, rows: 1000, kinds: 64 }

/** Counters as a thread adds to them, and as a scrape sums them up. */
export function countersSubject(): Subject {
  const table = formatCounterTable(newRegion(counterTableBytes(shape)), shape)
  const writer = new CounterWriter(table, 3)
  const reader = new CounterReader(table)
  const row = writer.row(17)
  let at = 0
  return {
    cases: [
      { name: 'counter add', run: () => writer.add((at = (at + 7) % shape.rows), 5, 1) },
      { name: 'counter add, row at hand', run: () => row[5]!++ },
      {
        name: 'counter sum over 8 threads',
        run: () => reader.sum((at = (at + 7) % shape.rows), 5),
      },
    ],
  }
}
