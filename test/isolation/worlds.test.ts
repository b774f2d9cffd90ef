import { expect, it } from 'vitest'
import { told } from './proof.ts'
import { World } from './world.ts'

it('a tenant gets the same ids whether or not there is another one before it', () => {
  const [with_, without] = [new World({ hasA: true }), new World({ hasA: false })]
  expect(told(with_.b.facts)).toEqual(told(without.b.facts))
  expect(with_.keptOf(with_.a!.tenantId).length).toBeGreaterThan(10)
  expect(without.keptOf(with_.a!.tenantId)).toEqual([])
})
