/** Real clients against `griot start`: their history is clean, over kill -9 as well, and what is done to them on purpose is found. */
import { mkdtemp, readdir, readFile, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { EngineProcess, freePorts } from '../clients/engine-process.ts'
import { count, missing } from '../clients/requirements.ts'
import { type ChaosResult, runUnderChaos } from './chaos-run.ts'
import { checkHistoryFiles, describeReport, type Report } from './check.ts'
import type { FaultKind } from './faults.ts'
import { HistoryWriter } from './history-file.ts'
import { KafkajsWorkload, recordFinal } from './recorder-kafkajs.ts'
import { type Tampering, TamperingProxy } from './tampering-proxy.ts'
import { sleep, type WorkloadOptions } from './workload.ts'

const PARTITIONS = 3
const kills = count(2, 20)

describe('a history of real clients', () => {
  let directory: string
  let engine: EngineProcess
  let admin: Admin
  let relayedPort: number
  let listenerPort: number
  let runs = 0

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'griot-live-history-'))
    listenerPort = await freePorts(1)
    relayedPort = await freePorts(1)
    engine = await EngineProcess.create(join(directory, 'data'), 1, [
      ...['--broker-config', 'group.initial.rebalance.delay.ms=0'],
      // a listener whose clients are told the proxy
      ...['--kafka-listen', `127.0.0.1:${listenerPort}=127.0.0.1:${relayedPort}`],
    ])
    await engine.start()
    admin = new Kafka({
      brokers: [engine.bootstrap],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 100 },
    }).admin()
    await admin.connect()
  }, 60_000)

  afterAll(async () => {
    await admin?.disconnect()
    await engine?.end('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  })

  async function newTopic(partitions: number) {
    const topic = `run-${runs++}`
    await admin.createTopics({ topics: [{ topic, numPartitions: partitions }] })
    return { topic, path: join(directory, `${topic}.ndjson`) }
  }

  /** kafkajs on a topic of its own with one partition, and where its history goes. */
  async function newRun() {
    const { topic, path } = await newTopic(1)
    const history = new HistoryWriter(path)
    const start = (more: Partial<WorkloadOptions> = {}) =>
      KafkajsWorkload.start({
        ...{ bootstrap: engine.bootstrap, client: 'js', sink: history, topic, partitions: 1 },
        ...{ group: `${topic}-group`, recordsPerSend: 20, valueBytes: 100 },
        ...{ idempotentProducers: 1, plainProducers: 1, members: 1, ...more },
      })
    return { topic, path, history, start }
  }

  async function runOverKills(client: 'kafkajs' | 'librdkafka'): Promise<ChaosResult> {
    const { topic } = await newTopic(PARTITIONS)
    const result = await runUnderChaos({
      ...{ bootstrap: engine.bootstrap, topic, partitions: PARTITIONS, directory },
      ...{ rounds: kills, everyMs: 1_200, membersComeAndGo: true },
      ...{ kafkajs: client === 'kafkajs', librdkafka: client === 'librdkafka' },
      event: async (mark) => {
        mark('kill -9')
        await engine.end('SIGKILL')
        await engine.start()
        // on a busy machine a start takes as long as kills are apart: clients need some time as well
        await sleep(700)
      },
    })
    console.log(result.summary)
    expect(result.report.found, result.summary).toEqual({})
    const { acknowledged, polled, commits, assignments, stored } = result.report.counts
    for (const some of [acknowledged, polled, stored]) expect(some).toBeGreaterThan(100)
    expect(commits).toBeGreaterThan(0)
    expect(assignments).toBeGreaterThanOrEqual(PARTITIONS)
    expect(stored).toBeGreaterThanOrEqual(acknowledged)
    for (const { marks, p50Ms } of [result.gaps.idempotent, result.gaps.plain]) {
      expect(marks).toHaveLength(kills)
      // nobody is answered while the process is dead
      expect(p50Ms).toBeGreaterThan(10)
    }
    return result
  }

  it(
    `of kafkajs is clean over ${kills} kills -9 and members that come and go`,
    async () => {
      await runOverKills('kafkajs')
    },
    kills * 8_000 + 60_000,
  )

  it.skipIf(missing('librdkafka'))(
    `of librdkafka is clean over ${kills} kills -9`,
    async () => {
      expect((await runOverKills('librdkafka')).errors).toEqual([])
    },
    kills * 8_000 + 60_000,
  )

  it('shows the write that a log lost with its tail', async () => {
    const { topic, path, history, start } = await newRun()
    const workload = await start()
    await sleep(1_000)
    await workload.stopProducing()
    await engine.end('SIGKILL')
    await cutLastBatch(join(directory, 'data'), topic)
    await engine.start()
    const ends = await recordFinal(engine.bootstrap, topic, history)
    await workload.drain(ends, 5_000)
    await history.end()
    const report = await checkHistoryFiles([path])
    console.log(describeReport(report).split('\n').slice(0, 4).join('\n'))
    expect(report.found['lost-write']).toBe(20)
    // where a member had been given it, it stands behind the end now, and begins anew
    const others = Object.keys(report.found).filter((kind) => kind !== 'lost-write')
    const possible = ['uncommitted-read', 'nonmonotonic-poll', 'lost-commit', 'commit-went-back']
    expect(possible).toEqual(expect.arrayContaining(others))
  }, 60_000)

  describe('through a proxy that', () => {
    let proxy: TamperingProxy
    afterEach(() => proxy.close())

    async function tampered(tampering: Tampering, more: Partial<WorkloadOptions>): Promise<Report> {
      proxy = await TamperingProxy.start(relayedPort, listenerPort)
      const { topic, path, history, start } = await newRun()
      const bootstrap = `127.0.0.1:${relayedPort}`
      const workload = await start({ bootstrap, ...more })
      await expect.poll(() => workload.acknowledged, { timeout: 10_000 }).toBeGreaterThan(100)
      await expect.poll(() => workload.read[0], { timeout: 10_000 }).toBeGreaterThan(100)
      proxy.arm(tampering)
      await expect.poll(() => proxy.done, { timeout: 10_000 }).toBe(1)
      await sleep(300)
      await workload.stopProducing()
      const ends = await recordFinal(engine.bootstrap, topic, history)
      await workload.drain(ends, 5_000)
      await history.end()
      const report = await checkHistoryFiles([path])
      console.log(describeReport(report).split('\n').slice(0, 4).join('\n'))
      return report
    }

    const found = (report: Report): FaultKind[] => Object.keys(report.found) as FaultKind[]
    const plain = { idempotentProducers: 0, plainProducers: 1 }
    const idempotent = { idempotentProducers: 1, plainProducers: 0 }

    it('loses an answer: an idempotent producer is right all the same', async () => {
      expect(found(await tampered('lose an answer', idempotent))).toEqual([])
    }, 30_000)

    it('loses an answer: any other has sent twice, and may', async () => {
      const report = await tampered('lose an answer', plain)
      expect(found(report)).toEqual([])
      expect(report.counts.stored).toBe(report.counts.acknowledged + 20)
    }, 30_000)

    it('sends twice: a duplicate, unless the producer is idempotent', async () => {
      expect(found(await tampered('send twice', plain))).toEqual(['duplicate'])
      proxy.close()
      expect(found(await tampered('send twice', idempotent))).toEqual([])
    }, 30_000)

    it('forges an acknowledgement: a lost write', async () => {
      const report = await tampered('forge an acknowledgement', plain)
      expect(report.found['lost-write']).toBe(20)
    }, 30_000)

    it('shifts a fetch: records at two offsets', async () => {
      expect(found(await tampered('shift a fetch', idempotent))).toContain('inconsistent-offset')
    }, 30_000)

    it('leaves a batch out of a fetch: unseen records', async () => {
      // more in a fetch than one batch
      const report = await tampered('leave out a batch', { plainProducers: 4 })
      expect(found(report)).toEqual(['unseen-record'])
    }, 30_000)
  })
})

/** Ends the topic's only log before its last batch, as a disk does that forgets a write. */
async function cutLastBatch(dataDir: string, topic: string): Promise<void> {
  const logs = (await readdir(dataDir, { recursive: true })).filter((name) => name.endsWith('.log'))
  const marker = Buffer.from(` ${topic} 0 `)
  for (const name of logs) {
    const path = join(dataDir, name)
    const bytes = await readFile(path)
    if (!bytes.includes(marker)) continue
    let last = 0
    for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) last = at
    await truncate(path, last)
    return
  }
  throw new Error(`no log of ${topic} in ${dataDir}`)
}
