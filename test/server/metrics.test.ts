/** `/metrics` of a real engine after traffic of which everything is known. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
// the compiled engine: its workers do not run from sources
import { Griot } from '../../dist/index.js'
import { servedApis } from '../../src/front/handlers.ts'
import { COUNTED_APIS, requestKind } from '../../src/link/counters.ts'
import { fetch as fetchApi } from '../../src/protocol/01-fetch.ts'
import { initProducerId } from '../../src/protocol/22-init-producer-id.ts'
import { apiByKey } from '../../src/protocol/apis.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { fetchRequest, Wire } from '../clients/wire.ts'
import { open } from './wire.ts'

let griot: Griot
beforeEach(async () => {
  griot = await Griot.start({ brokers: 2, httpListen: '127.0.0.1:0' })
})
afterEach(() => griot.close())

type Series = (name: string, labels?: Readonly<Record<string, string>>) => number

/** All series of one scrape, by name and labels; NaN for what is not there. */
async function scrape(): Promise<Series> {
  const text = await (await fetch(`${griot.url}/metrics`)).text()
  const values = new Map<string, number>()
  for (const line of text.split('\n')) {
    const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (name !== undefined) values.set(`${name} ${labels.split(',').sort()}`, Number(value))
  }
  return (name, labels = {}) => {
    const wanted = Object.entries(labels).map(([key, text]) => `${key}="${text}"`)
    return values.get(`${name} ${wanted.sort()}`) ?? Number.NaN
  }
}

/** Sums what the brokers say: which of them leads is not ours to know. */
const over = (series: Series, name: string, labels: Readonly<Record<string, string>> = {}) =>
  series(name, { ...labels, broker: '1' }) + series(name, { ...labels, broker: '2' })

/** Gauges are sampled: waits until `read` gives `value`. */
async function eventually(read: (series: Series) => number, value: number): Promise<void> {
  for (let tries = 0; tries < 40; tries++) {
    if (read(await scrape()) === value) return
    await sleep(100)
  }
  expect(read(await scrape())).toBe(value)
}

const batch = (records: number, bytes: number): Uint8Array =>
  buildBatch(
    Array.from({ length: records }, () => ({
      ...{ timestampMs: Date.now(), key: null },
      value: Buffer.alloc(bytes, 'x'),
    })),
  )

const TOPICS = 'kafka_server_brokertopicmetrics'
const REQUESTS = 'kafka_network_requestmetrics_requests_total'
const ERRORS = 'kafka_network_requestmetrics_errors_total'
const SOCKETS = 'kafka_server_socket_server_metrics'

