/** What a broker's thread does for each tenant: time, batches and memory in rows that others read; exact while tenants come and go. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import type { PartitionNumber } from '../../src/base/ids.ts'
import { UseKind } from '../../src/link/use-kinds.ts'
import type { UseTableWriter } from '../../src/shared/use-table.ts'
import { keyed } from '../log/cleaning-support.ts'
import { plainBatch } from './batches.ts'
import { ask, failing, heldFlusher, start } from './counting.ts'
import { tenant, useTable } from './use-rows.ts'
import { CELL, CLUSTER, World, type WorldOptions } from './world.ts'

const tenants = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    ...({ kind: 'tenant-created', tenantId: tenant(n + 1), name: `t${n + 1}` } as const),
    ...{ clusterId: `c${n + 1}`, cellId: CELL },
  }))

/** Of records: within the clock of these worlds. */
const AT = { timestampMs: 1_000_000 }

/** Tenants 1 to `count` with a topic of one partition each, by tenant. */
function worldOf(count: number, options: WorldOptions & { readonly use: UseTableWriter }) {
  const world = new World({ entries: [...CLUSTER, ...tenants(count)], ...options })
  const partitions = new Map<number, PartitionNumber>()
  for (let n = 1; n <= count; n++) {
    partitions.set(n, world.createTopic({ tenantId: tenant(n) })[0]!)
  }
  world.run()
  const produce = (n: number, records = 1) => {
    const batch = plainBatch(records)
    world.front.produce(partitions.get(n)!, batch)
    return batch.length
  }
  return { world, partitions, produce }
}

describe('what a broker uses on behalf of a tenant', () => {
  it('is counted by tenant: commands, bytes that came, time', () => {
    const table = useTable()
    const { world, partitions, produce } = worldOf(3, { use: table.writer() })
    // the disk takes 5 ms for each write of the first tenant's, 2 ms for the second's
    world.simulated.onOperation = ({ operation, path }) => {
      if (operation === 'write' && path.endsWith('.log') && path.includes(tenant(1)))
        world.clock.advance(5)
      if (operation === 'write' && path.endsWith('.log') && path.includes(tenant(2)))
        world.clock.advance(2)
      return null
    }
    const first = produce(1) + produce(1, 3)
    const second = produce(2)
    world.front.locate(partitions.get(2)!, 0)
    // nobody's
    world.front.locate(999 as PartitionNumber, 0)
    world.run()
    expect([1, 2, 3].map((n) => table.of(n, UseKind.REQUESTS))).toEqual([2, 2, undefined])
    expect([1, 2].map((n) => table.of(n, UseKind.BYTES_IN))).toEqual([first, second])
    expect([1, 2].map((n) => table.of(n, UseKind.BROKER_NS))).toEqual([5e6, 2e6])
    expect(table.total(UseKind.REQUESTS)).toBe(4)
  })

  it('is counted of calls to a coordinator, too', () => {
    const table = useTable()
    const { world, partition } = start({ use: table.writer() })
    ask(world, partition, 'put:a')
    world.run()
    const [row] = [...table.rowsNow().values()]
    expect(row![UseKind.REQUESTS]).toBe(1)
    expect(row![UseKind.BYTES_IN]).toBeGreaterThan(10)
  })

  it('is counted of the cleaning of its internal topics, too', () => {
    const table = useTable()
    const world = new World({ use: table.writer() })
    const configs = { 'cleanup.policy': 'compact', 'internal.segment.bytes': '4000' }
    const [partition] = world.createTopic({ internal: true, configs })
    world.simulated.onOperation = ({ operation, path }) => {
      if (operation === 'write' && path.includes('.cleaned')) world.clock.advance(3)
      return null
    }
    for (let n = 0; n < 120; n++) {
      world.front.produce(partition!, keyed([[`key ${n % 10}`, `value ${n}`]], AT))
      world.turn()
      world.front.take()
    }
    world.run()
    const cleaned = world.lines.filter(({ message }) => message.startsWith('Log cleaned'))
    expect(cleaned.length).toBeGreaterThan(0)
    expect(table.total(UseKind.BROKER_NS)).toBeGreaterThanOrEqual(cleaned.length * 3e6)
  })

  it('takes no row for tenants that do nothing', () => {
    const table = useTable(8_192)
    const { world, produce } = worldOf(2, { use: table.writer() })
    world.publish(...tenants(10_002).slice(2))
    produce(2)
    world.pass(5_000)
    expect([...table.rowsNow().keys()]).toEqual([tenant(2)])
  })
})

