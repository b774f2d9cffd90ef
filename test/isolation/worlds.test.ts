import { expect, it } from 'vitest'
import { Operator } from '../front/tenants.ts'
import { photograph, told } from './proof.ts'
import { World } from './world.ts'

it('a tenant gets the same ids whether or not there is another one before it', () => {
  const [with_, without] = [new World({ hasA: true }), new World({ hasA: false })]
  expect(told(with_.b.facts)).toEqual(told(without.b.facts))
  expect(with_.keptOf(with_.a!.tenantId).length).toBeGreaterThan(10)
  expect(without.keptOf(with_.a!.tenantId)).toEqual([])
})

it('a tenant sees nothing of another one that is deleted', () => {
  const [with_, without] = [new World({ hasA: true }), new World({ hasA: false })]
  const poll = with_.b.polls[0]!
  new Operator(with_.harness).ask(with_.a!.tenantId, { kind: 'delete-tenant' })
  for (const world of [with_, without]) world.harness.pass(60_000, 1_000)
  expect(with_.a!.polls.every(({ client }) => client.closed)).toBe(true)
  expect(with_.keptOf(with_.a!.tenantId)).toEqual([])
  expect([poll.client.closed, poll.client.frame(poll.correlation)]).toEqual([false, undefined])
  expect(photograph(with_.b)).toEqual(photograph(without.b))
})
