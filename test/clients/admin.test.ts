import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigResourceTypes, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EngineProcess } from './engine-process.ts'
import { fetchAll } from './kafkajs-fetch.ts'
import { missing } from './requirements.ts'
import { run } from './run.ts'

describe('admin calls of real clients', () => {
  let directory: string
  let engine: EngineProcess
  let kafka: Kafka

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'griot-admin-'))
    engine = await EngineProcess.create(join(directory, 'data'))
    await engine.start()
    kafka = new Kafka({ brokers: [engine.bootstrap], logLevel: logLevel.NOTHING })
  }, 60_000)

  afterAll(async () => {
    await engine?.end('SIGTERM')
    await rm(directory, { recursive: true, force: true })
  })

  const valuesOf = async (topic: string, partition: number, from: number): Promise<string[]> => {
    const found: string[] = []
    for await (const { value } of fetchAll(kafka, topic, partition, from)) found.push(String(value))
    return found
  }
  const send = async (topic: string, values: readonly string[], partition = 0) => {
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    const messages = values.map((value) => ({ value, partition }))
    await producer.send({ topic, acks: -1, messages })
    await producer.disconnect()
  }

  it('kafkajs: partitions, configs and deleted records, kept over a kill -9', async () => {
    const admin = kafka.admin()
    await admin.connect()
    const topic = 'changed'
    await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] })
    await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
    await expect(
      admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] }),
    ).rejects.toThrow()
    const type = ConfigResourceTypes.TOPIC
    const altered = await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type, name: topic, configEntries: [{ name: 'flush.messages', value: '1' }] }],
    })
    expect(altered.resources[0]).toMatchObject({ errorCode: 0 })
    await send(topic, ['a', 'b', 'c', 'd'])
    await send(topic, ['in the fifth'], 4)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '3' }] })
    const state = async () => {
      const { resources } = await admin.describeConfigs({
        includeSynonyms: true,
        resources: [{ type, name: topic, configNames: ['flush.messages'] }],
      })
      const { configName, configValue } = resources[0]!.configEntries[0]!
      return {
        config: `${configName}=${configValue}`,
        offsets: (await admin.fetchTopicOffsets(topic))
          .map(({ partition, low, high }) => `${partition}: ${low}-${high}`)
          .sort(),
        values: await valuesOf(topic, 0, 3),
      }
    }
    const expected = {
      config: 'flush.messages=1',
      offsets: ['0: 3-4', '1: 0-0', '2: 0-0', '3: 0-0', '4: 0-1'],
      values: ['d'],
    }
    expect(await state()).toEqual(expected)
    await engine.end('SIGKILL')
    await engine.start()
    expect(await state()).toEqual(expected)
    await send(topic, ['e'])
    expect(await valuesOf(topic, 0, 3)).toEqual(['d', 'e'])
    await expect(valuesOf(topic, 0, 2)).rejects.toThrow(/not within the range/)
    await admin.disconnect()
  }, 60_000)

  describe.skipIf(missing('java'))("Kafka's own tools", () => {
    const tool = async (name: string, ...args: string[]) => {
      const classPath = `${process.env.GRIOT_KAFKA_LIBS}/*`
      const flags = ['-XX:TieredStopAtLevel=1', '-Xmx256m', '-cp', classPath]
      const server = ['--bootstrap-server', engine.bootstrap]
      const { code, stdout, stderr } = await run('java', [...flags, name, ...server, ...args])
      expect(code, `${name} ${args.join(' ')}: ${stdout}${stderr}`).toBe(0)
      return stdout
    }
    const topics = 'org.apache.kafka.tools.TopicCommand'
    const configs = 'kafka.admin.ConfigCommand'
    const offsets = 'org.apache.kafka.tools.GetOffsetShell'

    it('alter and describe topics, brokers and groups, and delete records', async () => {
      const topic = 'java'
      await tool(topics, '--create', '--topic', topic, '--partitions', '1')
      await send(topic, ['a', 'b', 'c'])
      await tool(topics, '--alter', '--topic', topic, '--partitions', '3')
      const ofTopic = ['--entity-type', 'topics', '--entity-name', topic]
      await tool(configs, '--alter', ...ofTopic, '--add-config', 'retention.ms=86400000')
      expect(await tool(configs, '--describe', ...ofTopic)).toContain('retention.ms=86400000')
      const ofAll = ['--entity-type', 'brokers', '--entity-default']
      await tool(configs, '--alter', ...ofAll, '--add-config', 'message.max.bytes=2000000')
      expect(await tool(configs, '--describe', ...ofAll)).toContain(
        'DYNAMIC_DEFAULT_BROKER_CONFIG:message.max.bytes=2000000',
      )
      const ofGroup = ['--entity-type', 'groups', '--entity-name', 'g']
      await tool(
        configs,
        '--alter',
        ...ofGroup,
        '--add-config',
        'consumer.session.timeout.ms=50000',
      )
      expect(await tool(configs, '--describe', ...ofGroup)).toContain(
        'consumer.session.timeout.ms=50000',
      )
      const file = join(directory, 'delete.json')
      const partitions = [{ topic, partition: 0, offset: 2 }]
      await writeFile(file, JSON.stringify({ version: 1, partitions }))
      const deleted = await tool(
        'org.apache.kafka.tools.DeleteRecordsCommand',
        ...['--offset-json-file', file],
      )
      expect(deleted).toContain('low_watermark: 2')
      const earliest = await tool(offsets, '--topic', topic, '--time', 'earliest')
      expect(earliest.trim().split('\n').sort()).toEqual(['java:0:2', 'java:1:0', 'java:2:0'])
    }, 170_000)
  })
})
