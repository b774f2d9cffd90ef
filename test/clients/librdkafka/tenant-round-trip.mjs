// librdkafka logs in by PLAIN, writes the lines of its standard input to a topic and reads the whole topic in a group.
// Usage: node tenant-round-trip.mjs BOOTSTRAP TOPIC GROUP USERNAME PASSWORD < LINES. Prints what it has read, line by line.
import { readFileSync } from 'node:fs'
import kafka from '@confluentinc/kafka-javascript'

const [bootstrap, topic, group, username, password] = process.argv.slice(2)
const lines = readFileSync(0, 'utf8').split('\n').filter(Boolean)
const common = {
  'bootstrap.servers': bootstrap,
  'security.protocol': 'sasl_plaintext',
  'sasl.mechanisms': 'PLAIN',
  'sasl.username': username,
  'sasl.password': password,
}
const fail = (error) => {
  console.error(error.message)
  process.exit(1)
}

const producer = new kafka.HighLevelProducer({ ...common, 'enable.idempotence': true, acks: 'all' })
producer.setPollInterval(5)
await new Promise((resolve, reject) => {
  producer.connect({ timeout: 10_000 }, (error) => (error ? reject(error) : resolve()))
}).catch(fail)
await Promise.all(
  lines.map(
    (line) =>
      new Promise((resolve, reject) => {
        producer.produce(topic, 0, Buffer.from(line), null, null, (error) =>
          error ? reject(error) : resolve(),
        )
      }),
  ),
).catch(fail)
await new Promise((resolve) => producer.disconnect(resolve))

const consumer = new kafka.KafkaConsumer(
  { ...common, 'group.id': group, 'enable.auto.commit': false, 'enable.partition.eof': true },
  { 'auto.offset.reset': 'earliest' },
)
await new Promise((resolve, reject) => {
  consumer.connect({ timeout: 10_000 }, (error) => (error ? reject(error) : resolve()))
}).catch(fail)
consumer.subscribe([topic])
await new Promise((resolve, reject) => {
  consumer.on('data', ({ value }) => console.log(value.toString()))
  consumer.on('partition.eof', resolve)
  consumer.on('event.error', reject)
  consumer.consume()
  setTimeout(() => reject(new Error('no end of the partition')), 40_000)
}).catch(fail)
consumer.disconnect(() => process.exit(0))
