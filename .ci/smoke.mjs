// From the package as users install it: a topic made, written and read by kafkajs. Argument: HOST:PORT.
import { Kafka, logLevel } from 'kafkajs'

const [bootstrap] = process.argv.slice(2)
const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.WARN })
const admin = kafka.admin()
await admin.connect()
const topic = `smoke-${process.version}`
await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] })
const producer = kafka.producer({ idempotent: true })
await producer.connect()
const sent = Array.from({ length: 100 }, (_, i) => ({ key: `k${i}`, value: `value ${i}` }))
await producer.send({ topic, messages: sent })
await producer.disconnect()
const [{ high }] = await admin.fetchTopicOffsets(topic)
if (high !== '100') throw new Error(`100 records were produced, the high watermark is ${high}`)
await admin.disconnect()

// kafkajs consumes by groups only: without one, its own cluster object fetches
const createCluster = Object.getOwnPropertySymbols(kafka).find((s) =>
  s.description.includes('createCluster'),
)
const cluster = kafka[createCluster]({ allowAutoTopicCreation: false })
await cluster.connect()
await cluster.addTargetTopic(topic)
const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [0]))
const broker = await cluster.findBroker({ nodeId })
const read = []
while (read.length < sent.length) {
  const { responses } = await broker.fetch({
    maxWaitTime: 500,
    minBytes: 1,
    maxBytes: 1 << 20,
    topics: [
      {
        topic,
        partitions: [{ partition: 0, fetchOffset: String(read.length), maxBytes: 1 << 20 }],
      },
    ],
  })
  read.push(...responses[0].partitions[0].messages)
}
await cluster.disconnect()
const same = read.every(
  ({ key, value }, i) => `${key}` === sent[i].key && `${value}` === sent[i].value,
)
if (!same) throw new Error('what came back is not what was sent')
console.log(`${process.version}: ${read.length} records produced and consumed by kafkajs`)
