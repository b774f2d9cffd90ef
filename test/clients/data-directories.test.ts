import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { EngineProcess } from './engine-process.ts'
import { fetchAll } from './kafkajs-fetch.ts'

const fixtures = join(import.meta.dirname, '../fixtures/data')
const versions = readdirSync(fixtures, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)

describe('a data directory of an earlier build', () => {
  it('is there for every resolved issue', () => {
    expect(versions.length).toBeGreaterThan(0)
  })

  for (const version of versions) {
    it(`${version} is opened, read and appended to`, async () => {
      const directory = mkdtempSync(join(tmpdir(), 'griot-data-'))
      const dataDir = join(directory, 'data')
      cpSync(join(fixtures, version), dataDir, { recursive: true })
      const engine = await EngineProcess.create(dataDir)
      try {
        for (let start = 0; start < 2; start++) {
          await engine.start()
          await check(engine.bootstrap, start)
          // the second start finds what the first has appended, after a kill
          await engine.end('SIGKILL')
        }
      } finally {
        await engine.end('SIGKILL')
        rmSync(directory, { recursive: true, force: true })
      }
    }, 40_000)
  }

  async function check(bootstrap: string, start: number): Promise<void> {
    const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    expect((await admin.listTopics()).sort()).toEqual(['append-time', 'durable', 'plain'])
    await admin.disconnect()
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    for (const topic of ['plain', 'durable', 'append-time']) {
      const expected = Array.from({ length: 50 }, (_, i) => `${topic} ${i}`)
      for (let i = 0; i < start; i++) expected.push(`${topic} appended`)
      const found: string[] = []
      for await (const message of fetchAll(kafka, topic, 0)) found.push(String(message.value))
      expect(found).toEqual(expected)
      const messages = [{ value: `${topic} appended`, partition: 0 }]
      const [answer] = await producer.send({ topic, acks: -1, messages })
      expect(Number(answer!.baseOffset)).toBe(expected.length)
    }
    await producer.disconnect()
  }
})

it('nothing of a fixture is ignored by git', () => {
  for (const version of versions)
    expect(existsSync(join(fixtures, version, 'griot.json'))).toBe(true)
})
