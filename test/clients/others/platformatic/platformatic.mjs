// @platformatic/kafka produces, consumes, joins groups and uses its admin calls. Usage: node platformatic.mjs BOOTSTRAP[,…] PREFIX
import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  Admin,
  Consumer,
  cooperativeStickyAssigner,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'
import { step, until } from '../step.mjs'

const [bootstrap, prefix] = process.argv.slice(2)
const common = { bootstrapBrokers: bootstrap.split(','), clientId: `${prefix}-client`, retries: 3 }
const topic = `${prefix}-topic`
const PARTITIONS = 4
const RECORDS = 400
const TOPIC = 2
const BROKER = 4
const GROUP = 32
const [SET, DELETE, APPEND, SUBTRACT] = [0, 1, 2, 3]

const admin = new Admin(common)
/** All texts of an error and what it is made of. */
const textOf = (error) => {
  const { message, apiId = '', serverErrorMessage = '', errors = [], cause } = error
  const inner = [...errors, ...(cause === undefined ? [] : [cause])].map(textOf)
  return [`${message} ${apiId} ${serverErrorMessage}`, ...inner].join('; ')
}
const refused = async (promise, pattern) => {
  const error = await promise.then(
    () => null,
    (found) => found,
  )
  assert(error !== null, 'it is refused')
  assert.match(textOf(error), pattern)
  return textOf(error)
}
/** As `refused`, for what the engine does not have yet: shows what the user is told. */
const notYet = async (what, promise, pattern) =>
  console.log(`   ${what}: ${(await refused(promise, pattern)).replaceAll(/\s+/g, ' ')}`)

async function produce(first, count) {
  const producer = new Producer({ ...common, serializers: stringSerializers, idempotent: true })
  for (let from = first; from < first + count; from += 100) {
    const messages = Array.from({ length: 100 }, (_, i) => ({
      topic,
      partition: (from + i) % PARTITIONS,
      key: `key ${from + i}`,
      value: `${from + i}`,
      headers: { from: 'platformatic' },
    }))
    await producer.send({ messages, acks: -1 })
  }
  await producer.close()
}

/** A member that commits what it reads. */
async function startMember(groupId, extra = {}) {
  const consumer = new Consumer({
    ...common,
    groupId,
    deserializers: stringDeserializers,
    sessionTimeout: 6_000,
    rebalanceTimeout: 6_000,
    heartbeatInterval: 200,
    maxWaitTime: 50,
    ...extra,
  })
  const stream = await consumer.consume({
    topics: [topic],
    autocommit: 100,
    mode: 'committed',
    fallbackMode: 'earliest',
  })
  const values = []
  stream.on('data', ({ value, headers }) => {
    assert.equal(headers.get('from'), 'platformatic')
    values.push(value)
  })
  stream.on('error', (error) => values.push(`error ${textOf(error)}`))
  const partitions = () =>
    (consumer.assignments ?? []).flatMap((assigned) => assigned.partitions).sort()
  const end = async () => {
    const closed = once(stream, 'close')
    await stream.close()
    await closed.catch(() => {})
    await consumer.close(true)
  }
  return { values, partitions, end }
}

const allOf = (first, count, ...members) => {
  const seen = new Set(members.flatMap(({ values }) => values))
  return Array.from({ length: count }, (_, i) => `${first + i}`).every((value) => seen.has(value))
}
const isShared = (...members) =>
  members.every(({ partitions }) => partitions().length === PARTITIONS / members.length) &&
  new Set(members.flatMap(({ partitions }) => partitions())).size === PARTITIONS

async function committedOf(groupId) {
  const [{ topics }] = await admin.listConsumerGroupOffsets({ groups: [groupId] })
  return (topics[0]?.partitions ?? [])
    .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
    .map(({ committedOffset }) => Number(committedOffset))
}

