/** What hostile frames may name: topics, producer ids and fetch sessions that exist, made anew now and then. */
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { fetch as fetchApi } from '../../src/protocol/01-fetch.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { joinGroup } from '../../src/protocol/11-join-group.ts'
import { syncGroup } from '../../src/protocol/14-sync-group.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { initProducerId } from '../../src/protocol/22-init-producer-id.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { fetchRequest, Wire } from '../clients/wire.ts'
import type { World } from './frames.ts'

const STANDING = [
  { name: 'hostile-plain', configs: [] },
  { name: 'hostile-compact', configs: [{ name: 'cleanup.policy', value: 'compact' }] },
  { name: 'hostile-gzip', configs: [{ name: 'compression.type', value: 'gzip' }] },
]

const NO_OPERATIONS = {
  includeClusterAuthorizedOperations: false,
  includeTopicAuthorizedOperations: false,
}

/** What hostile requests make is drawn from few names, or the test would measure how many topics fit. */
const MADE = ['hostile-made-1', 'hostile-made-2', 'hostile-made-3']

const GROUP = 'hostile-group-live'

export interface Member {
  readonly memberId: string
}

/** A member of a group that is stable, for requests that get beyond "who are you"; takes the group's first delay. */
export async function joinGroupOnce(bootstrap: string): Promise<Member> {
  const wire = await Wire.open(bootstrap)
  const joined = await wire.request(joinGroup, 3, {
    ...{ groupId: GROUP, memberId: '', protocolType: 'consumer', reason: null },
    ...{ sessionTimeoutMs: 300_000, rebalanceTimeoutMs: 300_000, groupInstanceId: null },
    protocols: [{ name: 'range', metadata: Buffer.alloc(4) }],
  })
  const { memberId, generationId } = joined
  const synced = await wire.request(syncGroup, 2, {
    ...{ groupId: GROUP, memberId, generationId, groupInstanceId: null },
    assignments: [{ memberId, assignment: Buffer.alloc(4) }],
    ...{ protocolType: null, protocolName: null },
  })
  if (joined.errorCode !== 0 || synced.errorCode !== 0) {
    throw new Error(`cannot join: ${joined.errorCode}, ${synced.errorCode}`)
  }
  wire.close()
  return { memberId }
}

export async function makeWorld(bootstrap: string, member: Member | null = null): Promise<World> {
  const wire = await Wire.open(bootstrap)
  const topics = STANDING.map(({ name, configs }) => ({
    ...{ name, configs, numPartitions: 3, replicationFactor: 1, assignments: [] },
  }))
  await wire.request(createTopics, 5, { topics, timeoutMs: 10_000 })
  const names = STANDING.map(({ name }) => name)
  const asked = names.map((name) => ({ name, topicId: ZERO_TOPIC_ID }))
  const described = await wire.request(metadata, 12, {
    ...{ topics: asked, allowAutoTopicCreation: false, ...NO_OPERATIONS },
  })
  const batch = buildBatch([
    { timestampMs: Date.now(), key: Buffer.from('k'), value: Buffer.alloc(9) },
  ])
  for (const name of names) for (let i = 0; i < 3; i++) await wire.produce(name, i, batch)
  const producerIds: number[] = []
  const sessionIds: number[] = [0]
  for (let i = 0; i < 3; i++) {
    const producer = await wire.request(initProducerId, 4, {
      ...{ transactionalId: null, transactionTimeoutMs: 1_000, producerId: -1, producerEpoch: -1 },
    })
    producerIds.push(producer.producerId)
    const session = await wire.request(fetchApi, 11, {
      ...fetchRequest('hostile-plain', i, 0, 1 << 20),
      ...{ sessionId: 0, sessionEpoch: 0, maxWaitMs: 0 },
    })
    if (session.sessionId !== 0) sessionIds.push(session.sessionId)
  }
  wire.close()
  return {
    names: {
      topicName: [...names, ...names, ...MADE, 'no-such-topic'],
      configResource: [...names, 'no-such-topic', '99'],
      configName: ['retention.ms', 'cleanup.policy', 'max.message.bytes', 'no.such.config'],
      groupId: ['hostile-group-1', 'hostile-group-2', GROUP],
      coordinatorKey: ['hostile-group-1', 'hostile-group-2'],
      memberId: ['', 'no-such-member', ...(member === null ? [] : [member.memberId])],
      clientSoftware: ['hostile', '1.0'],
    },
    topicIds: described.topics.map(({ topicId }) => topicId),
    producerIds,
    sessionIds,
  }
}

/** Deletes all topics but the probe's. */
export async function clearWorld(bootstrap: string): Promise<number> {
  const wire = await Wire.open(bootstrap)
  const { topics } = await wire.request(metadata, 5, {
    topics: null,
    allowAutoTopicCreation: false,
    ...NO_OPERATIONS,
  })
  const topicNames = topics.map(({ name }) => name!).filter((name) => name !== 'probe')
  await wire.request(deleteTopics, 5, { topicNames, topics: [], timeoutMs: 10_000 } as never)
  wire.close()
  return topicNames.length
}
