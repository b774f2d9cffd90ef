import { describe, expect, it } from 'vitest'
import { ErrorCode, errorName } from '../../src/base/error-code.ts'
import type { BrokerId, CellId, TenantId } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ControllerMachine } from '../../src/controller/machine.ts'
import { CellLoads, placePartitions } from '../../src/controller/placement.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type { ControllerRequest, NewTopic, Outcome } from '../../src/image/request.ts'
import { TimelineRegistry } from '../../src/machine/timeline.ts'

const CELL = 1 as CellId
const NOBODY = '' as TenantId

function controller(brokersPerCell: number, more: object = {}) {
  const registry = new TimelineRegistry()
  const settings = { cells: 1, brokersPerCell, defaultPartitions: 1, isReplicated: true, ...more }
  const machine = new ControllerMachine(registry, settings, { random: new SeededRandom(42) })
  const image = new MetadataImage()
  const append = (entries: readonly MetadataEntry[]) => {
    for (const entry of entries) {
      registry.replaying(image.offset)
      machine.replay(entry)
      image.apply(structuredClone(entry))
    }
  }
  append(machine.form())
  const tenantId = machine.state.tenants.byName.get('default')!
  const ask = (request: ControllerRequest, tenant = tenantId) => {
    const decision = machine.decide({ tenantId: tenant, request })
    append(decision.entries)
    return decision
  }
  const said = (name: string, response: ReturnType<typeof ask>['response']) => {
    const isOfTopics = response.kind === 'create-topics' || response.kind === 'create-partitions'
    if (!isOfTopics) throw new Error('another kind of answer')
    const results: readonly Outcome[] = response.results as readonly Outcome[]
    const { error, message } = results.find((one) => one.name === name)!
    return error === 0 ? 'NONE' : `${errorName(error)}: ${message}`
  }
  const create = (name: string, overrides: Partial<NewTopic> = {}) => {
    const usual = { partitions: -1, replicationFactor: -1, assignments: [], configs: [] }
    const topics = [{ name, ...usual, ...overrides }]
    return said(name, ask({ kind: 'create-topics', validateOnly: false, topics }).response)
  }
  const grow = (name: string, count: number, assignments: number[][] | null = null) => {
    const topics = [{ name, count, assignments }]
    return said(name, ask({ kind: 'create-partitions', validateOnly: false, topics }).response)
  }
  const lists = (name: string) => {
    const topic = image.topicByName(tenantId, name)!
    return Array.from({ length: topic.partitionCount }, (_, i) =>
      image.replicasOf(topic.numberOf(i as never)),
    )
  }
  const register = (brokerId: number, id: string, rack: string | null = null, cellId = 1) => {
    const directoryId = id.length === 1 ? id.repeat(32) : id
    const request = { kind: 'register-broker', cellId, brokerId, directoryId, rack } as const
    const { entries, response } = ask(request, NOBODY)
    if (response.kind !== 'register-broker') throw new Error('another kind of answer')
    return { entries, error: response.error, message: response.message }
  }
  const fill = (brokerId: number, id: string) => {
    const directoryId = id.repeat(32)
    return ask({ kind: 'directory-filled', cellId: 1, brokerId, directoryId }, NOBODY).entries
  }
  return { machine, registry, image, create, grow, lists, register, fill }
}

const assigned = (...nodes: readonly number[][]): Partial<NewTopic> => ({
  assignments: nodes.map((one, partition) => ({ partition, nodes: one })),
})
const tooMany = (asked: number, brokers: number) =>
  `INVALID_REPLICATION_FACTOR: Unable to replicate the partition ${asked} time(s): The target replication factor of ${asked} cannot be reached because only ${brokers} broker(s) are registered.`

