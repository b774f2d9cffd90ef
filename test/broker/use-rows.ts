/** A table of use in which brokers count, and what tests ask of it. */
import { asTenantId, type TenantId } from '../../src/base/ids.ts'
import { USE_KINDS } from '../../src/link/use-kinds.ts'
import { newRegion } from '../../src/shared/region.ts'
import {
  formatUseTable,
  UseTableReader,
  UseTableWriter,
  useTableBytes,
} from '../../src/shared/use-table.ts'

export const tenant = (n: number) => asTenantId(`${n}`.padStart(16, '0'))

/** Rows for so many tenants of each thread. */
export function useTable(places = 9, threads = 1) {
  const brokers = 3
  const shape = { threads, rows: places + 1 + brokers, kinds: USE_KINDS, brokers }
  const region = formatUseTable(newRegion(useTableBytes(shape)), shape)
  const reader = new UseTableReader(region)
  const rowsNow = () => {
    const found = new Map<TenantId, number[]>()
    reader.each(({ tenantId }, values) => {
      if (tenantId !== null) found.set(tenantId, [...values])
    })
    return found
  }
  const of = (n: number, kind: number) => rowsNow().get(tenant(n))?.[kind]
  const shared = (kind: number) => {
    let sum = 0
    reader.each(({ tenantId }, values) => {
      if (tenantId === null) sum += values[kind]!
    })
    return sum
  }
  const total = (kind: number) =>
    [...rowsNow().values()].reduce((sum, values) => sum + values[kind]!, shared(kind))
  const writer = (thread = 0) => new UseTableWriter(region, thread)
  return { writer, of, shared, total, rowsNow, reader }
}
