import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BrokerId, PartitionNumber } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { PartitionTable } from '../../src/image/partition-table.ts'

const number = (n: number) => n as PartitionNumber
const brokers = (...ids: number[]) => ids as BrokerId[]

describe('PartitionTable', () => {
  it('holds what a plain map holds, over any adding and removing', () => {
    const operation = fc.record({ add: fc.boolean(), number: fc.integer({ min: 1, max: 200 }) })
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 600 }), (operations) => {
        const table = new PartitionTable()
        const model = new Map<number, number>()
        let topic = 0
        for (const { add, number: n } of operations) {
          if (add && !model.has(n)) {
            table.add(number(n), ++topic, n % 7, (n % 3) as BrokerId, topic * 2, brokers(1, n % 5))
            model.set(n, topic)
          } else if (!add && model.has(n)) {
            table.remove(number(n))
            model.delete(n)
          }
        }
        expect(table.count).toBe(model.size)
        expect([...table.numbers()].sort((a, b) => a - b)).toEqual(
          [...model.keys()].sort((a, b) => a - b),
        )
        for (let n = 0; n <= 201; n++) {
          const slot = table.slotOf(number(n))
          expect(slot >= 0).toBe(model.has(n))
          if (slot < 0) continue
          expect(table.topicAt(slot)).toBe(model.get(n))
          expect(table.indexAt(slot)).toBe(n % 7)
          expect(table.leaderAt(slot)).toBe(n % 3)
          expect(table.leaderEpochAt(slot)).toBe(model.get(n)! * 2)
          expect(table.replicasAt(slot)).toEqual([1, n % 5])
        }
      }),
      { seed: 7, numRuns: 150 },
    )
  })

  it('stays as small as what lives, though numbers rise for ever', () => {
    const table = new PartitionTable()
    const random = new SeededRandom(3)
    const alive: number[] = []
    for (let n = 1; n <= 100_000; n++) {
      table.add(number(n), 1, 0, 1 as BrokerId, 0, brokers(1))
      alive.push(n)
      if (alive.length > 100) {
        table.remove(number(alive.splice(random.below(alive.length), 1)[0]!))
      }
    }
    expect(table.count).toBe(100)
    expect(table.byteLength).toBeLessThan(100 * 200)
    for (const n of alive) expect(table.slotOf(number(n))).toBeGreaterThanOrEqual(0)
  })

  it('gives memory back when most of it is gone', () => {
    const table = new PartitionTable()
    for (let n = 1; n <= 10_000; n++) table.add(number(n), n, 0, 1 as BrokerId, 0, brokers(1))
    const full = table.byteLength
    for (let n = 1; n <= 9_990; n++) table.remove(number(n))
    expect(table.byteLength).toBeLessThan(full / 50)
    for (let n = 9_991; n <= 10_000; n++) expect(table.topicAt(table.slotOf(number(n)))).toBe(n)
  })

  it('has any number of replica lists, and forgets those that nobody has', () => {
    const table = new PartitionTable()
    const list = (n: number) => brokers(1, 2 + (n % 300), 400 + Math.floor(n / 300))
    for (let n = 1; n <= 70_000; n++) table.add(number(n), 1, 0, 1 as BrokerId, 0, list(n))
    expect(table.listCount).toBe(70_000)
    for (const n of [1, 65_535, 65_536, 70_000]) {
      expect(table.replicasAt(table.slotOf(number(n)))).toEqual(list(n))
    }
    for (let n = 1; n <= 69_990; n++) table.remove(number(n))
    expect(table.listCount).toBe(10)
    table.add(number(70_001), 1, 0, 1 as BrokerId, 0, brokers(7))
    expect(table.replicasAt(table.slotOf(number(70_001)))).toEqual([7])
    expect(table.replicasAt(table.slotOf(number(69_998)))).toEqual(list(69_998))
  })

  it('refuses a number that is in use, and zero', () => {
    const table = new PartitionTable()
    table.add(number(5), 1, 0, 1 as BrokerId, 0, brokers(1))
    expect(() => table.add(number(5), 1, 0, 1 as BrokerId, 0, brokers(1))).toThrow(/used once/)
    expect(() => table.add(number(0), 1, 0, 1 as BrokerId, 0, brokers(1))).toThrow(/positive/)
    expect(() => table.remove(number(6))).toThrow(/exists/)
  })
})
