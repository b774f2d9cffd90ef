/** A real Prometheus scrapes a live engine under load, and answers every query of the dashboard. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
// the compiled engine: its workers do not run from sources
import { Griot } from '../../dist/index.js'
import { buildBatch } from '../../src/record/builder.ts'
import { missing } from '../clients/requirements.ts'
import { Wire } from '../clients/wire.ts'
import { commitOffset } from './commit-offset.ts'
import { fillIn, queries, variables } from './dashboard.ts'

/** Right when nothing is wrong: what they show is not there. */
const EMPTY_WHEN_WELL = ['Not running']
const SCRAPES = 6

let griot: Griot
let folder: string
let prometheus: ChildProcess | null = null
let address: string
let isOver = false
let load: Promise<void> = Promise.resolve()

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function produceAndFetch(): Promise<void> {
  const client = await Wire.open(griot.bootstrapServers.split(',')[0]!)
  for (const topic of ['orders', 'payments']) {
    await client.createTopic(topic, 2, { 'flush.messages': '1' })
  }
  const records = [{ timestampMs: Date.now(), key: null, value: Buffer.alloc(500, 'v') }]
  for (let i = 0; !isOver; i++) {
    const topic = i % 3 === 0 ? 'payments' : 'orders'
    await client.produce(topic, i % 2, buildBatch(records))
    await client.fetch(topic, i % 2, 0)
    await commitOffset(client, 'billing', topic, i)
    await client.produce('nowhere', 0, buildBatch(records))
    await sleep(20)
  }
  client.close()
}

interface Answer {
  readonly status: string
  readonly error?: string
  readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] }
}

async function ask(query: string): Promise<Answer> {
  const body = new URLSearchParams({ query })
  return (await fetch(`http://${address}/api/v1/query`, { method: 'POST', body })).json() as never
}

async function startPrometheus(): Promise<void> {
  folder = mkdtempSync(path.join(os.tmpdir(), 'griot-prometheus-'))
  const config = path.join(folder, 'prometheus.yml')
  writeFileSync(
    config,
    `global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: griot
    static_configs: [{ targets: ['${new URL(griot.url!).host}'] }]
    params: { topics: ['*'], groups: ['*'], tenants: ['*'] }
`,
  )
  address = `127.0.0.1:${await freePort()}`
  prometheus = spawn(
    'prometheus',
    [
      ...[`--config.file=${config}`, `--web.listen-address=${address}`],
      ...[`--storage.tsdb.path=${path.join(folder, 'data')}`, '--log.level=error'],
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  )
  const scrapes = async () => {
    try {
      const { data } = await ask('count_over_time(up{job="griot"}[1m])')
      return Number(data.result[0]?.value[1] ?? 0)
    } catch {
      return 0
    }
  }
  while ((await scrapes()) < SCRAPES) await sleep(300)
}

describe.skipIf(missing('prometheus'))('Prometheus', () => {
  beforeAll(async () => {
    griot = await Griot.start({ brokers: 2, httpListen: '127.0.0.1:0' })
    load = produceAndFetch()
    await startPrometheus()
  }, 50_000)
  afterAll(async () => {
    isOver = true
    await load
    if (prometheus !== null) {
      prometheus.kill()
      await once(prometheus, 'close')
    }
    await griot.close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('promtool has nothing to say against the text', async () => {
    const input = await (await fetch(`${griot.url}/metrics?topics=*&groups=*&tenants=*`)).text()
    const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], {
      ...{ input, encoding: 'utf8' },
    })
    // names that Kafka's exporters chose are not ours to change
    const said = `${stdout}${stderr}`
      .split('\n')
      .filter((line) => line !== '' && !/^kafka_/.test(line))
    expect(said).toEqual([])
    expect([0, 3]).toContain(status)
  })

  test('every scrape succeeds', async () => {
    const { data } = await ask('min_over_time(up{job="griot"}[1m])')
    expect(data.result[0]?.value[1]).toBe('1')
  })

  test.each(queries)('$panel: $expr', async ({ panel, expr }) => {
    const answer = await ask(fillIn(expr, '4s'))
    expect(answer).toMatchObject({ status: 'success' })
    if (EMPTY_WHEN_WELL.includes(panel)) expect(answer.data.result).toEqual([])
    else expect(answer.data.result.length).toBeGreaterThan(0)
  })

  test.each(variables)('variable $name', async ({ expr, label }) => {
    const query = new URLSearchParams({ 'match[]': fillIn(expr, '4s') })
    const response = await fetch(`http://${address}/api/v1/label/${label}/values?${query}`)
    const { data } = (await response.json()) as { data: string[] }
    expect(data.length).toBeGreaterThan(0)
  })

  test('rates are what was done', async () => {
    const rate = async (query: string) => Number((await ask(query)).data.result[0]!.value[1])
    const ofBrokers = 'sum(rate(kafka_server_brokertopicmetrics_messagesin_total{topic=""}[5s]))'
    const ofTopics = 'sum(rate(kafka_server_brokertopicmetrics_messagesin_total{topic!=""}[5s]))'
    expect(await rate(ofBrokers)).toBeGreaterThan(1)
    expect(Math.abs((await rate(ofTopics)) / (await rate(ofBrokers)) - 1)).toBeLessThan(0.3)
  })
})