describe('the replication factor', () => {
  it('is three by default where there are three brokers, else one', () => {
    for (const [brokers, made] of [
      [1, 1],
      [2, 1],
      [3, 3],
      [5, 3],
    ] as const) {
      const one = controller(brokers)
      expect(one.create('x')).toBe('NONE')
      expect(one.lists('x')[0]).toHaveLength(made)
      expect(one.create('asked', { replicationFactor: 1 })).toBe('NONE')
      expect(one.lists('asked')[0]).toHaveLength(1)
    }
    const two = controller(3, { brokerConfigs: { 'default.replication.factor': '2' } })
    two.create('x')
    expect(two.lists('x')[0]).toHaveLength(2)
  })

  it('is refused above the number of brokers, as in Kafka', () => {
    expect(controller(1).create('x', { replicationFactor: 3 })).toBe(tooMany(3, 1))
    expect(controller(3).create('x', { replicationFactor: 4 })).toBe(tooMany(4, 3))
    const defaults = controller(1, { brokerConfigs: { 'default.replication.factor': '3' } })
    expect(defaults.create('x')).toBe(tooMany(3, 1))
    for (const replicationFactor of [0, -2]) {
      expect(controller(3).create('x', { replicationFactor })).toMatch(
        /^INVALID_REPLICATION_FACTOR/,
      )
    }
  })

  it('may be below min.insync.replicas', () => {
    const configs = [{ name: 'min.insync.replicas', value: '3' }]
    expect(controller(3).create('x', { replicationFactor: 1, configs })).toBe('NONE')
  })

  it('is one whatever is asked for, while replication is not served', () => {
    const one = controller(1, { isReplicated: false })
    expect(one.create('x', { replicationFactor: 3 })).toBe('NONE')
    expect(one.lists('x')).toEqual([[1]])
    const three = controller(3, { isReplicated: false })
    expect(three.create('x', assigned([3, 1], [2, 3]))).toBe('NONE')
    expect(three.lists('x')).toEqual([[3], [2]])
  })

  it('of partitions that are added is that of the first', () => {
    const one = controller(3)
    expect(one.create('x', assigned([3, 1], [2, 3]))).toBe('NONE')
    expect(one.lists('x')).toEqual([
      [3, 1],
      [2, 3],
    ])
    expect(one.grow('x', 3)).toBe('NONE')
    expect(one.lists('x')[2]).toHaveLength(2)
    expect(one.lists('x')[2]![0]).toBe(1)
    expect(one.grow('x', 4, [[1, 2, 3]])).toContain('INVALID_REPLICA_ASSIGNMENT')
    expect(one.grow('x', 4, [[2, 1]])).toBe('NONE')
    expect(one.lists('x')[3]).toEqual([2, 1])
  })

  it('of manual assignments is the same for all, and their order is kept', () => {
    const one = controller(3)
    expect(one.create('x', assigned([3, 1, 2], [1, 2, 3]))).toBe('NONE')
    expect(one.lists('x')).toEqual([
      [3, 1, 2],
      [1, 2, 3],
    ])
    expect(one.create('y', assigned([3, 1], [1]))).toContain('not consistent with previous')
    expect(one.create('y', assigned([3, 3]))).toContain('includes the broker 3 more than once')
    expect(one.create('y', assigned([3, 4]))).toContain('includes broker 4, but no such broker')
  })

  it('that fewer have than the default is counted', () => {
    const one = controller(3)
    one.create('few', { replicationFactor: 1 })
    one.create('many')
    expect(one.machine.topicsBelowDefault()).toEqual({ topics: 1, replicas: 3 })
    const plain = controller(3, { isReplicated: false })
    plain.create('few')
    expect(plain.machine.topicsBelowDefault().topics).toBe(0)
  })
})

const place = (brokers: number, replicas: number, count: number, more: object = {}) =>
  placePartitions({ count, replicas, start: 0, loads: new CellLoads(brokers), ...more }).map(
    (one) => one.replicas,
  )
const times = (values: readonly number[]) => {
  const counts = new Map<number, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts.values()]
}
const spread = (values: readonly number[]) => Math.max(...values) - Math.min(...values)