describe('memory in flight', () => {
  it('is that of batches that are not acknowledged', () => {
    const table = useTable()
    const before = new World()
    const { flush, release } = heldFlusher(before.simulated)
    const world = new World({ ...{ disk: before.disk, flush, use: table.writer() } })
    const configs = { 'flush.messages': '1' }
    const [partition] = world.createTopic({ configs })
    world.run()
    const batch = plainBatch(3)
    for (let i = 0; i < 2; i++) world.front.produce(partition!, batch)
    world.run()
    expect(table.total(UseKind.IN_FLIGHT_BYTES_NOW)).toBe(2 * batch.length)
    release()
    world.run()
    expect(world.front.take()).toHaveLength(2)
    expect(table.total(UseKind.IN_FLIGHT_BYTES_NOW)).toBe(0)
  })

  it('is given back by batches that are refused', () => {
    const table = useTable()
    const { world, produce } = worldOf(1, { use: table.writer() })
    produce(1)
    world.run()
    world.front.take()
    world.simulated.onOperation = failing('write', '.log', 'EIO')
    produce(1)
    produce(1)
    world.run()
    expect(world.front.take().map((reply) => 'error' in reply && reply.error)).toEqual([
      ErrorCode.KAFKA_STORAGE_ERROR,
      ErrorCode.KAFKA_STORAGE_ERROR,
    ])
    expect(table.of(1, UseKind.IN_FLIGHT_BYTES_NOW)).toBe(0)
  })
})

describe('rows', () => {
  it('of a full table: who comes late is counted with others until a row is free', () => {
    const table = useTable(2)
    const { world, produce } = worldOf(3, { use: table.writer() })
    const bytes = produce(1) + produce(2) + produce(3)
    world.run()
    expect([...table.rowsNow().keys()]).toEqual([tenant(1), tenant(2)])
    expect(table.shared(UseKind.REQUESTS)).toBe(1)
    expect(table.total(UseKind.BYTES_IN)).toBe(bytes)
    world.deleteTopic(1, tenant(1))
    world.publish({ kind: 'tenant-deleted', tenantId: tenant(1) })
    world.pass(2_000)
    expect([...table.rowsNow().keys()]).toEqual([tenant(2)])
    world.pass(120_000, 10_000)
    const more = produce(3)
    world.run()
    expect(table.of(3, UseKind.BYTES_IN)).toBe(more)
    expect(table.total(UseKind.BYTES_IN)).toBe(bytes + more)
    expect(table.total(UseKind.IN_FLIGHT_BYTES_NOW)).toBe(0)
  })

  it('are taken back from those that do nothing where they are short', () => {
    const table = useTable(2)
    const { world, produce } = worldOf(3, { use: table.writer() })
    const bytes = produce(1) + produce(2)
    world.run()
    for (let passed = 0; passed < 200_000; passed += 10_000) {
      produce(2)
      world.pass(10_000)
    }
    expect([...table.rowsNow().keys()]).toEqual([tenant(2)])
    produce(3)
    world.run()
    expect([...table.rowsNow().keys()].sort()).toEqual([tenant(2), tenant(3)])
    expect(table.shared(UseKind.BYTES_IN)).toBe(bytes / 2)
  })

  it('are not taken back from those whose batches are in flight, whatever they do besides', () => {
    const table = useTable(2)
    const before = new World()
    const { flush, release } = heldFlusher(before.simulated)
    const entries = [...CLUSTER, ...tenants(2)]
    const world = new World({ ...{ disk: before.disk, flush, entries, use: table.writer() } })
    const configs = { 'flush.messages': '1' }
    for (const n of [1, 2]) {
      const [partition] = world.createTopic({ tenantId: tenant(n), configs })
      world.front.produce(partition!, plainBatch())
      world.run()
    }
    world.pass(200_000, 10_000)
    expect([...table.rowsNow().keys()]).toEqual([tenant(1), tenant(2)])
    release()
    world.run()
    expect([1, 2].map((n) => table.of(n, UseKind.IN_FLIGHT_BYTES_NOW))).toEqual([0, 0])
    world.pass(200_000, 10_000)
    expect(table.rowsNow().size).toBe(0)
  })

  it('go on with the next thread that is this broker; what was in flight is not', () => {
    const table = useTable()
    const { world, produce } = worldOf(1, { use: table.writer() })
    const first = produce(1)
    // taken, written, and not answered
    world.turn()
    table.writer().values(4)[UseKind.IN_FLIGHT_BYTES_NOW] = first
    const next = world.restart({ use: table.writer() })
    expect(table.of(1, UseKind.BYTES_IN)).toBe(first)
    expect(table.of(1, UseKind.IN_FLIGHT_BYTES_NOW)).toBe(0)
    const batch = plainBatch(1)
    next.front.produce(1 as PartitionNumber, batch)
    next.run()
    expect(table.of(1, UseKind.BYTES_IN)).toBe(first + batch.length)
    expect(table.rowsNow().size).toBe(1)
  })
})