test('requests, batches, records and bytes are counted exactly', async () => {
  const wire = await Wire.open(griot.bootstrapServers.split(',')[0]!)
  await wire.createTopic('t', 2)
  const small = batch(3, 100)
  const large = batch(1, 100_000)
  for (let i = 0; i < 5; i++) await wire.produce('t', i % 2, small)
  // somebody has read the end: what comes next goes through the ring, however large
  expect((await wire.fetch('t', 0, 9)).records.length).toBe(0)
  await wire.produce('t', 0, large)
  const corrupt = batch(2, 50)
  corrupt[80]! ^= 4
  expect((await wire.produce('t', 1, corrupt)).errorCode).not.toBe(0)
  expect((await wire.produce('nowhere', 0, small)).errorCode).not.toBe(0)
  const smallTail = (await wire.fetch('t', 1, 0)).records.length
  expect(smallTail).toBe(2 * small.length)
  const largeTail = (await wire.fetch('t', 0, 9)).records.length
  expect(largeTail).toBe(large.length)
  // the ring that had these three was too small for the large batch: only the file has them
  const fromFile = (await wire.fetch('t', 0, 0, 2 * small.length)).records.length
  expect(fromFile).toBe(2 * small.length)
  const fetched = smallTail + largeTail + fromFile
  await wire.fetch('t', 1, 99)
  const series = await scrape()

  expect(series(REQUESTS, { request: 'Produce' })).toBe(8)
  expect(series(REQUESTS, { request: 'Fetch' })).toBe(5)
  expect(series(REQUESTS, { request: 'CreateTopics' })).toBe(1)
  expect(series(REQUESTS, { request: 'Metadata' })).toBe(0)
  expect(series(ERRORS, { request: 'Produce', error: 'client' })).toBe(1)
  expect(series(ERRORS, { request: 'Produce', error: 'stale' })).toBe(1)
  expect(series(ERRORS, { request: 'Fetch', error: 'stale' })).toBe(1)
  expect(series(ERRORS, { request: 'Produce', error: 'server' })).toBe(0)

  expect(over(series, `${TOPICS}_totalproducerequests_total`)).toBe(7)
  expect(over(series, `${TOPICS}_failedproducerequests_total`)).toBe(1)
  expect(over(series, 'griot_broker_produces_refused_total', { reason: 'client' })).toBe(1)
  expect(over(series, `${TOPICS}_messagesin_total`)).toBe(5 * 3 + 1)
  expect(over(series, `${TOPICS}_bytesin_total`)).toBe(5 * small.length + large.length)
  expect(over(series, `${TOPICS}_bytesout_total`)).toBe(fetched)
  expect(over(series, `${TOPICS}_totalfetchrequests_total`)).toBe(5)
  expect(over(series, `${TOPICS}_failedfetchrequests_total`)).toBe(1)
  const from = (source: string) => over(series, 'griot_fetch_bytes_total', { source })
  const sources = ['ring_zero_copy', 'ring_copy', 'file'].map(from)
  expect(sources).toEqual([largeTail, smallTail, fromFile])

  // the client's own socket knows best
  const front = { thread: 'front-0' }
  expect(series(`${SOCKETS}_incoming_byte_total`, front)).toBe(wire.socket.bytesWritten)
  expect(series(`${SOCKETS}_outgoing_byte_total`, front)).toBe(wire.socket.bytesRead)
  const bytes = (name: string) =>
    COUNTED_APIS.reduce((sum, [, request]) => sum + series(name, { request }), 0)
  // sizes of frames are not part of them
  expect(bytes('griot_request_bytes_total')).toBe(wire.socket.bytesWritten - 4 * 14)
  expect(bytes('griot_response_bytes_total')).toBe(wire.socket.bytesRead)
  wire.close()
})

test('latencies fill buckets, with a sum to make means of', async () => {
  const wire = await Wire.open(griot.bootstrapServers.split(',')[0]!)
  await wire.createTopic('t', 1)
  await wire.produce('t', 0, batch(1, 10))
  // nothing is there: waits for its half second
  await wire.fetch('t', 0, 1)
  const series = await scrape()
  const duration = 'griot_request_duration_seconds'
  const fetches = (le: string) => series(`${duration}_bucket`, { request: 'Fetch', le })
  expect([fetches('0.25'), fetches('1'), fetches('+Inf')]).toEqual([0, 1, 1])
  expect(series(`${duration}_count`, { request: 'Fetch' })).toBe(1)
  expect(series(`${duration}_sum`, { request: 'Fetch' })).toBeGreaterThan(0.4)
  expect(series(`${duration}_sum`, { request: 'Fetch' })).toBeLessThan(5)
  const time = series('griot_request_seconds_total', { request: 'Produce' })
  expect(series(`${duration}_count`, { request: 'Produce' })).toBe(1)
  expect(time).toBeGreaterThan(0)
  expect(time).toBeLessThan(5)
  wire.close()
})

