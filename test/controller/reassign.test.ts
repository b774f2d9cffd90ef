import { describe, expect, it } from 'vitest'
import { errorName } from '../../src/base/error-code.ts'
import type { BrokerId, CellId, PartitionIndex } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { replicaIdOf } from '../../src/base/replica-id.ts'
import { ControllerMachine } from '../../src/controller/machine.ts'
import { applyMetadata } from '../../src/image/apply-metadata.ts'
import type { MetadataEntry } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type { ControllerRequest } from '../../src/image/request.ts'
import { snapshotMessages } from '../../src/image/snapshot.ts'
import { TimelineRegistry } from '../../src/machine/timeline.ts'

const CELL = 1 as CellId

/** Whoever joins now has the same. */
function expectSameAnew(image: MetadataImage): void {
  const anew = new MetadataImage()
  for (const message of snapshotMessages(image, 1)) applyMetadata(anew, structuredClone(message))
  expect(anew.hash()).toBe(image.hash())
  for (const number of image.partitionNumbers()) {
    expect(anew.replicasOf(number)).toEqual(image.replicasOf(number))
    expect(anew.holdersOf(number)).toEqual(image.holdersOf(number))
    for (const broker of image.holdersOf(number)) {
      const generation = image.joinGenerationOf(number, broker)
      expect(anew.joinGenerationOf(number, broker)).toBe(generation)
    }
    expect(anew.isReplicated(number)).toBe(image.isReplicated(number))
    expect(anew.firstReplicaIds(number)).toEqual(image.firstReplicaIds(number))
    expect(anew.reassignmentOf(number)).toEqual(image.reassignmentOf(number))
  }
  expect(anew.movingPartitions()).toEqual(image.movingPartitions())
}

/** A controller over six brokers, and the image of what it has decided. */
function world() {
  const registry = new TimelineRegistry()
  const settings = { cells: 1, brokersPerCell: 6, defaultPartitions: 1, isReplicated: true }
  const machine = new ControllerMachine(registry, settings, { random: new SeededRandom(42) })
  const image = new MetadataImage()
  const append = (entries: readonly MetadataEntry[]) => {
    for (const entry of entries) {
      registry.replaying(image.offset)
      machine.replay(structuredClone(entry))
      image.apply(structuredClone(entry))
    }
    expectSameAnew(image)
  }
  append(machine.form())
  const tenantId = machine.state.tenants.byName.get('default')!
  const ask = (request: ControllerRequest) => {
    const decision = machine.decide({ tenantId, request })
    append(decision.entries)
    return decision
  }
  const create = (name: string, ...assignments: readonly number[][]) => {
    ask({
      kind: 'create-topics',
      validateOnly: false,
      topics: [
        {
          ...{ name, partitions: -1, replicationFactor: -1, configs: [] },
          assignments: assignments.map((nodes, partition) => ({ partition, nodes })),
        },
      ],
    })
    return numberOf(name)
  }
  const topicOf = (name: string) => image.topicByName(tenantId, name)!
  const numberOf = (name: string, index = 0) => topicOf(name).numberOf(index as PartitionIndex)
  const alter = (name: string, replicas: readonly number[] | null, more: object = {}): string => {
    const {
      index = 0,
      allowsChange = true,
      ...rest
    } = more as {
      index?: number
      allowsChange?: boolean
      leftOn?: readonly number[]
    }
    const { response } = ask({
      kind: 'alter-reassignments',
      allowReplicationFactorChange: allowsChange,
      topics: [{ name, partitions: [{ index, replicas, ...rest }] }],
    })
    if (response.kind !== 'alter-reassignments') throw new Error('another kind of answer')
    const { error, message } = response.topics[0]!.partitions[0]!
    return message === null ? errorName(error) : `${errorName(error)}: ${message}`
  }
  const list = (topics: { name: string; indexes: number[] }[] | null = null) => {
    const { response } = ask({ kind: 'list-reassignments', topics })
    if (response.kind !== 'list-reassignments') throw new Error('another kind of answer')
    return response.topics
  }
  const settle = (name: string, replicas: readonly number[], generation?: number) =>
    ask({
      kind: 'replicas-settled',
      topicId: topicOf(name).topicId,
      index: 0,
      generation: generation ?? image.moveGenerationOf(numberOf(name)),
      replicas,
    }).entries.length
  return { machine, image, ask, create, alter, list, settle, numberOf, tenantId }
}

