import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { Wire } from './wire.ts'

const PAUSE_MS = 10_000
const memoryMb = 128

const rssMb = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
const percentile = (values: number[], p: number) =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length * p) / 100)]!
const filled = (bytes: number) =>
  buildBatch([{ timestampMs: Date.now(), key: null, value: new Uint8Array(bytes).fill(120) }])

describe.skipIf(process.platform !== 'linux')('a broker thread that stands still for 10 s', () => {
  let child: ChildProcess
  let brokers: string[]

  beforeAll(async () => {
    child = fork(join(import.meta.dirname, 'paused-engine.mjs'), { stdio: 'inherit' })
    brokers = (await once(child, 'message'))[0] as string[]
  })

  afterAll(async () => {
    if (child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.disconnect()
    await ended
  })

  it('costs bounded memory and nobody else’s latency; what was sent to it is answered afterwards', async () => {
    const wire = await Wire.open(brokers[0]!)
    await wire.createTopic('paused', 3)
    const answer = await wire.request(metadata, 5, {
      topics: [{ topicId: ZERO_TOPIC_ID, name: 'paused' }],
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    })
    const leaderOf = (id: number) =>
      answer.topics[0]!.partitions.find((partition) => partition.leaderId === id)!.partitionIndex
    for (const id of [1, 2, 3]) await wire.produce('paused', leaderOf(id), filled(100))
    const before = await probe(leaderOf(1), 2_000)
    const idleMb = rssMb(child.pid!)

    const from = performance.now()
    child.send({ brokerId: 2, forMs: PAUSE_MS })
    await untilSilent(leaderOf(2))
    let answered = 0
    const batch = filled(250_000)
    // 8 connections with 100 batches each in flight: 200 MB for an engine of 128
    const flooders = await Promise.all(Array.from({ length: 8 }, () => Wire.open(brokers[1]!)))
    const flood = flooders.flatMap((flooder) =>
      Array.from({ length: 100 }, async () => {
        const produced = await flooder.produce('paused', leaderOf(2), batch)
        expect(produced.errorCode).toBe(0)
        answered++
      }),
    )
    const during = await probe(leaderOf(1), PAUSE_MS - 4_000)
    const answeredDuring = answered
    const peakMb = rssMb(child.pid!)
    await Promise.all(flood)
    const tookMs = performance.now() - from
    const p99 = [before, during].map((times) => percentile(times, 99).toFixed(1))
    console.log(
      `probe p99 ${p99[0]} ms before, ${p99[1]} ms during (${during.length} rounds); RSS ${idleMb.toFixed(0)} MB, at its peak ${peakMb.toFixed(0)} MB (memory: ${memoryMb}M); ${answered} answered after ${tookMs.toFixed(0)} ms`,
    )
    expect(answeredDuring).toBe(0)
    expect(tookMs).toBeGreaterThan(PAUSE_MS - 1_000)
    expect(peakMb - idleMb).toBeLessThan(2 * memoryMb)
    expect(percentile(during, 99)).toBeLessThan(10 * percentile(before, 99) + 100)
    for (const flooder of flooders) flooder.close()
    wire.close()
  }, 55_000)

  /** The message takes its time on a busy machine: waits for a record that is not answered within a second. */
  async function untilSilent(partition: number): Promise<void> {
    const wire = await Wire.open(brokers[1]!)
    const isSilent = () =>
      Promise.race([
        wire.produce('paused', partition, filled(100)).then(() => false),
        new Promise<boolean>((resolve) => setTimeout(resolve, 1_000, true)),
      ])
    while (!(await isSilent()));
    wire.close()
  }

  /** Produces and reads back one record at a time for `forMs`; milliseconds of each round. */
  async function probe(partition: number, forMs: number): Promise<number[]> {
    const wire = await Wire.open(brokers[0]!)
    const batch = filled(100)
    const times: number[] = []
    for (const endAt = performance.now() + forMs; performance.now() < endAt; ) {
      const from = performance.now()
      const answer = await wire.produce('paused', partition, batch)
      expect(answer.errorCode).toBe(0)
      const read = await wire.fetch('paused', partition, answer.baseOffset)
      expect(read.records.length).toBeGreaterThan(100)
      times.push(performance.now() - from)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    wire.close()
    return times
  }
})