describe('placement', () => {
  it.each([
    [3, 3],
    [3, 2],
    [4, 3],
    [5, 3],
    [7, 2],
    [16, 3],
  ])('over %i brokers, %i replicas: leaders, replicas and next in line are even', (n, r) => {
    const lists = place(n, r, n * (n - 1) * 4)
    for (const list of lists) expect(new Set(list).size).toBe(r)
    expect(spread(times(lists.map((list) => list[0]!)))).toBe(0)
    // the leaders come first
    expect(spread(times(lists.flat()))).toBeLessThanOrEqual(2)
    for (let lost = 1; lost <= n; lost++) {
      const next = times(lists.filter((list) => list[0] === lost).map((list) => list[1]!))
      expect(next.length).toBeGreaterThan(1)
      if (r === n) expect(spread(next)).toBeLessThanOrEqual(1)
    }
  })

  it('goes round when topics come one by one', () => {
    const one = controller(5)
    for (let i = 0; i < 60; i++) one.create(`t${i}`)
    const lists = Array.from({ length: 60 }, (_, i) => one.lists(`t${i}`)[0]!)
    expect(times(lists.map((list) => list[0]!))).toEqual([12, 12, 12, 12, 12])
    expect(spread(times(lists.flat()))).toBeLessThanOrEqual(1)
  })

  it('fills up where there is least', () => {
    const loads = new CellLoads(3)
    for (let i = 0; i < 9; i++) loads.add([1 as BrokerId])
    const lists = place(3, 2, 1, { loads })
    expect(lists).toEqual([[2, 3]])
    expect(loads.replicas).toEqual([0, 9, 0, 0])
  })

  it('puts replicas on as many racks as there are', () => {
    const racks = ['a', 'a', 'a', 'b', 'b', 'c']
    for (const list of place(6, 3, 60, { racks })) {
      expect(new Set(list.map((broker) => racks[broker - 1])).size).toBe(3)
    }
    const two = ['a', 'a', 'b', 'b']
    const lists = place(4, 3, 24, { racks: two })
    for (const list of lists) {
      expect(new Set(list.map((broker) => two[broker - 1])).size).toBe(2)
    }
    expect(times(lists.map((list) => list[0]!))).toEqual([6, 6, 6, 6])
    expect(spread(times(lists.flat()))).toBeLessThanOrEqual(2)
  })

  it('heeds racks only once every broker has one', () => {
    const one = controller(4)
    for (const [id, rack] of [
      [1, 'a'],
      [2, 'a'],
      [3, 'b'],
    ] as const) {
      one.register(id, String(id), rack)
    }
    expect(one.machine.state.racksOf(CELL, 4)).toBeNull()
    one.register(4, '4', 'b')
    expect(one.machine.state.racksOf(CELL, 4)).toEqual(['a', 'a', 'b', 'b'])
    one.create('x', { partitions: 8, replicationFactor: 2 })
    for (const list of one.lists('x')) expect(list.filter((id) => id <= 2)).toHaveLength(1)
  })
})

describe('a directory that is filled', () => {
  it('is so until the broker comes with another, and is said of the one that it has', () => {
    const one = controller(3)
    one.register(2, 'a')
    expect(one.fill(2, 'a')).toEqual([])
    one.create('x')
    expect(one.register(2, 'b').entries).toMatchObject([{ life: 1, isFilled: false }])
    expect(one.fill(2, 'a')).toEqual([])
    expect(one.fill(3, 'b')).toEqual([])
    expect(one.register(2, 'b', 'r').entries).toMatchObject([{ life: 1, isFilled: false }])
    one.create('y')
    const [filled] = one.fill(2, 'b')
    expect(filled).toMatchObject({ life: 1, rack: 'r', firstPartition: 2, isFilled: true })
    expect(one.fill(2, 'b')).toEqual([])
    expect(one.register(2, 'b').entries).toMatchObject([{ life: 1, isFilled: true }])
    expect(one.register(2, 'c').entries).toMatchObject([{ life: 2, isFilled: false }])
  })
})

describe('a broker that registers', () => {
  it('begins another life with another directory, and only then', () => {
    const one = controller(3)
    one.create('x', { partitions: 4 })
    const { entries } = one.register(2, 'a')
    expect(entries).toEqual([
      {
        ...{ kind: 'broker-directory', cellId: 1, brokerId: 2, directoryId: 'a'.repeat(32) },
        ...{ life: 0, firstPartition: 5, rack: null, isFilled: true },
      },
    ])
    expect(one.register(2, 'a').entries).toEqual([])
    expect(one.register(2, 'a', 'r').entries).toMatchObject([{ life: 0, rack: 'r' }])
    one.create('y')
    expect(one.register(2, 'b', 'r').entries).toMatchObject([{ life: 1, firstPartition: 6 }])
    expect(one.register(2, 'a', 'r').entries).toMatchObject([{ life: 2 }])
  })

  it('is refused when it is none of the cell, or its directory is nothing or another’s', () => {
    const one = controller(3)
    one.register(1, 'a')
    for (const refused of [
      one.register(0, 'b'),
      one.register(4, 'b'),
      one.register(1.5, 'b'),
      one.register(2, 'b', null, 2),
      one.register(2, 'B'),
      one.register(2, 'bb'),
      one.register(2, 'b', ''),
      one.register(2, 'b', 'x'.repeat(250)),
      one.register(2, 'a'),
    ]) {
      expect(refused).toMatchObject({ entries: [], error: ErrorCode.INVALID_REQUEST })
    }
    expect(one.register(2, 'a').message).toContain('which is that of broker 1')
  })

  it('is as before when the term is lost', () => {
    const one = controller(3)
    one.register(1, 'a')
    one.registry.commit(one.image.offset)
    one.register(1, 'b')
    one.registry.revert()
    expect(one.machine.state.brokers.get(65_537)).toMatchObject({ life: 0 })
    expect(one.register(1, 'b').entries).toMatchObject([{ life: 1 }])
  })
})