test('connections, refused frames and parked fetches show while they are there', async () => {
  const front = { thread: 'front-0' }
  const address = griot.bootstrapServers.split(',')[0]!
  const rude = [
    Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 0]),
    Buffer.from([0, 0, 0, 10, 0, 99, 0, 0, 0, 0, 0, 7, 0xff, 0xff]),
    Buffer.from([0, 0, 0, 10, 0, 3, 0, 1, 0, 0, 0, 7, 0x7f, 0xff]),
  ]
  for (const bytes of rude) {
    const socket = await open(address)
    socket.on('error', () => {})
    socket.resume().write(bytes)
    await once(socket, 'close')
  }
  const wire = await Wire.open(address)
  await wire.createTopic('t', 1)
  await wire.produce('t', 0, batch(1, 10))
  const poll = fetchRequest('t', 0, 1, 1 << 20)
  const polled = wire.request(fetchApi, 11, { ...poll, maxWaitMs: 3_000 })
  const parked = 'kafka_server_delayedoperationpurgatory_purgatorysize'
  await eventually((series) => series(parked, { ...front, delayedOperation: 'Fetch' }), 1)
  const series = await scrape()
  const rejected = (reason: string) =>
    series('griot_front_frames_rejected_total', { ...front, reason })
  expect(['size', 'malformed', 'unsupported', 'refused'].map(rejected)).toEqual([1, 1, 1, 0])
  expect(series(`${SOCKETS}_connection_creation_total`, front)).toBe(4)
  expect(series(`${SOCKETS}_connection_close_total`, front)).toBe(3)
  expect(series(`${SOCKETS}_connection_count`, front)).toBe(1)
  expect(series('griot_front_in_flight_bytes', front)).toBeGreaterThan(0)
  expect(series('griot_front_in_flight_budget_bytes', front)).toBeGreaterThan(2 ** 20)
  await wire.produce('t', 0, batch(1, 10))
  await polled
  await eventually((after) => after(parked, { ...front, delayedOperation: 'Fetch' }), 0)
  wire.close()
  await eventually((after) => after(`${SOCKETS}_connection_count`, front), 0)
})

test('brokers tell of their logs, rings, flushes and disk', async () => {
  const wire = await Wire.open(griot.bootstrapServers.split(',')[0]!)
  await wire.createTopic('plain', 4)
  await wire.createTopic('flushed', 1, { 'flush.messages': '1' })
  const some = batch(10, 1_000)
  for (let index = 0; index < 4; index++) await wire.produce('plain', index, some)
  await wire.produce('flushed', 0, some)
  await eventually((series) => over(series, 'griot_broker_log_bytes'), 5 * some.length)
  const series = await scrape()
  expect(over(series, 'kafka_server_replicamanager_leadercount')).toBe(5)
  expect(over(series, 'griot_broker_logs_open')).toBe(5)
  expect(over(series, 'griot_broker_disk_writable')).toBe(2)
  expect(over(series, 'griot_broker_ring_bytes')).toBeGreaterThan(5 * some.length)
  expect(over(series, 'griot_broker_ring_budget_bytes')).toBeGreaterThan(2 ** 20)
  const flushes = 'kafka_log_logflushstats_logflushrateandtimems_count'
  expect(over(series, flushes)).toBeGreaterThan(0)
  expect(over(series, 'griot_broker_flush_seconds_total')).toBeGreaterThan(0)
  expect(series('kafka_controller_kafkacontroller_globaltopiccount')).toBe(2)
  expect(series('kafka_controller_kafkacontroller_globalpartitioncount')).toBe(5)
  expect(series('kafka_controller_kafkacontroller_offlinepartitionscount')).toBe(0)
  wire.close()
})

test('an idempotent producer’s second try is a duplicate, not more records', async () => {
  const wire = await Wire.open(griot.bootstrapServers.split(',')[0]!)
  await wire.createTopic('t', 1)
  const given = await wire.request(initProducerId, 4, {
    ...{ transactionalId: null, transactionTimeoutMs: 60_000 },
    ...{ producerId: -1, producerEpoch: -1 },
  })
  const records = [{ timestampMs: Date.now(), key: null, value: Buffer.from('once') }]
  const own = { producerId: given.producerId, producerEpoch: given.producerEpoch, baseSequence: 0 }
  for (let i = 0; i < 2; i++) {
    const batch = buildBatch(records, own)
    expect((await wire.produce('t', 0, batch)).errorCode).toBe(0)
  }
  const series = await scrape()
  expect(over(series, `${TOPICS}_totalproducerequests_total`)).toBe(2)
  expect(over(series, `${TOPICS}_messagesin_total`)).toBe(1)
  expect(over(series, 'griot_broker_duplicates_total')).toBe(1)
  wire.close()
})

