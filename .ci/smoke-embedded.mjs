// The embedded engine of the installed package: starts, serves, closes, and the process ends by itself.
import { existsSync } from 'node:fs'
import { Griot } from 'griot'
import { Kafka, logLevel } from 'kafkajs'

const griot = await Griot.start()
const kafka = new Kafka({ brokers: griot.brokers, logLevel: logLevel.WARN })
const producer = kafka.producer()
await producer.connect()
await producer.send({ topic: 'smoke', messages: [{ value: 'hello' }] })
await producer.disconnect()
await griot.close()
if (existsSync(griot.dataDir)) throw new Error('close() left the temporary directory')
console.log(`${process.version}: embedded engine started, served and closed`)
