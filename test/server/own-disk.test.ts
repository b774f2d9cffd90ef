/** A broker's directory on a small file system of its own that fills up, and has room again. Needs root, to mount it. */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Griot } from '../../dist/index.js'
import { quorumOf } from './quorum.ts'

const SIZE_BYTES = 48 * 2 ** 20
const TOPIC = 't'

let dataDir: string
let mounted: string
let isMounted = false
beforeAll(() => {
  dataDir = mkdtempSync(path.join(os.tmpdir(), 'griot-own-disk-'))
  mounted = path.join(dataDir, 'broker-1')
  mkdirSync(mounted, { mode: 0o700 })
  const options = `size=${SIZE_BYTES},mode=0700`
  isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', mounted]).status === 0
  if (!isMounted) console.log('skipped: a file system of its own needs root, and mount')
})
afterAll(() => {
  if (isMounted) spawnSync('umount', ['-l', mounted])
  rmSync(dataDir, { recursive: true, force: true })
})

/** Takes all the room that there is. */
function fill(file: string): void {
  const fd = openSync(file, 'w')
  const bytes = new Uint8Array(1 << 20)
  try {
    for (let size = bytes.length; size >= 4_096; ) {
      try {
        writeSync(fd, bytes, 0, size)
      } catch {
        size /= 2
      }
    }
  } finally {
    closeSync(fd)
  }
}

test('has the others lead while it is full, without an error, and leads again', async (context) => {
  if (!isMounted) return context.skip()
  const options = { dataDir, brokers: 3, httpListen: '127.0.0.1:0', logLevel: 'silent' } as const
  const griot = await Griot.start(options)
  const kafka = new Kafka({ brokers: [...griot.brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  const producer = kafka.producer({ idempotent: true, retry: { retries: 2 } })
  try {
    await Promise.all([admin.connect(), producer.connect()])
    const replicaAssignment = [{ partition: 0, replicas: [1, 2, 3] }]
    await admin.createTopics({ topics: [{ topic: TOPIC, replicaAssignment }] })
    let sent = 0
    const send = () => {
      sent++
      return producer.send({ topic: TOPIC, messages: [{ value: `${sent}`.padEnd(1_000) }] })
    }
    const leader = async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] })
      return topics[0]!.partitions[0]!.leader
    }
    /** Sends all the while: nothing of it may fail. */
    const sendUntil = async (isDone: () => Promise<boolean>, withinMs: number) => {
      const untilMs = performance.now() + withinMs
      do {
        for (let i = 0; i < 5; i++) await send()
      } while (!(await isDone()) && performance.now() < untilMs)
      return isDone()
    }
    expect(await sendUntil(async () => (await leader()) === 1, 20_000)).toBe(true)
    const { epoch } = await quorumOf(griot.brokers)
    fill(path.join(mounted, 'filler'))
    expect(await sendUntil(async () => (await leader()) !== 1, 10_000)).toBe(true)
    const health = await fetch(`${griot.url}/health`)
    expect(await health.text()).toMatch(/broker-1.* bytes free, the mark is|broker-1.*ENOSPC/)
    // what it can copy it copies, from the reserve at the end; then it lags, and lives
    for (let i = 0; i < 300; i++) await send()
    // the controller, which that broker is preferred for, does not go to and fro meanwhile
    await sendUntil(async () => false, 8_000)
    expect((await quorumOf(griot.brokers)).epoch - epoch).toBeLessThanOrEqual(1)
    rmSync(path.join(mounted, 'filler'))
    expect(await sendUntil(async () => (await leader()) === 1, 30_000)).toBe(true)
    const [{ high } = { high: '' }] = await admin.fetchTopicOffsets(TOPIC)
    expect(high).toBe(`${sent}`)
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect()])
    await griot.close()
  }
}, 90_000)