test('the engine tells its state, its threads and its process', async () => {
  // looked up twice a second
  const controllers = 'kafka_controller_kafkacontroller_activecontrollercount'
  await expect.poll(async () => (await scrape())(controllers)).toBe(1)
  const series = await scrape()
  const states = ['starting', 'serving', 'degraded', 'stopping', 'failed']
  expect(states.map((state) => series('griot_engine_state', { state }))).toEqual([0, 1, 0, 0, 0])
  expect(over(series, 'kafka_server_kafkaserver_brokerstate')).toBe(2 * 3)
  expect(series('kafka_controller_kafkacontroller_activebrokercount')).toBe(2)
  expect(series('griot_controller_epoch', { broker: '1' })).toBeGreaterThan(0)
  expect(series('griot_controller_epoch', { broker: '2' })).toBe(0)
  expect(series('griot_thread_state', { thread: 'broker-1-2', state: 'running' })).toBe(1)
  expect(series('griot_thread_state', { thread: 'broker-1-2', state: 'failed' })).toBe(0)
  expect(series('griot_thread_turns_total', { thread: 'broker-1-1' })).toBeGreaterThan(0)
  expect(series('griot_thread_busy_seconds_total', { thread: 'front-0' })).toBeGreaterThan(0)
  const ratio = series('griot_thread_busy_ratio', { thread: 'front-0' })
  expect(ratio).toBeGreaterThanOrEqual(0)
  expect(ratio).toBeLessThanOrEqual(1)
  for (const thread of ['front-0', 'front-1']) {
    expect(series('griot_event_loop_lag_seconds', { thread })).toBeLessThan(30)
  }
  const nowSeconds = Date.now() / 1_000
  expect(Math.abs(nowSeconds - series('griot_start_time_seconds'))).toBeLessThan(60)
  expect(series('process_start_time_seconds')).toBeLessThanOrEqual(nowSeconds)
  expect(series('process_resident_memory_bytes')).toBeGreaterThan(2 ** 24)
  expect(series('process_cpu_seconds_total')).toBeGreaterThan(0)
  const { version, versions } = process
  expect(version).toBe(`v${versions.node}`)
  const text = await (await fetch(`${griot.url}/metrics`)).text()
  expect(text).toMatch(/^griot_build_info\{version="\d+\.\d+\.\d+",node="\d+\.\d+\.\d+"\} 1$/m)
})

test('everything that is told is in the README, and the other way round', async () => {
  const text = await (await fetch(`${griot.url}/metrics?topics=*&groups=*&tenants=*`)).text()
  const told = [...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name!)
  const readme = readFileSync(new URL('../../src/admin/README.md', import.meta.url), 'utf8')
  const rows = readme.split('\n').filter((line) => /^\| `(kafka|griot|process)_/.test(line))
  const cells = rows.map((line) => [...line.split('|')[1]!.matchAll(/`(…?\w+)`/g)])
  // `…_total` ends a name that begins as the one before it
  const listed = cells.flat().map(([, name]) => name!)
  const isListed = (name: string) =>
    listed.some((one) => (one.startsWith('…') ? name.endsWith(one.slice(1)) : name === one))
  expect(told.length).toBeGreaterThan(50)
  expect(told.filter((name) => !isListed(name))).toEqual([])
  const isTold = (one: string) =>
    told.some((name) => (one.startsWith('…') ? name.endsWith(one.slice(1)) : name === one))
  // of TLS only where it is spoken (`tls.test.ts`)
  const here = listed.filter(
    (one) =>
      (one !== 'process_open_fds' || process.platform === 'linux') && !one.startsWith('griot_tls_'),
  )
  expect(here.filter((one) => !isTold(one))).toEqual([])
})

test('every API that is served has its slots, under its own name', () => {
  for (const { key } of servedApis) expect(requestKind(key)).toBeGreaterThan(0)
  for (const [key, name] of COUNTED_APIS) expect(apiByKey(key)?.name).toBe(name)
})
