import { expect, it } from 'vitest'
import type { Facts } from './facts.ts'
import { A, World } from './world.ts'

/** What clients are told; the numbers of partitions are the engine's own. */
const told = ({ partitionNumbers: _, ...facts }: Facts) => facts

it('a tenant gets the same ids whether or not there is another one before it', () => {
  const [with_, without] = [new World({ hasA: true }), new World({ hasA: false })]
  expect(told(with_.b.facts)).toEqual(told(without.b.facts))
  expect(with_.keptOf(A.tenantId).length).toBeGreaterThan(10)
  expect(without.keptOf(A.tenantId)).toEqual([])
})
