// An idempotent librdkafka producer (acks=all) that goes on through crashes of its broker, and writes down each
// acknowledgement: a line "partition offset sequence" per record. Ends at SIGTERM, after what is outstanding is answered.
// Usage: node crash-producer.mjs BOOTSTRAP TOPIC PARTITIONS ACK_FILE [RECORD_BYTES]
import { createWriteStream } from 'node:fs'
import kafka from '@confluentinc/kafka-javascript'

const [bootstrap, topic, partitionText, ackFile, recordBytesText = '100'] = process.argv.slice(2)
const partitions = Number(partitionText)
const padding = 'x'.repeat(Number(recordBytesText))
const acknowledged = createWriteStream(ackFile, { flags: 'a' })
const producer = new kafka.HighLevelProducer({
  'bootstrap.servers': bootstrap,
  'enable.idempotence': true,
  acks: 'all',
  'linger.ms': 2,
  'message.timeout.ms': 0,
  'reconnect.backoff.max.ms': 200,
  'retry.backoff.ms': 50,
  'queue.buffering.max.messages': 200_000,
})
let sequence = 0
let outstanding = 0
let failed = 0
let stopping = false

function send() {
  if (stopping) {
    if (outstanding === 0) finish()
    return
  }
  for (let i = 0; i < 200 && outstanding < 20_000; i++) {
    const mine = sequence++
    const partition = mine % partitions
    outstanding++
    producer.produce(
      topic,
      partition,
      Buffer.from(`${mine} ${padding}`),
      null,
      null,
      (error, offset) => {
        outstanding--
        if (error) {
          failed++
          console.error(`sequence ${mine}: ${error.message}`)
        } else acknowledged.write(`${partition} ${offset} ${mine}\n`)
      },
    )
  }
  setTimeout(send, 2)
}

function finish() {
  acknowledged.end(() => {
    console.log(JSON.stringify({ sent: sequence, failed }))
    producer.disconnect(() => process.exit(failed === 0 ? 0 : 1))
  })
}

producer.on('event.error', (error) => {
  if (error.isFatal) {
    console.error(`fatal: ${error.message}`)
    process.exit(2)
  }
})
process.on('SIGTERM', () => {
  stopping = true
  const poll = () => (outstanding === 0 ? finish() : setTimeout(poll, 20))
  poll()
})
producer.setPollInterval(5)
producer.connect({}, (error) => {
  if (error) throw error
  send()
})
