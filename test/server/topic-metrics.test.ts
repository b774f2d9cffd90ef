/** `/metrics?topics=…` of a real engine after traffic of which everything is known. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, expect, test } from 'vitest'
// the compiled engine: its workers do not run from sources
import { Griot, type GriotOptions } from '../../dist/index.js'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { Wire } from '../clients/wire.ts'
import { parseMetrics, type Series } from './prometheus-text.ts'

let griot: Griot
afterEach(() => griot.close())

const start = async (options: GriotOptions = {}) => {
  griot = await Griot.start({ brokers: 2, httpListen: '127.0.0.1:0', ...options })
}
const wire = () => Wire.open(griot.bootstrapServers.split(',')[0]!)

const batch = (records: number, bytes: number): Uint8Array =>
  buildBatch(
    Array.from({ length: records }, () => ({
      ...{ timestampMs: Date.now(), key: null },
      value: Buffer.alloc(bytes, 'x'),
    })),
  )

async function scrape(query: string): Promise<Series[]> {
  const response = await fetch(`${griot.url}/metrics${query}`)
  expect(response.status).toBe(200)
  return parseMetrics(await response.text())
}

const topicsOf = (series: readonly Series[]) =>
  [...new Set(series.flatMap(({ labels }) => labels.topic ?? []))].sort()

const TOPICS = 'kafka_server_brokertopicmetrics'

function reader(series: readonly Series[]) {
  return (name: string, topic: string, partition?: number) => {
    const found = series.filter(
      ({ name: is, labels }) =>
        is === name && labels.topic === topic && labels.partition === partition?.toString(),
    )
    expect(found.map(({ labels }) => labels.tenant)).toEqual(['default'])
    return found[0]!.value
  }
}

test('topics are counted exactly, partitions are measured', async () => {
  await start()
  const client = await wire()
  await client.createTopic('orders', 3)
  await client.createTopic('payments.eu', 1)
  const [small, large] = [batch(3, 100), batch(1, 5_000)]
  for (let i = 0; i < 4; i++) await client.produce('orders', 0, small)
  await client.produce('orders', 1, large)
  await client.produce('payments.eu', 0, small)
  await client.fetch('orders', 0, 0)
  await client.fetch('orders', 0, 9, 2 ** 20)
  const read = reader(await scrape('?topics=*'))
  expect(read(`${TOPICS}_messagesin_total`, 'orders')).toBe(13)
  expect(read(`${TOPICS}_bytesin_total`, 'orders')).toBe(4 * small.length + large.length)
  expect(read(`${TOPICS}_bytesout_total`, 'orders')).toBe(5 * small.length)
  expect(read(`${TOPICS}_totalfetchrequests_total`, 'orders')).toBe(2)
  expect(read(`${TOPICS}_messagesin_total`, 'payments.eu')).toBe(3)
  expect(read(`${TOPICS}_bytesout_total`, 'payments.eu')).toBe(0)
  expect(read('kafka_topic_partitions', 'orders')).toBe(3)
  const each = (name: string) => [0, 1, 2].map((partition) => read(name, 'orders', partition))
  expect(each('kafka_log_log_size')).toEqual([4 * small.length, large.length, 0])
  expect(each('kafka_topic_partition_current_offset')).toEqual([12, 1, 0])
  expect(each('kafka_topic_partition_oldest_offset')).toEqual([0, 0, 0])
  expect(each('kafka_topic_partition_leader').every((id) => id === 1 || id === 2)).toBe(true)
  client.close()
})

test('only those that are asked for, and none unasked', async () => {
  await start()
  const client = await wire()
  for (const topic of ['orders', 'orders.old', 'payments']) await client.createTopic(topic, 1)
  expect(topicsOf(await scrape(''))).toEqual([])
  expect(topicsOf(await scrape('?topics=orders'))).toEqual(['orders'])
  expect(topicsOf(await scrape('?topics=orders*'))).toEqual(['orders', 'orders.old'])
  expect(topicsOf(await scrape('?topics=*s&topics=nothing'))).toEqual(['orders', 'payments'])
  await client.request(deleteTopics, 5, { topics: [], topicNames: ['payments'], timeoutMs: 1_000 })
  await expect
    .poll(async () => topicsOf(await scrape('?topics=*')))
    .toEqual(['orders', 'orders.old'])
  for (const [asked, told] of [
    ['topics=,', 'topics is empty'],
    ['topic=orders', 'unknown parameter "topic": /metrics knows topics, groups and tenants'],
    ['topics=orders,[', 'topics: "[" can name no topic'],
  ]) {
    const refused = await fetch(`${griot.url}/metrics?${asked}`)
    expect([refused.status, await refused.json()]).toEqual([
      400,
      expect.objectContaining({ detail: expect.stringContaining(told!) }),
    ])
  }
  client.close()
})

test('after a restart, partitions that nobody has touched are known within a few scrapes', async () => {
  const dataDir = mkdtempSync(path.join(os.tmpdir(), 'griot-topics-'))
  try {
    await start({ dataDir })
    const client = await wire()
    await client.createTopic('wide', 40)
    for (let index = 0; index < 40; index++) await client.produce('wide', index, batch(2, 10))
    client.close()
    await griot.close()
    await start({ dataDir })
    const known = async () => {
      const series = await scrape('?topics=wide')
      const offsets = series.filter((one) => one.name === 'kafka_topic_partition_current_offset')
      expect(offsets.every(({ value }) => value === 2)).toBe(true)
      return offsets.length
    }
    // eight of each broker's at a time
    expect(await known()).toBe(16)
    await expect.poll(known).toBe(40)
  } finally {
    await griot.close()
    rmSync(dataDir, { recursive: true, force: true })
  }
})

test('a broker that stands still is left out, and holds up no scrape for long', async () => {
  await start()
  const client = await wire()
  await client.createTopic('t', 2)
  const { [Symbol.for('griot.engine')]: engine } = griot as unknown as {
    [key: symbol]: { pauseBroker(id: number, forMs: number): void }
  }
  engine!.pauseBroker(2, 8_000)
  const from = performance.now()
  const series = await scrape('?topics=t')
  expect(performance.now() - from).toBeLessThan(15_000)
  const sizes = series.filter(({ name }) => name === 'kafka_log_log_size')
  expect(sizes).toHaveLength(1)
  client.close()
})
