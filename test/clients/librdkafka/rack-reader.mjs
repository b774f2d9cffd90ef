// librdkafka reads records of partition 0 from the beginning, as a consumer in a rack. Usage: node rack-reader.mjs BOOTSTRAP TOPIC RACK COUNT.
// Prints their values, one a line, as they come.
import kafka from '@confluentinc/kafka-javascript'

const [bootstrap, topic, rack, countText] = process.argv.slice(2)
const consumer = new kafka.KafkaConsumer(
  {
    ...{ 'bootstrap.servers': bootstrap, 'client.rack': rack, 'group.id': 'unused' },
    ...{ 'enable.auto.commit': false, 'fetch.wait.max.ms': 200 },
  },
  {},
)
const fail = (error) => {
  console.error(error.message)
  process.exit(1)
}
consumer.setDefaultConsumeTimeout(200)
await new Promise((resolve, reject) => {
  consumer.connect({ timeout: 10_000 }, (error) => (error ? reject(error) : resolve()))
}).catch(fail)
consumer.assign([{ topic, partition: 0, offset: 0 }])
for (let left = Number(countText); left > 0; ) {
  const messages = await new Promise((resolve, reject) => {
    consumer.consume(500, (error, got) => (error ? reject(error) : resolve(got)))
  }).catch(fail)
  for (const { value } of messages) console.log(value.toString())
  left -= messages.length
}
// a socket holds 278 lines that are not yet read; an exit loses what comes after those
process.stdout.write('', () => process.exit(0))
