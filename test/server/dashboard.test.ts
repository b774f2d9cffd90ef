/** The dashboard against a live engine: whatever it reads is exported, with the labels that it asks for. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
// the compiled engine: its workers do not run from sources
import { Griot } from '../../dist/index.js'
import { buildBatch } from '../../src/record/builder.ts'
import { Wire } from '../clients/wire.ts'
import { commitOffset } from './commit-offset.ts'
import { dashboard, groupedBy, queries, selectorsOf, variables } from './dashboard.ts'
import { parseMetrics } from './prometheus-text.ts'

let griot: Griot
/** Labels of each exported series, by name. */
const exported = new Map<string, Set<string>>()

beforeAll(async () => {
  griot = await Griot.start({ httpListen: '127.0.0.1:0' })
  const client = await Wire.open(griot.bootstrapServers)
  await client.createTopic('t', 1)
  const records = [{ timestampMs: Date.now(), key: null, value: Buffer.from('v') }]
  await client.produce('t', 0, buildBatch(records))
  await commitOffset(client, 'group', 't')
  client.close()
  const text = await (await fetch(`${griot.url}/metrics?topics=*&groups=*&tenants=*`)).text()
  for (const { name, labels } of parseMetrics(text)) {
    const known = exported.get(name) ?? new Set()
    for (const label of Object.keys(labels)) known.add(label)
    exported.set(name, known)
  }
})
afterAll(() => griot.close())

/** Those that Prometheus itself adds. */
const ADDED = ['job', 'instance']

const all = [...queries, ...variables.map(({ name, expr }) => ({ panel: `$${name}`, expr }))]

test('what reads expressions here finds what they name', () => {
  const expr =
    'sum by (a, b) (rate(kafka_x_total{job=~"$job", topic=""}[$__rate_interval])) / griot_y > 0'
  expect(selectorsOf(expr)).toEqual([
    { name: 'kafka_x_total', labels: ['job', 'topic'] },
    { name: 'griot_y', labels: [] },
  ])
  expect(groupedBy(expr)).toEqual(['a', 'b'])
})

test.each(all)('$panel: $expr', ({ expr }) => {
  const selectors = selectorsOf(expr)
  expect(selectors.length).toBeGreaterThan(0)
  const known = new Set(ADDED)
  for (const { name, labels } of selectors) {
    expect([...exported.keys()]).toContain(name)
    for (const label of exported.get(name)!) known.add(label)
    expect([...ADDED, ...exported.get(name)!]).toEqual(expect.arrayContaining([...labels]))
  }
  expect([...known]).toEqual(expect.arrayContaining(groupedBy(expr)))
})

describe('the dashboard', () => {
  test('has a section for each thing that goes wrong', () => {
    const rows = dashboard.panels.filter(({ type }) => type === 'row')
    const titles = rows.map(({ title }) => title.split(' ')[0])
    const wanted = [
      'Throughput',
      'Latency',
      'Topics',
      'Consumer',
      'Errors',
      'Connections',
      'Disk',
      'Memory',
      'Tenants',
    ]
    expect(titles).toEqual(expect.arrayContaining([...wanted, 'Threads']))
  })

  test('says of every panel what it shows', () => {
    const mute = dashboard.panels.filter((panel) => panel.type !== 'row' && !panel.description)
    expect(mute.map(({ title }) => title)).toEqual([])
  })

  test('names no metric of topics without telling brokers from topics', () => {
    const both = [...exported].filter(([, labels]) => labels.has('topic') && labels.has('broker'))
    const names = both.map(([name]) => name)
    expect(names).toContain('kafka_server_brokertopicmetrics_bytesin_total')
    for (const { expr } of queries) {
      for (const { name, labels } of selectorsOf(expr)) {
        if (names.includes(name)) expect(labels).toContain('topic')
      }
    }
  })
})
