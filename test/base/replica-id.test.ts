import { expect, it } from 'vitest'
import { asBrokerId } from '../../src/base/ids.ts'
import { brokerOf, generationOf, replicaIdOf } from '../../src/base/replica-id.ts'

it('ids of replicas differ by broker, life and generation, and name broker and generation', () => {
  const seen = new Set<number>()
  for (const broker of [1, 2, 65_535].map(asBrokerId)) {
    for (const life of [0, 1, 2, 131_071]) {
      for (const generation of [0, 1, 2, 1_048_575]) {
        const id = replicaIdOf(broker, life, generation)
        expect(Number.isSafeInteger(id)).toBe(true)
        expect(brokerOf(id)).toBe(broker)
        expect(generationOf(id)).toBe(generation)
        seen.add(id)
      }
    }
  }
  expect(seen.size).toBe(48)
  // as files of before generations name them
  expect(replicaIdOf(asBrokerId(3))).toBe(3)
  expect(replicaIdOf(asBrokerId(3), 2)).toBe(2 * 65_536 + 3)
})
