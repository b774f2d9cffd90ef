import { expect, test } from 'vitest'
import type { BrokerId, CellId, PartitionNumber, TenantId, TopicId } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { TopicNames } from '../../src/controller/topic-names.ts'
import { newTopic, type TopicState } from '../../src/controller/topic-state.ts'
import { TimelineMap, TimelineRegistry } from '../../src/machine/timeline.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 400 : 60
const TENANTS = ['aaaaaaaaaaaaaaaa', 'bbbbbbbbbbbbbbbb'] as TenantId[]
/** More than are listed. */
const NAMES = Array.from({ length: 14 }, (_, i) => `t${i}`)

test(`names are those of a plain map, also where what was not committed is undone (${SEEDS} seeds)`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new SeededRandom(seed)
    const registry = new TimelineRegistry()
    const topics = new TimelineMap<TopicId, TopicState>(registry)
    const names = new TopicNames(registry, topics)
    let live = new Map<string, TopicState>()
    let committed = new Map(live)
    let offset = 0
    let ids = 0
    for (let step = 0; step < 300; step++) {
      const tenantId = TENANTS[random.below(2)]!
      const name = NAMES[random.below(NAMES.length)]!
      const there = live.get(`${tenantId}/${name}`)
      registry.replaying(offset++)
      if (there === undefined) {
        const topicId = (++ids).toString(16).padStart(32, '0') as TopicId
        const topic = newTopic({
          ...{ tenantId, topicId, name, internal: false, cellId: 1 as CellId, configs: {} },
          ...{ firstPartition: ids as PartitionNumber, replicas: [[1 as BrokerId]] },
        })
        topics.set(topicId, topic)
        names.add(topic)
        live.set(`${tenantId}/${name}`, topic)
      } else if (random.chance(0.6)) {
        topics.delete(there.topicId)
        names.remove(there)
        live.delete(`${tenantId}/${name}`)
      }
      if (random.chance(0.05)) {
        registry.commit(offset)
        committed = new Map(live)
      } else if (random.chance(0.02)) {
        registry.revert()
        live = new Map(committed)
        offset = registry.committed
      }
      expect(names.keyed).toBeLessThanOrEqual(live.size)
      for (const tenant of TENANTS) {
        const own = [...live.values()].filter((one) => one.tenantId === tenant)
        const found = [...names.of(tenant)].map(({ name: one }) => one).toSorted()
        expect(found, `seed ${seed}, step ${step}`).toEqual(own.map((one) => one.name).toSorted())
        for (const one of NAMES) {
          const found = names.get(tenant, one)?.topicId
          expect(found, `seed ${seed}, step ${step}`).toBe(live.get(`${tenant}/${one}`)?.topicId)
        }
      }
    }
  }
})

test('the topics of a tenant with few are found without a look at those of others', () => {
  const registry = new TimelineRegistry()
  const topics = new TimelineMap<TopicId, TopicState>(registry)
  const names = new TopicNames(registry, topics)
  registry.replaying(0)
  for (const [at, tenantId] of TENANTS.entries()) {
    const topicId = String(at).padStart(32, '0') as TopicId
    const topic = newTopic({
      ...{ tenantId, topicId, name: 't', internal: false, cellId: 1 as CellId, configs: {} },
      ...{ firstPartition: at as PartitionNumber, replicas: [[1 as BrokerId]] },
    })
    topics.set(topicId, topic)
    names.add(topic)
  }
  topics.values = () => {
    throw new Error('all topics were looked at')
  }
  expect([...names.of(TENANTS[0]!)].map(({ tenantId }) => tenantId)).toEqual([TENANTS[0]])
})
