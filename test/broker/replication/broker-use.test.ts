/** What brokers do for a tenant's replicas is counted as the tenant's: of the leader's thread, and of its followers'. */
import { expect, it } from 'vitest'
import { UseKind } from '../../../src/link/use-kinds.ts'
import { plainBatch } from '../batches.ts'
import { useTable } from '../use-rows.ts'
import { TENANT } from '../world.ts'
import { Agents } from './agents.ts'

it('counts the time of followers, and what waits for a majority at its leader', () => {
  const table = useTable(9, 4)
  const agents = new Agents({ useOf: (brokerId) => table.writer(brokerId) })
  const [number] = agents.createTopic()
  const [one] = agents.nodes
  agents.run(30)
  one!.front.produce(number!, plainBatch(1))
  agents.runUntil('broker 1 leads', () => agents.leaders.get(number!)?.leader === 1, 500)
  agents.run(40)
  one!.front.take()
  const at = (kind: number) => {
    const values = [0, 0, 0]
    table.reader.each(({ tenantId, brokerId }, row) => {
      if (tenantId === TENANT) values[brokerId - 1] = row[kind]!
    })
    return values
  }
  // each disk takes 1 ms for a write of records
  agents.disk.onOperation = ({ operation, path }) => {
    if (operation === 'write' && path.endsWith('.log') && path.includes(TENANT))
      agents.clock.advance(1)
    return null
  }
  const before = at(UseKind.BROKER_NS)
  const bytesBefore = at(UseKind.BYTES_IN)
  const batch = plainBatch(3)
  one!.front.produce(number!, batch)
  one!.agent.doWork(agents.clock.monotonicMs())
  expect(at(UseKind.IN_FLIGHT_BYTES_NOW)).toEqual([batch.length, 0, 0])
  agents.run(40)
  expect(one!.front.take().map(({ kind }) => kind)).toContain('produced')
  expect(at(UseKind.IN_FLIGHT_BYTES_NOW)).toEqual([0, 0, 0])
  expect(at(UseKind.BROKER_NS).map((ns, i) => ns - before[i]!)).toEqual([1e6, 1e6, 1e6])
  expect(at(UseKind.BYTES_IN).map((n, i) => n - bytesBefore[i]!)).toEqual([batch.length, 0, 0])
})