async function shareAGroup(groupId, first, extra) {
  const one = await startMember(groupId, extra)
  await until('all partitions', () => isShared(one))
  await until('all records', () => allOf(0, first, one))
  const two = await startMember(groupId, extra)
  await until('a share each', () => isShared(one, two))
  const group = (await admin.describeGroups({ groups: [groupId] })).get(groupId)
  assert.equal(group.state, 'Stable')
  assert.equal(group.members.size, 2)
  await produce(first, RECORDS)
  await until('the next records', () => allOf(first, RECORDS, one, two))
  await one.end()
  await until('all partitions of who left', () => isShared(two))
  await until('all committed', async () => {
    const sum = (await committedOf(groupId)).reduce((total, offset) => total + offset, 0)
    return sum === first + RECORDS
  })
  await two.end()
}

await step('create, list and describe topics', async () => {
  const configs = [{ name: 'retention.ms', value: '86400000' }]
  const [created] = await admin.createTopics({
    topics: [topic],
    partitions: 2,
    replicas: 1,
    configs,
  })
  assert.equal(created.partitions, 2)
  await refused(admin.createTopics({ topics: [topic], partitions: 2, replicas: 1 }), /exists/i)
  assert((await admin.listTopics()).includes(topic))
  const { topics, brokers } = await admin.metadata({ topics: [topic], forceUpdate: true })
  assert.equal(topics.get(topic).id, created.id)
  assert(brokers.size > 0)
})
await step('add partitions', async () => {
  await admin.createPartitions({ topics: [{ name: topic, count: PARTITIONS, assignments: null }] })
  await refused(
    admin.createPartitions({ topics: [{ name: topic, count: 1, assignments: null }] }),
    /partitions/i,
  )
})
await step('produce idempotently', () => produce(0, RECORDS))
await step('consume without a group', async () => {
  const consumer = new Consumer({
    ...common,
    groupId: `${prefix}-none`,
    deserializers: stringDeserializers,
  })
  const ends = await consumer.listOffsets({ topics: [topic] })
  assert.deepEqual(ends.get(topic).map(Number), Array(PARTITIONS).fill(RECORDS / PARTITIONS))
  await consumer.close()
})
await step('a group of two', () => shareAGroup(`${prefix}-eager`, RECORDS))
await step('a cooperative group of two', () =>
  shareAGroup(`${prefix}-cooperative`, 2 * RECORDS, {
    protocols: [{ name: 'cooperative-sticky', version: 1 }],
    partitionAssigner: cooperativeStickyAssigner,
  }),
)
await step('list offsets', async () => {
  const at = async (timestamp) => {
    const topics = [{ name: topic, partitions: [{ partitionIndex: 1, timestamp }] }]
    const [found] = await admin.listOffsets({ topics })
    return Number(found.partitions[0].offset)
  }
  assert.equal(await at(-2n), 0)
  assert.equal(await at(-1n), (3 * RECORDS) / PARTITIONS)
  assert.equal(await at(1n), 0)
  assert((await at(-3n)) > 0)
})
await step('describe and alter configs of topics, brokers and groups', async () => {
  const configOf = async (resourceType, resourceName, name) => {
    const resources = [{ resourceType, resourceName, configurationKeys: [name] }]
    const [{ configs }] = await admin.describeConfigs({ resources, includeSynonyms: true })
    return configs[0].value
  }
  const alter = (resourceType, resourceName, name, configOperation, value) =>
    admin.incrementalAlterConfigs({
      resources: [{ resourceType, resourceName, configs: [{ name, configOperation, value }] }],
    })
  assert.equal(await configOf(TOPIC, topic, 'retention.ms'), '86400000')
  await alter(TOPIC, topic, 'cleanup.policy', APPEND, 'compact')
  assert.equal(await configOf(TOPIC, topic, 'cleanup.policy'), 'delete,compact')
  await alter(TOPIC, topic, 'cleanup.policy', SUBTRACT, 'compact')
  assert.equal(await configOf(TOPIC, topic, 'cleanup.policy'), 'delete')
  await alter(TOPIC, topic, 'retention.ms', DELETE, null)
  assert.equal(await configOf(TOPIC, topic, 'retention.ms'), '604800000')
  await refused(alter(TOPIC, topic, 'no.such.config', SET, '1'), /no\.such\.config/)
  await admin.alterConfigs({
    resources: [
      {
        resourceType: TOPIC,
        resourceName: topic,
        configs: [{ name: 'flush.messages', value: '10' }],
      },
    ],
  })
  assert.equal(await configOf(TOPIC, topic, 'flush.messages'), '10')
  await alter(BROKER, '1', 'message.max.bytes', SET, '2000000')
  assert.equal(await configOf(BROKER, '1', 'message.max.bytes'), '2000000')
  await alter(BROKER, '1', 'message.max.bytes', DELETE, null)
  assert(Number(await configOf(BROKER, '1', 'num.partitions')) > 0)
  await alter(GROUP, `${prefix}-eager`, 'consumer.session.timeout.ms', SET, '50000')
  assert.equal(await configOf(GROUP, `${prefix}-eager`, 'consumer.session.timeout.ms'), '50000')
})
await step('list groups, by state too', async () => {
  const names = async (options) =>
    [...(await admin.listGroups(options)).keys()].filter((id) => id.startsWith(prefix)).sort()
  const both = [`${prefix}-cooperative`, `${prefix}-eager`]
  assert.deepEqual(await names(), both)
  assert.deepEqual(await names({ states: ['Empty'] }), both)
  assert.deepEqual(await names({ states: ['Stable'] }), [])
  assert.deepEqual(await names({ types: ['classic'] }), both)
})
await step("alter and delete a group's offsets", async () => {
  const groupId = `${prefix}-eager`
  const before = await committedOf(groupId)
  const partitionOffsets = [{ partition: 2, offset: 5n }]
  await admin.alterConsumerGroupOffsets({ groupId, topics: [{ name: topic, partitionOffsets }] })
  assert.deepEqual(await committedOf(groupId), before.with(2, 5))
  const topics = [{ name: topic, partitionIndexes: [2] }]
  await admin.deleteConsumerGroupOffsets({ groupId, topics })
  assert.deepEqual(await committedOf(groupId), before.toSpliced(2, 1))
})
await step('remove the members of a group', async () => {
  const groupId = `${prefix}-removed`
  const member = await startMember(groupId)
  await until('all partitions', () => isShared(member))
  await refused(admin.deleteGroups({ groups: [groupId] }), /NON_EMPTY|not empty/i)
  await admin.removeMembersFromConsumerGroup({ groupId })
  // it joins again as soon as it hears of it
  await member.end()
  await admin.deleteGroups({ groups: [groupId] })
})
await step('find the coordinator of a group', async () => {
  const [{ key, port }] = await admin.findCoordinator({ keyType: 0, keys: [`${prefix}-eager`] })
  assert.equal(key, `${prefix}-eager`)
  assert(port > 0)
})
await step('delete records', async () => {
  const wanted = (offset) =>
    admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset }] }] })
  const [{ partitions }] = await wanted(7n)
  assert.equal(Number(partitions[0].lowWatermark), 7)
  await refused(wanted(1_000_000n), /range/i)
})
await step(
  'what is not there yet is refused by name: KIP-848 groups, transactions, quotas',
  async () => {
    const consumer = new Consumer({
      ...common,
      groupId: `${prefix}-848`,
      groupProtocol: 'consumer',
    })
    await notYet(
      'KIP-848',
      consumer.consume({ topics: [topic] }),
      /ConsumerGroupHeartbeat|unsupported/i,
    )
    await consumer.close(true)
    const producer = new Producer({ ...common, transactionalId: `${prefix}-id`, idempotent: true })
    await notYet('transactions', producer.beginTransaction(), /transaction/i)
    await producer.close(true)
    await refused(
      admin.describeClientQuotas({ components: [] }),
      /DescribeClientQuotas|unsupported/i,
    )
  },
)
await step('delete groups and topics', async () => {
  await admin.deleteGroups({ groups: [`${prefix}-eager`, `${prefix}-cooperative`] })
  await admin.deleteTopics({ topics: [topic] })
  await refused(admin.deleteTopics({ topics: [topic] }), /UNKNOWN_TOPIC|does not/i)
})
await admin.close()
process.exit(0)