describe('AlterPartitionReassignments', () => {
  it('tells of what is under way until the leader says that it is done', () => {
    const { image, create, alter, list, settle, machine } = world()
    const number = create('x', [1, 2, 3])
    expect(alter('x', [3, 4, 5])).toBe('NONE')
    expect(image.replicasOf(number)).toEqual([3, 4, 5, 1, 2])
    expect(image.wantedReplicasOf(number)).toEqual([3, 4, 5])
    const ongoing = { index: 0, replicas: [3, 4, 5, 1, 2], adding: [4, 5], removing: [1, 2] }
    expect(list()).toEqual([{ name: 'x', partitions: [ongoing] }])
    expect(list([{ name: 'x', indexes: [0, 7] }])).toEqual([{ name: 'x', partitions: [ongoing] }])
    expect(list([{ name: 'y', indexes: [0] }])).toEqual([])
    expect(image.leaderOf(number)).toBe(1)
    // a step on the way is not the end of it
    expect(settle('x', [1, 2, 3, 4])).toBe(0)
    expect(settle('x', [5, 4, 3])).toBe(1)
    expect(image.replicasOf(number)).toEqual([3, 4, 5])
    expect(image.leaderOf(number)).toBe(3)
    expect(list()).toEqual([])
    expect(settle('x', [5, 4, 3])).toBe(0)
    const loads = [1, 2, 3, 4, 5].map((id) => machine.state.loadOf(CELL, id as BrokerId))
    expect(loads).toEqual([0, 0, 1, 1, 1])
  })

  it('moves nothing that nobody can lead, and says why; what was begun is undone', () => {
    const { image, create, alter, list } = world()
    const number = create('x', [1, 2, 3])
    expect(alter('nowhere', [1], { leftOn: [1] })).toMatch(/^UNKNOWN_TOPIC_OR_PARTITION/)
    const refused =
      /^ELIGIBLE_LEADERS_NOT_AVAILABLE: Nobody can lead x-0, .* \(on broker 1 and broker 2\)/
    expect(alter('x', [1, 4, 5], { leftOn: [1, 2] })).toMatch(refused)
    expect(alter('x', [1, 4, 5], { leftOn: [] })).toMatch(/is left \(nowhere\) may lack/)
    expect(list()).toEqual([])
    expect(image.moveGenerationOf(number)).toBe(0)
    expect(alter('x', [1, 4, 5])).toBe('NONE')
    expect(alter('x', [1, 2], { leftOn: [1] })).toMatch(/^ELIGIBLE_LEADERS_NOT_AVAILABLE/)
    expect(alter('x', null, { leftOn: [1] })).toBe('NONE')
    expect(image.replicasOf(number)).toEqual([1, 2, 3])
  })

  it('has whoever is given a replica again hold another one than before', () => {
    const { image, create, alter, settle } = world()
    const number = create('x', [1, 2, 3])
    const joined = () =>
      [1, 2, 3, 4].map((broker) => image.joinGenerationOf(number, broker as BrokerId)).join()
    alter('x', [1, 3, 4])
    expect(joined()).toBe('0,0,0,1')
    // it may still have what it was given
    alter('x', null)
    alter('x', [1, 2, 3, 4])
    expect(joined()).toBe('0,0,0,1')
    settle('x', [1, 2, 3, 4])
    alter('x', [1, 3, 4])
    settle('x', [1, 3, 4])
    alter('x', [1, 2, 3])
    expect(image.moveGenerationOf(number)).toBe(7)
    expect(joined()).toBe('0,7,0,1')
    settle('x', [1, 2, 3])
    alter('x', [4, 2])
    expect(joined()).toBe('0,7,0,9')
  })

  it('refuses in the words of Kafka', () => {
    const { create, alter } = world()
    create('x', [1, 2, 3])
    expect(alter('y', [1])).toBe('UNKNOWN_TOPIC_OR_PARTITION: Unable to find a topic named y.')
    expect(alter('x', [1], { index: 1 })).toBe(
      'UNKNOWN_TOPIC_OR_PARTITION: Unable to find partition x:1.',
    )
    const invalid = 'INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes'
    expect(alter('x', [])).toBe(`${invalid} an empty replica list.`)
    expect(alter('x', [1, 2, 7])).toBe(`${invalid} broker 7, but no such broker is registered.`)
    expect(alter('x', [1, 2, 2])).toBe(`${invalid} the broker 2 more than once.`)
    // no words but the code's own
    expect(alter('x', null)).toBe('NO_REASSIGNMENT_IN_PROGRESS')
    expect(alter('x', [1, 2], { allowsChange: false })).toBe(
      'INVALID_REPLICATION_FACTOR: The replication factor is changed from 3 to 2',
    )
    expect(alter('x', [4, 5, 6], { allowsChange: false })).toBe('NONE')
  })

  it('undoes, and keeps in mind who may hold a replica until the leader has removed it', () => {
    const { image, create, alter, list, settle, numberOf } = world()
    const number = create('x', [1, 2, 3])
    alter('x', [4, 5])
    const generation = image.moveGenerationOf(number)
    expect(alter('x', null)).toBe('NONE')
    expect(list()).toEqual([])
    expect(image.replicasOf(number)).toEqual([1, 2, 3])
    expect(image.holdersOf(number)).toEqual([1, 2, 3, 4, 5])
    expect([...image.movingPartitions()]).toEqual([numberOf('x')])
    expect(alter('x', null)).toMatch(/^NO_REASSIGNMENT_IN_PROGRESS/)
    // said before it was undone
    expect(settle('x', [1, 2, 3], generation)).toBe(0)
    expect(settle('x', [1, 2, 3])).toBe(1)
    expect(image.holdersOf(number)).toEqual([1, 2, 3])
    expect(image.movingPartitions().size).toBe(0)
    expect(image.firstReplicaIds(number)).toHaveLength(3)
  })

  it('goes to the last of several targets', () => {
    const { image, create, alter, settle } = world()
    const number = create('x', [1, 2, 3])
    alter('x', [4, 5, 6])
    expect(alter('x', [2, 6])).toBe('NONE')
    expect(image.replicasOf(number)).toEqual([2, 6, 1, 3, 4, 5])
    expect(image.reassignmentOf(number)).toEqual({
      ...{ adding: [6], removing: [1, 3, 4, 5], target: [2, 6] },
    })
    expect(settle('x', [4, 5, 6])).toBe(0)
    expect(settle('x', [6, 2])).toBe(1)
    expect(image.holdersOf(number)).toEqual([2, 6])
  })

  it('changes another order at once, and nothing where nothing is asked for', () => {
    const { image, create, alter, ask } = world()
    const number = create('x', [1, 2, 3])
    alter('x', [3, 1, 2])
    expect(image.replicasOf(number)).toEqual([3, 1, 2])
    expect(image.movingPartitions().size).toBe(0)
    const { entries } = ask({
      ...{ kind: 'alter-reassignments', allowReplicationFactorChange: true },
      topics: [{ name: 'x', partitions: [{ index: 0, replicas: [3, 1, 2] }] }],
    })
    expect(entries).toEqual([])
  })

  it('is forgotten with its topic', () => {
    const { image, create, alter, list, ask, settle } = world()
    create('x', [1, 2, 3])
    alter('x', [4, 5, 6])
    ask({ kind: 'delete-topics', topics: [{ name: 'x' }] })
    expect(list()).toEqual([])
    expect(image.movingPartitions().size).toBe(0)
    const again = create('x', [1, 2, 3])
    expect(image.replicasOf(again)).toEqual([1, 2, 3])
    expect(settle('x', [4, 5, 6])).toBe(0)
  })
})

