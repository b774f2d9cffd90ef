import { afterEach, expect, it } from 'vitest'
import type { TenantId } from '../../src/base/ids.ts'
import type { FrontAgent } from '../../src/front/front-agent.ts'
import type { MetadataView } from '../../src/image/view.ts'
import type { OperatorAnswer } from '../../src/link/control.ts'
import type { KafkaListener } from '../../src/net/kafka-listener.ts'
import type { EngineSettings } from '../../src/server/options.ts'
import { TenantListeners } from '../../src/server/tenant-listeners.ts'
import { World } from '../net/connection-world.ts'

const open = new Set<KafkaListener>()
afterEach(() => {
  for (const listener of open) listener.stopAccepting()
})

it('the listener of a tenant goes with it, also where another tenant came at the same time', async () => {
  const tenants = new Map<string, string>([['acme', 'a']])
  const image = {
    offset: 1,
    tenant: (id: TenantId) => [...tenants.values()].find((one) => one === id),
    tenantByName: (name: string) =>
      tenants.has(name) ? { tenantId: tenants.get(name), clusterId: 'c' } : undefined,
    get tenantCount() {
      return tenants.size
    },
  }
  const agent = {
    connections: new World().set,
    addListener: (listener: KafkaListener) => open.add(listener),
    dropListener: (listener: KafkaListener) => {
      open.delete(listener)
      listener.stopAccepting()
    },
  }
  const answers: OperatorAnswer[] = []
  const listeners = new TenantListeners({
    agent: agent as unknown as FrontAgent,
    image: image as unknown as MetadataView,
    settings: { brokers: 2, kafkaAnonymous: 'auto' } as unknown as EngineSettings,
    answer: (_correlation, answer) => answers.push(answer),
    kick: () => {},
  })
  const ask = { kind: 'open-tenant', correlation: 1, name: 'acme', host: '127.0.0.1' } as const
  await listeners.onOpen(ask)
  expect(answers[0]!.opened!.ports).toHaveLength(2)
  listeners.prune()
  await new Promise(setImmediate)
  expect(open.size).toBe(1)
  tenants.delete('acme')
  tenants.set('emca', 'e')
  image.offset++
  listeners.prune()
  await new Promise(setImmediate)
  expect(open.size).toBe(0)
})
