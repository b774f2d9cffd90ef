/** Rows that say whose they are: what a reader sees of them while they change hands, and what a thread finds that its predecessor left. */
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { InvariantError } from '../../src/base/assert.ts'
import { asTenantId, type TenantId } from '../../src/base/ids.ts'
import { newRegion } from '../../src/shared/region.ts'
import {
  formatUseTable,
  UseTableReader,
  UseTableWriter,
  useTableBytes,
} from '../../src/shared/use-table.ts'

const shape = { threads: 3, rows: 6, kinds: 5, brokers: 2 }
const table = () => formatUseTable(newRegion(useTableBytes(shape)), shape)
const tenant = (n: number) => asTenantId((0x8000_0000_0000_0000n + BigInt(n)).toString(16))

function rowsIn(region: ReturnType<typeof table>) {
  const rows: [TenantId, number, number[]][] = []
  new UseTableReader(region).each(({ tenantId, brokerId }, values) => {
    if (tenantId !== null) rows.push([tenantId, brokerId, [...values]])
  })
  return rows
}

/** Of thread 1, by broker. */
function sharedIn(region: ReturnType<typeof table>) {
  const rows: number[][] = []
  new UseTableReader(region).each(({ tenantId, brokerId }, values, thread) => {
    if (tenantId === null && thread === 1) rows[brokerId] = [...values]
  })
  return rows
}

describe('table of use', () => {
  it('tells whose a row is, of every thread, and nothing of rows that are nobody’s', () => {
    const region = table()
    const [first, , third] = [0, 1, 2].map((thread) => new UseTableWriter(region, thread))
    first!.give(3, tenant(0xffff_ffff), 0)
    first!.values(3)[2]! += 7
    third!.give(5, tenant(1), 2)
    third!.values(5)[4]! += 2 ** 52
    expect(rowsIn(region)).toEqual([
      ['80000000ffffffff', 0, [0, 0, 7, 0, 0]],
      ['8000000000000001', 2, [0, 0, 0, 0, 2 ** 52]],
    ])
    expect(() => new UseTableWriter(region, 3)).toThrow(InvariantError)
  })

  it('adds what a row has to what is shared when it is taken back', () => {
    const region = table()
    const writer = new UseTableWriter(region, 1)
    writer.shared[2]![1] = 5
    writer.give(3, tenant(1), 2)
    writer.values(3).set([1, 2, 3])
    writer.takeBack(3)
    expect(rowsIn(region)).toEqual([])
    const none = [0, 0, 0, 0, 0]
    expect(sharedIn(region)).toEqual([none, none, [1, 7, 3, 0, 0]])
    writer.give(3, tenant(2), 2)
    expect(rowsIn(region)).toEqual([[tenant(2), 2, [0, 0, 0, 0, 0]]])
  })

  it('keeps rows beyond the life of their thread', () => {
    const region = table()
    const before = new UseTableWriter(region, 1)
    before.give(3, tenant(1), 1)
    before.give(4, tenant(2), 1)
    before.values(4)[0] = 9
    before.takeBack(3)
    const after = new UseTableWriter(region, 1)
    expect([...after.given()]).toEqual([{ row: 4, tenantId: tenant(2), brokerId: 1 }])
    after.values(4)[0]!++
    expect(rowsIn(region)).toEqual([[tenant(2), 1, [10, 0, 0, 0, 0]]])
  })

  it('never hands over values of one tenant under the name of another', async () => {
    const region = table()
    const reader = new UseTableReader(region)
    const worker = new Worker(new URL('./use-table-worker.mjs', import.meta.url), {
      workerData: { region, lib: new URL('../../dist/lib/shared/', import.meta.url).href },
    })
    const ended = new Promise((resolve) => worker.once('exit', resolve))
    const seen = new Set<string>()
    let wrong = 0
    for (const until = Date.now() + 700; Date.now() < until; ) {
      for (let i = 0; i < 2_000; i++) {
        reader.each(({ tenantId }, values) => {
          if (tenantId === null) return
          seen.add(tenantId)
          const n = Number.parseInt(tenantId.slice(8), 16)
          if (!values.every((value) => value === 0 || value === n)) wrong++
        })
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    await worker.terminate()
    await ended
    expect(wrong).toBe(0)
    expect(seen.size).toBeGreaterThan(10)
  })
})