describe('a partition that began with one replica', () => {
  it('is a group’s for ever once it was to get more', () => {
    const { image, create, alter, settle, ask, tenantId } = world()
    for (const directoryId of ['a', 'b']) {
      const register = { kind: 'register-broker', cellId: CELL, brokerId: 2, rack: null } as const
      ask({ ...register, directoryId: directoryId.repeat(32) })
    }
    const number = create('x', [2])
    expect(image.isReplicated(number)).toBe(false)
    // told to fronts before they know that it is a group's
    expect(image.noteLeader(number, { leader: 2 as BrokerId, leaderEpoch: 1, isr: [] })).toBe(false)
    expect(image.leaderEpochOf(number)).toBe(0)
    alter('x', [2, 3, 4])
    expect(image.isReplicated(number)).toBe(true)
    expect(image.leaderEpochOf(number)).toBe(1)
    expect(image.firstReplicaIds(number)).toEqual([replicaIdOf(2 as BrokerId, 1)])
    expect(settle('x', [2, 3, 4])).toBe(1)
    expect(image.firstReplicaIds(number)).toEqual([])
    alter('x', [2])
    settle('x', [2])
    expect(image.replicasOf(number)).toEqual([2])
    expect(image.isReplicated(number)).toBe(true)
    expect(image.firstReplicaIds(number)).toEqual([])
    expect(image.tenant(tenantId)!.partitionCount).toBe(1)
  })
})
