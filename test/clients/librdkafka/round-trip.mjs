// librdkafka writes records to a topic of one partition and reads them back by assignment.
// Usage: node round-trip.mjs BOOTSTRAP TOPIC COUNT. Prints the nodes that it was told and how many records came back in order.
import kafka from '@confluentinc/kafka-javascript'

const [bootstrap, topic, countText] = process.argv.slice(2)
const count = Number(countText)
const common = { 'bootstrap.servers': bootstrap, 'broker.address.family': 'any' }
const fail = (error) => {
  console.error(error.message)
  process.exit(1)
}

const producer = new kafka.HighLevelProducer({ ...common, 'enable.idempotence': true, acks: 'all' })
producer.setPollInterval(5)
const metadata = await new Promise((resolve, reject) => {
  producer.connect({ topic, timeout: 10_000 }, (error, found) =>
    error ? reject(error) : resolve(found),
  )
}).catch(fail)
let outstanding = count
await new Promise((resolve, reject) => {
  for (let i = 0; i < count; i++) {
    producer.produce(topic, 0, Buffer.from(`record ${i}`), null, null, (error) => {
      if (error) reject(error)
      else if (--outstanding === 0) resolve()
    })
  }
}).catch(fail)
await new Promise((resolve) => producer.disconnect(resolve))

const consumer = new kafka.KafkaConsumer(
  { ...common, 'group.id': 'unused', 'enable.auto.commit': false },
  {},
)
consumer.setDefaultConsumeTimeout(200)
await new Promise((resolve, reject) => {
  consumer.connect({ timeout: 10_000 }, (error) => (error ? reject(error) : resolve()))
}).catch(fail)
consumer.assign([{ topic, partition: 0, offset: 0 }])
let next = 0
while (next < count) {
  const messages = await new Promise((resolve, reject) => {
    consumer.consume(500, (error, got) => (error ? reject(error) : resolve(got)))
  }).catch(fail)
  for (const { value } of messages) {
    if (value.toString() !== `record ${next}`) fail(new Error(`${value} instead of record ${next}`))
    next++
  }
}
const nodes = metadata.brokers.map(({ host, port }) => `${host}:${port}`).sort()
console.log(JSON.stringify({ read: next, nodes }))
consumer.disconnect(() => process.exit(0))
