/**
 * What kafka-ui, AKHQ and Redpanda Console ask of a cluster, replayed with their calls (`../java/UiCalls.java` says where they are from):
 * each works, or fails in the way that they have a branch for.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EngineProcess } from '../engine-process.ts'
import { missing } from '../requirements.ts'
import { JavaProcess } from './java-process.ts'

describe('the calls of web UIs', () => {
  let directory: string
  let engine: EngineProcess

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'griot-ui-'))
    engine = await EngineProcess.create(join(directory, 'data'))
    await engine.start()
  })

  afterAll(async () => {
    await engine?.end('SIGTERM')
    await rm(directory, { recursive: true, force: true })
  })

  it.skipIf(missing('java'))(
    'work by the Java client, page by page',
    async () => {
      const source = join(import.meta.dirname, '../java/UiCalls.java')
      const calls = new JavaProcess(source, [engine.bootstrap])
      try {
        const code = await calls.exited()
        const surprises = calls.lines.filter((line) => line.split('\t')[1] === 'SURPRISE')
        expect(surprises).toEqual([])
        expect(calls.lines.at(-1), calls.stderr).toBe('0 surprises')
        expect(code).toBe(0)
        // as many as there are: a program that skips its pages has no surprises either
        expect(calls.lines.filter((line) => line.includes('\t')).length).toBeGreaterThan(80)
        const handled = calls.lines.filter((line) => line.split('\t')[1] === 'handled')
        console.log(handled.join('\n'))
      } finally {
        await calls.end('SIGKILL')
      }
    },
    110_000,
  )

  it("work with AlterConfigs, AKHQ's way to edit, which the Java client has no more", async () => {
    const kafka = new Kafka({ brokers: [engine.bootstrap], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    const kept = { name: 'retention.ms', value: '3600000' }
    const edited = { name: 'max.message.bytes', value: '123456' }
    await admin.createTopics({ topics: [{ topic: 'edited', configEntries: [kept] }] })
    const configs = async () => {
      const resources = [{ type: 2, name: 'edited' }]
      const told = await admin.describeConfigs({ resources, includeSynonyms: true })
      return told.resources[0]!.configEntries
    }
    // all that is dynamic, and the edit: AlterConfigs replaces the lot
    const dynamic = (await configs()).filter(({ configSource }) => Number(configSource) === 1)
    const set = dynamic.map(({ configName, configValue }) => ({
      name: configName,
      value: configValue,
    }))
    expect(set).toEqual([kept])
    const configEntries = [...set, edited]
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: 2, name: 'edited', configEntries }],
    })
    const after = new Map((await configs()).map((entry) => [entry.configName, entry.configValue]))
    expect(after.get('retention.ms')).toBe('3600000')
    expect(after.get('max.message.bytes')).toBe('123456')
    await admin.disconnect()
  })
})
