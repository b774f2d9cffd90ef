/** Requests that were done already, by a controller that has gone without an answer: done once, and answered as if nothing had happened. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ControllerMachine } from '../../src/controller/machine.ts'
import type { ControllerRequest, NewTopic } from '../../src/image/request.ts'
import { TimelineRegistry } from '../../src/machine/timeline.ts'

const ID = 'aaaaaaaaaaaa4aaa8aaaaaaaaaaaaaaa'

function controller() {
  const registry = new TimelineRegistry()
  const settings = { cells: 1, brokersPerCell: 3, defaultPartitions: 1, isReplicated: true }
  const machine = new ControllerMachine(registry, settings, { random: new SeededRandom(42) })
  let offset = 0
  const append = (entries: Parameters<typeof machine.replay>[0][]) => {
    for (const entry of entries) {
      registry.replaying(offset++)
      machine.replay(entry)
    }
  }
  append([...machine.form()])
  const tenantId = machine.state.tenants.byName.get('default')!
  const ask = (request: ControllerRequest) => {
    const { entries, response } = machine.decide({ tenantId, request })
    append([...entries])
    return { entries, response }
  }
  const idOf = (name: string) => machine.state.topicByName(tenantId, name)?.topicId
  return { ask, idOf }
}

const topic = (name: string, overrides: Partial<NewTopic> = {}): NewTopic => ({
  ...{ name, partitions: 2, replicationFactor: -1, assignments: [] },
  ...{ configs: [{ name: 'retention.ms', value: '5' }], ...overrides },
})
const create = (...topics: NewTopic[]) =>
  ({ kind: 'create-topics', validateOnly: false, topics }) as const

describe('what is asked again', () => {
  it('CreateTopics: is told of the topic that it made, and refused one that another has made', () => {
    const { ask, idOf } = controller()
    const request = create(topic('made', { topicId: ID }))
    const first = ask(request)
    expect(idOf('made')).toBe(ID)
    expect(first.entries).toHaveLength(1)
    const again = ask(request)
    expect(again).toEqual({ entries: [], response: first.response })
    const other = ask(create(topic('made', { topicId: ID.replaceAll('a', 'b') })))
    expect(other.response).toMatchObject({ results: [{ error: ErrorCode.TOPIC_ALREADY_EXISTS }] })
    // an id is nobody's twice
    ask(create(topic('more', { topicId: ID })))
    expect([idOf('made'), idOf('more') === ID]).toEqual([ID, false])
  })

  it('DeleteTopics: is done, and leaves a topic of the same name alone that was made since', () => {
    const { ask, idOf } = controller()
    ask(create(topic('gone', { topicId: ID }), topic('stays')))
    const refs = [{ name: 'gone', knownId: ID }, { name: 'never' }]
    ask({ kind: 'delete-topics', topics: [{ name: 'gone', knownId: ID }] })
    ask(create(topic('gone')))
    const later = idOf('gone')
    const { entries, response } = ask({ kind: 'delete-topics', topics: refs, isRepeat: true })
    expect([entries, idOf('gone')]).toEqual([[], later])
    expect(response).toMatchObject({
      results: [
        { name: 'gone', topicId: ID, error: ErrorCode.NONE },
        { name: 'never', error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
      ],
    })
    // not done before: now it is
    const stays = { name: 'stays', knownId: idOf('stays')! }
    const done = ask({ kind: 'delete-topics', topics: [stays], isRepeat: true })
    expect(done.entries).toMatchObject([{ kind: 'topic-deleted', topicId: stays.knownId }])
    const byId = { topicId: stays.knownId, knownId: stays.knownId }
    expect(ask({ kind: 'delete-topics', topics: [byId], isRepeat: true }).response).toMatchObject({
      results: [{ topicId: stays.knownId, error: ErrorCode.NONE }],
    })
    expect(ask({ kind: 'delete-topics', topics: [byId] }).response).toMatchObject({
      results: [{ error: ErrorCode.UNKNOWN_TOPIC_ID }],
    })
  })

  it('CreatePartitions: is done where there are as many as it asked for', () => {
    const { ask } = controller()
    ask(create(topic('t')))
    const more = (count: number, isRepeat: boolean) =>
      ask({
        ...{ kind: 'create-partitions', validateOnly: false, isRepeat },
        topics: [{ name: 't', count, assignments: null }],
      } as const)
    expect(more(3, false).entries).toHaveLength(1)
    const again = more(3, true)
    expect(again.entries).toEqual([])
    expect(again.response).toMatchObject({ results: [{ error: ErrorCode.NONE }] })
    expect(more(3, false).response).toMatchObject({
      results: [{ error: ErrorCode.INVALID_PARTITIONS }],
    })
    expect(more(2, true).response).toMatchObject({
      results: [{ error: ErrorCode.INVALID_PARTITIONS }],
    })
  })

  it('AlterPartitionReassignments: undoes what is not under way any more', () => {
    const { ask } = controller()
    ask(create(topic('t')))
    const undo = (isRepeat: boolean) =>
      ask({
        ...{ kind: 'alter-reassignments', allowReplicationFactorChange: true, isRepeat },
        topics: [{ name: 't', partitions: [{ index: 0, replicas: null }] }],
      } as const).response
    const said = (error: number) => ({ topics: [{ partitions: [{ error }] }] })
    expect(undo(true)).toMatchObject(said(ErrorCode.NONE))
    expect(undo(false)).toMatchObject(said(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS))
  })
})
