// A kafkajs member of a group for tests. Prints a line per event, with its wall-clock ms: "T joined PARTITIONS", "T seen PARTITION OFFSET",
// "T committed PARTITION NEXT_OFFSET". Ends at SIGTERM, leaving the group. Assigns round robin under the name that other clients use.
// Usage: node group-member.mjs BOOTSTRAP GROUP TOPIC
import kafkajs from 'kafkajs'

const { AssignerProtocol, Kafka, logLevel } = kafkajs
const [bootstrap, groupId, topic] = process.argv.slice(2)
const { MemberAssignment, MemberMetadata } = AssignerProtocol

/** What librdkafka and Java call roundrobin: all partitions of the topics, dealt out to the members in the order of their ids. */
const roundRobin = ({ cluster }) => ({
  name: 'roundrobin',
  version: 0,
  protocol: ({ topics }) => ({
    name: 'roundrobin',
    metadata: MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
  }),
  assign: async ({ members, topics }) => {
    const ids = members.map(({ memberId }) => memberId).sort()
    const assigned = new Map(ids.map((id) => [id, {}]))
    let next = 0
    for (const one of [...topics].sort()) {
      for (const { partitionId } of cluster.findTopicPartitionMetadata(one)) {
        const mine = assigned.get(ids[next++ % ids.length])
        ;(mine[one] ??= []).push(partitionId)
      }
    }
    return ids.map((memberId) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({
        version: 0,
        assignment: assigned.get(memberId),
        userData: Buffer.alloc(0),
      }),
    }))
  },
})

const kafka = new Kafka({
  brokers: [bootstrap],
  clientId: 'group-member',
  logLevel: process.env.DEBUG ? logLevel.INFO : logLevel.NOTHING,
  retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 100 },
})
const consumer = kafka.consumer({
  groupId,
  sessionTimeout: 6_000,
  heartbeatInterval: 300,
  rebalanceTimeout: 6_000,
  partitionAssigners: [roundRobin],
  allowAutoTopicCreation: false,
  maxWaitTimeInMs: 100,
})
const say = (line) => process.stdout.write(`${Date.now()} ${line}\n`)
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
  say(`joined ${payload.memberAssignment[topic] ?? ''}`),
)
consumer.on(consumer.events.CRASH, ({ payload }) => {
  if (!payload.restart) {
    console.error(payload.error)
    process.exit(1)
  }
})
process.on('SIGTERM', () => void consumer.disconnect().then(() => process.exit(0)))
await consumer.connect()
await consumer.subscribe({ topic, fromBeginning: true })
await consumer.run({
  autoCommit: false,
  eachBatchAutoResolve: false,
  eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning, isStale }) => {
    const { partition, messages } = batch
    for (const { offset } of messages) {
      if (!isRunning() || isStale()) return
      say(`seen ${partition} ${offset}`)
      resolveOffset(offset)
    }
    const next = String(Number(messages.at(-1).offset) + 1)
    await consumer.commitOffsets([{ topic, partition, offset: next }])
    say(`committed ${partition} ${next}`)
    await heartbeat()
  },
})
