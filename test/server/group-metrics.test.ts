/** `/metrics?groups=…` of a real engine whose groups are known. */
import { type Consumer, Kafka, logLevel } from 'kafkajs'
import { afterEach, beforeEach, expect, test } from 'vitest'
// the compiled engine: its workers do not run from sources
import { Griot } from '../../dist/index.js'
import { buildBatch } from '../../src/record/builder.ts'
import { Wire } from '../clients/wire.ts'
import { commitOffset } from './commit-offset.ts'
import { parseMetrics, type Series } from './prometheus-text.ts'

let griot: Griot
let client: Wire
let consumer: Consumer | null = null
beforeEach(async () => {
  griot = await Griot.start({ brokers: 2, httpListen: '127.0.0.1:0' })
  client = await Wire.open(griot.bootstrapServers.split(',')[0]!)
  await client.createTopic('orders', 2)
})
afterEach(async () => {
  await consumer?.disconnect()
  consumer = null
  client.close()
  await griot.close()
})

const batch = (records: number): Uint8Array =>
  buildBatch(
    Array.from({ length: records }, () => ({
      ...{ timestampMs: Date.now(), key: null },
      value: Buffer.from('x'),
    })),
  )

const commit = (groupId: string, topic: string, offsets: readonly number[]) =>
  commitOffset(client, groupId, topic, ...offsets)

async function scrape(query: string): Promise<Series[]> {
  const response = await fetch(`${griot.url}/metrics${query}`)
  expect(response.status).toBe(200)
  return parseMetrics(await response.text())
}

const valueIn = (series: readonly Series[], name: string, labels: Record<string, string> = {}) =>
  series.find(
    (one) =>
      one.name === name && Object.entries(labels).every(([key, is]) => one.labels[key] === is),
  )?.value

const groupsOf = (series: readonly Series[]) => [
  ...new Set(series.flatMap(({ labels }) => labels.consumergroup ?? [])),
]

const MANAGER = 'kafka_coordinator_group_groupmetadatamanager_numgroups'

test('offsets, lag and members are those of the group', async () => {
  await client.produce('orders', 0, batch(10))
  await client.produce('orders', 1, batch(7))
  await commit('billing', 'orders', [4, 7])
  let series = await scrape('?groups=billing')
  const at = (name: string, partition: string) =>
    valueIn(series, name, {
      tenant: 'default',
      consumergroup: 'billing',
      topic: 'orders',
      partition,
    })
  expect(['0', '1'].map((p) => at('kafka_consumergroup_current_offset', p))).toEqual([4, 7])
  expect(['0', '1'].map((p) => at('kafka_consumergroup_lag', p))).toEqual([6, 0])
  expect(valueIn(series, 'kafka_consumergroup_lag_sum', { topic: 'orders' })).toBe(6)
  expect(valueIn(series, 'kafka_consumergroup_current_offset_sum', { topic: 'orders' })).toBe(11)
  expect(valueIn(series, 'kafka_consumergroup_members')).toBe(0)
  expect([valueIn(series, MANAGER), valueIn(series, `${MANAGER}empty`)]).toEqual([1, 1])

  const kafka = new Kafka({ brokers: [...griot.brokers], logLevel: logLevel.NOTHING })
  consumer = kafka.consumer({ groupId: 'billing', maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topic: 'orders' })
  let read = 0
  await consumer.run({
    eachMessage: async () => {
      read++
    },
  })
  await expect.poll(() => read, { timeout: 15_000 }).toBe(6)
  await client.produce('orders', 1, batch(5))
  const lag = async () => {
    series = await scrape('?groups=bill*&topics=orders')
    return valueIn(series, 'kafka_consumergroup_lag_sum')
  }
  await expect.poll(lag, { timeout: 15_000 }).toBe(0)
  expect(valueIn(series, 'kafka_consumergroup_members', { consumergroup: 'billing' })).toBe(1)
  expect(valueIn(series, `${MANAGER}stable`)).toBe(1)
  expect(valueIn(series, 'kafka_topic_partition_current_offset', { partition: '1' })).toBe(12)
}, 40_000)

test('only those that are asked for, whatever they are called', async () => {
  expect(groupsOf(await scrape('?groups=*'))).toEqual([])
  const evil = 'a"} 1\nkafka_consumergroup_lag{x="\\'
  const names = [
    'one',
    'two',
    evil,
    '漢字 😀',
    ...Array.from({ length: 120 }, (_, i) => `many-${i}`),
  ]
  for (const name of names) await commit(name, 'orders', [0])
  expect(groupsOf(await scrape(''))).toEqual([])
  expect(groupsOf(await scrape('?topics=*'))).toEqual([])
  expect(groupsOf(await scrape('?groups=one'))).toEqual(['one'])
  const all = await scrape('?groups=*')
  expect(groupsOf(all).sort()).toEqual([...names].sort())
  expect(valueIn(all, MANAGER)).toBe(names.length)
  expect(valueIn(all, 'kafka_consumergroup_lag', { consumergroup: evil })).toBe(0)
  expect(valueIn(all, 'griot_metrics_groups_left_out')).toBe(0)
  const refused = await fetch(`${griot.url}/metrics?groups=`)
  expect([refused.status, await refused.json()]).toEqual([
    400,
    expect.objectContaining({ detail: expect.stringContaining('groups is empty') }),
  ])
}, 40_000)

test('of a coordinator that stands still nothing is told, and the scrape goes on', async () => {
  await commit('billing', 'orders', [0, 0])
  const { [Symbol.for('griot.engine')]: engine } = griot as unknown as {
    [key: symbol]: { pauseBroker(id: number, forMs: number): void }
  }
  for (const id of [1, 2]) engine!.pauseBroker(id, 7_000)
  const series = await scrape('?groups=*')
  expect(groupsOf(series)).toEqual([])
  expect(valueIn(series, 'griot_brokers')).toBe(2)
  await expect
    .poll(async () => groupsOf(await scrape('?groups=*')), { timeout: 20_000 })
    .toEqual(['billing'])
}, 40_000)
