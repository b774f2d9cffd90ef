// A librdkafka member of a group for tests: prints what ../group-member.mjs prints. Ends at SIGTERM, leaving the group.
// Usage: node group-member.mjs BOOTSTRAP GROUP TOPIC
import kafka from '@confluentinc/kafka-javascript'

const [bootstrap, groupId, topic] = process.argv.slice(2)
const say = (line) => process.stdout.write(`${Date.now()} ${line}\n`)
const consumer = new kafka.KafkaConsumer(
  {
    'bootstrap.servers': bootstrap,
    'client.id': 'librdkafka-member',
    'group.id': groupId,
    'partition.assignment.strategy': 'roundrobin',
    'enable.auto.commit': false,
    'session.timeout.ms': 6_000,
    'heartbeat.interval.ms': 300,
    'reconnect.backoff.max.ms': 200,
    'fetch.wait.max.ms': 100,
    rebalance_cb: (error, partitions) => {
      if (error.code === kafka.CODES.ERRORS.ERR__ASSIGN_PARTITIONS) {
        consumer.assign(partitions)
        owned = partitions.map(({ partition }) => partition)
        say(`joined ${owned}`)
      } else {
        owned = []
        consumer.unassign()
      }
    },
  },
  { 'auto.offset.reset': 'earliest' },
)
let owned = []
let isEnding = false

function commit(messages) {
  const next = new Map()
  for (const { partition, offset } of messages) next.set(partition, offset + 1)
  try {
    const offsets = [...next].map(([partition, offset]) => ({ topic, partition, offset }))
    consumer.commitSync(offsets)
    for (const [partition, offset] of next) say(`committed ${partition} ${offset}`)
  } catch (error) {
    // lost with a rebalance or a restart of the broker: somebody sees the records again
    console.error(`commit: ${error.message}`)
  }
}

function poll() {
  if (isEnding) {
    consumer.disconnect(() => process.exit(0))
    return
  }
  consumer.consume(100, (_error, polled = []) => {
    // What was polled before its partition was given up is another member's now. librdkafka would send the commit with
    // today's generation, so that no broker could tell.
    const messages = polled.filter(({ partition }) => owned.includes(partition))
    for (const { partition, offset } of messages) say(`seen ${partition} ${offset}`)
    if (messages.length > 0) commit(messages)
    setImmediate(poll)
  })
}

process.on('SIGTERM', () => {
  isEnding = true
})
consumer.on('event.error', () => {})
consumer.setDefaultConsumeTimeout(100)
consumer.connect({}, (error) => {
  if (error) throw error
  consumer.subscribe([topic])
  poll()
})
