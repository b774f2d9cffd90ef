// librdkafka joins groups (eager and cooperative, with a rebalance and commits) and uses every admin call that its binding has.
// Usage: node group-and-admin.mjs BOOTSTRAP PREFIX (of the topics and groups that it makes). Prints a line per step; ends with 1 at the
// first that fails.
import assert from 'node:assert/strict'
import kafka from '@confluentinc/kafka-javascript'

const [bootstrap, prefix] = process.argv.slice(2)
const common = { 'bootstrap.servers': bootstrap }
const { ERR__ASSIGN_PARTITIONS } = kafka.CODES.ERRORS
const PARTITIONS = 4
const RECORDS = 400

/** Calls `target[method](...args, callback)`. */
const call = (target, method, ...args) =>
  new Promise((resolve, reject) => {
    target[method](...args, (error, result) => (error ? reject(error) : resolve(result)))
  })

async function until(what, holds, timeoutMs = 20_000) {
  const deadline = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function step(name, work) {
  const from = performance.now()
  try {
    await work()
  } catch (error) {
    console.error(`failed: ${name}: ${error.stack ?? error.message}`)
    process.exit(1)
  }
  console.log(`ok: ${name} (${Math.round(performance.now() - from)} ms)`)
}

const topic = `${prefix}-topic`
const admin = kafka.AdminClient.create({ ...common, 'client.id': `${prefix}-admin` })

/** A member that commits what it reads; its `partitions` are those it owns now. */
class Member {
  partitions = new Set()
  rebalances = 0
  protocol = ''
  values = []
  #consumer
  #isEnding = false
  #ended

  async start(groupId, strategy, extra = {}) {
    this.#consumer = new kafka.KafkaConsumer(
      {
        ...common,
        'group.id': groupId,
        'client.id': `${prefix}-member`,
        'partition.assignment.strategy': strategy,
        'enable.auto.commit': false,
        'session.timeout.ms': 6_000,
        'heartbeat.interval.ms': 200,
        'fetch.wait.max.ms': 50,
        rebalance_cb: (error, partitions) => this.#onRebalance(error, partitions),
        ...extra,
      },
      { 'auto.offset.reset': 'earliest' },
    )
    this.#consumer.setDefaultConsumeTimeout(50)
    this.#consumer.on('event.error', () => {})
    await call(this.#consumer, 'connect', {})
    this.#consumer.subscribe([topic])
    this.#ended = this.#poll()
  }

  #onRebalance(error, partitions) {
    const isAssigned = error.code === ERR__ASSIGN_PARTITIONS
    this.rebalances++
    this.protocol = this.#consumer.rebalanceProtocol()
    if (this.protocol === 'COOPERATIVE') {
      if (isAssigned) this.#consumer.incrementalAssign(partitions)
      else this.#consumer.incrementalUnassign(partitions)
    } else if (isAssigned) this.#consumer.assign(partitions)
    else this.#consumer.unassign()
    for (const { partition } of partitions) {
      if (isAssigned) this.partitions.add(partition)
      else this.partitions.delete(partition)
    }
  }

  async #poll() {
    while (!this.#isEnding) {
      const messages = await call(this.#consumer, 'consume', 100).catch(() => [])
      if (messages.length === 0) continue
      const next = new Map()
      for (const { partition, offset, value } of messages) {
        this.values.push(value.toString())
        next.set(partition, offset + 1)
      }
      const offsets = [...next].map(([partition, offset]) => ({ topic, partition, offset }))
      try {
        this.#consumer.commitSync(offsets)
      } catch {
        // lost with a rebalance: somebody reads them again
      }
    }
    // in the middle of a rebalance librdkafka wants its callback served before it goes
    await call(this.#consumer, 'disconnect')
  }

  async end() {
    this.#isEnding = true
    await this.#ended
  }
}

async function produce(first, count) {
  const producer = new kafka.HighLevelProducer({ ...common, 'enable.idempotence': true })
  producer.setPollInterval(5)
  await call(producer, 'connect', {})
  await Promise.all(
    Array.from({ length: count }, (_, i) =>
      call(producer, 'produce', topic, i % PARTITIONS, Buffer.from(`${first + i}`), null, null),
    ),
  )
  await call(producer, 'disconnect')
}

const owned = (...members) => members.flatMap(({ partitions }) => [...partitions])
const isShared = (...members) =>
  owned(...members).length === PARTITIONS &&
  new Set(owned(...members)).size === PARTITIONS &&
  members.every(({ partitions }) => partitions.size === PARTITIONS / members.length)
const allOf = (first, count, ...members) => {
  const seen = new Set(members.flatMap(({ values }) => values))
  return Array.from({ length: count }, (_, i) => `${first + i}`).every((value) => seen.has(value))
}

async function committedOf(groupId) {
  const [{ partitions, error }] = await call(admin, 'listConsumerGroupOffsets', [{ groupId }], {})
  assert.equal(error, undefined)
  return partitions
    .toSorted((a, b) => a.partition - b.partition)
    .map(({ offset }) => Number(offset))
}

/** One member reads, a second joins, the first leaves. */
async function shareAGroup(groupId, strategy, protocol, first) {
  const [one, two] = [new Member(), new Member()]
  await one.start(groupId, strategy)
  await until('all partitions', () => isShared(one))
  await until('all records', () => allOf(0, first, one))
  assert.equal(one.protocol, protocol)
  const before = new Set(one.partitions)
  await two.start(groupId, strategy)
  await until('a share each', () => isShared(one, two))
  if (protocol === 'COOPERATIVE') {
    for (const partition of one.partitions) assert(before.has(partition), 'kept, not dealt anew')
  }
  const [{ state, members, partitionAssignor }] = (
    await call(admin, 'describeGroups', [groupId], {})
  ).groups
  assert.equal(kafka.AdminClient.ConsumerGroupStates.STABLE, state)
  assert.equal(members.length, 2)
  assert.equal(partitionAssignor, strategy)
  const dealt = members.flatMap(({ assignment }) => assignment.topicPartitions)
  assert.equal(dealt.length, PARTITIONS)
  await produce(first, RECORDS)
  await until('the next records', () => allOf(first, RECORDS, one, two))
  await one.end()
  await until('all partitions of who left', () => isShared(two))
  await two.end()
  const each = (first + RECORDS) / PARTITIONS
  assert.deepEqual(await committedOf(groupId), Array(PARTITIONS).fill(each))
}

await step('create a topic with a config, and not twice', async () => {
  const wanted = {
    topic,
    num_partitions: PARTITIONS - 2,
    replication_factor: 1,
    config: { 'retention.ms': '86400000' },
  }
  await call(admin, 'createTopic', wanted, 5_000)
  await assert.rejects(call(admin, 'createTopic', wanted, 5_000), /already exists/i)
})
await step('add partitions, and not fewer', async () => {
  await call(admin, 'createPartitions', topic, PARTITIONS, 5_000)
  await assert.rejects(call(admin, 'createPartitions', topic, 1, 5_000), /partition/i)
})
await step('list and describe topics', async () => {
  assert((await call(admin, 'listTopics', {})).includes(topic))
  const [described] = await call(admin, 'describeTopics', [topic, `${prefix}-none`], {
    includeAuthorizedOperations: true,
  })
  assert.equal(described.name, topic)
  assert.equal(described.partitions.length, PARTITIONS)
  assert(described.authorizedOperations.length > 0)
})
await step('produce idempotently', () => produce(0, RECORDS))
await step('an eager group of two', () => shareAGroup(`${prefix}-eager`, 'range', 'EAGER', RECORDS))
await step('a cooperative group of two', () =>
  shareAGroup(`${prefix}-cooperative`, 'cooperative-sticky', 'COOPERATIVE', 2 * RECORDS),
)
await step('a static member comes back to its partitions without a rebalance', async () => {
  const groupId = `${prefix}-static`
  const options = { 'group.instance.id': `${prefix}-instance` }
  const [first, again] = [new Member(), new Member()]
  await first.start(groupId, 'range', options)
  await until('all partitions', () => isShared(first))
  await first.end()
  await again.start(groupId, 'range', options)
  await until('all partitions again', () => isShared(again))
  await again.end()
  const [{ members }] = (await call(admin, 'describeGroups', [groupId], {})).groups
  assert.deepEqual(
    members.map(({ groupInstanceId }) => groupInstanceId),
    [`${prefix}-instance`],
  )
})
await step('list groups, by state too', async () => {
  const { EMPTY, STABLE } = kafka.AdminClient.ConsumerGroupStates
  const listed = async (state) => {
    const options = state === undefined ? {} : { matchConsumerGroupStates: [state] }
    const { groups, errors } = await call(admin, 'listGroups', options)
    assert.deepEqual(errors ?? [], [])
    return groups.map(({ groupId }) => groupId).filter((groupId) => groupId.startsWith(prefix))
  }
  const names = ['cooperative', 'eager', 'static'].map((kind) => `${prefix}-${kind}`)
  assert.deepEqual((await listed()).sort(), names)
  assert.deepEqual((await listed(EMPTY)).sort(), names.slice(0, 2))
  assert.deepEqual(await listed(STABLE), [names[2]])
})
await step('list offsets: earliest, latest, of a time, of the largest time', async () => {
  const specs = kafka.AdminClient.OffsetSpec
  const offsetAt = async (offset) => {
    const [found] = await call(admin, 'listOffsets', [{ topic, partition: 1, offset }], {})
    assert.equal(found.error, undefined)
    return Number(found.offset)
  }
  const end = (3 * RECORDS) / PARTITIONS
  assert.equal(await offsetAt(specs.EARLIEST), 0)
  assert.equal(await offsetAt(specs.LATEST), end)
  assert.equal(await offsetAt(new specs(1)), 0)
  assert.equal(await offsetAt(new specs(Date.now() + 3_600_000)), -1)
  const ofMax = await offsetAt(specs.MAX_TIMESTAMP)
  assert(ofMax >= (2 * RECORDS) / PARTITIONS && ofMax < end, `offset of the largest time: ${ofMax}`)
})
await step('delete records, to an offset and to the end', async () => {
  const end = (3 * RECORDS) / PARTITIONS
  const wanted = [
    { topic, partition: 0, offset: 7 },
    { topic, partition: 2, offset: -1 },
  ]
  const deleted = await call(admin, 'deleteRecords', wanted, {})
  const lows = deleted.toSorted((a, b) => a.partition - b.partition)
  assert.deepEqual(
    lows.map(({ lowWatermark }) => Number(lowWatermark)),
    [7, end],
  )
  await assert.rejects(
    call(admin, 'deleteRecords', [{ topic, partition: 0, offset: end + 1 }], {}).then(
      ([{ error }]) => {
        if (error !== undefined) throw Object.assign(new Error(error.message), error)
      },
    ),
    /range/i,
  )
})
await step('delete groups, but not one with a member', async () => {
  const groups = ['eager', 'static'].map((kind) => `${prefix}-${kind}`)
  const reports = await call(admin, 'deleteGroups', groups, {}).catch(({ groups }) => groups)
  const codeOf = new Map(reports.map(({ groupId, errorCode }) => [groupId, errorCode ?? 0]))
  assert.equal(codeOf.get(groups[0]), 0)
  assert.equal(codeOf.get(groups[1]), kafka.CODES.ERRORS.ERR_NON_EMPTY_GROUP)
  const [gone] = await call(admin, 'describeGroups', [groups[0]], {}).then(({ groups }) => groups)
  assert.equal(gone.state, kafka.AdminClient.ConsumerGroupStates.DEAD)
})
await step('delete a topic, and not twice', async () => {
  await call(admin, 'deleteTopic', topic, 5_000)
  await assert.rejects(call(admin, 'deleteTopic', topic, 5_000), /unknown topic/i)
  assert(!(await call(admin, 'listTopics', {})).includes(topic))
})
admin.disconnect()
// its threads end by themselves, later
process.exit(0)
