/** A million commits (a tenth in `npm test`), a kill -9 of the process or the death of the leader's broker, and how long the coordinator takes until it answers again. */
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { offsetCommit } from '../../src/protocol/08-offset-commit.ts'
import { offsetFetch } from '../../src/protocol/09-offset-fetch.ts'
import { EngineProcess } from './engine-process.ts'
import { count } from './requirements.ts'
import { Wire } from './wire.ts'

const commits = count(100_000, 1_000_000)
const GROUPS = 100
const PARTITIONS = 120
const PIPELINED = 500
const SEGMENT_BYTES = 2 * 2 ** 20

let directory: string
let engine: EngineProcess

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'griot-offsets-'))
})

afterEach(async () => {
  await engine?.end('SIGKILL')
  await rm(directory, { recursive: true, force: true })
})

const groupOf = (key: number) => `group-${key % GROUPS}`
const partitionOf = (key: number) => Math.floor(key / GROUPS) % PARTITIONS

/** Commits 1, 2, 3 … in turn to all partitions of all groups, so that each ends at a number that can be told. */
async function commitAll(): Promise<void> {
  const wire = await Wire.open(engine.bootstrap)
  await wire.createTopic('t', PARTITIONS)
  let waiting = 0
  let refused = 0
  for (let i = 0; i < commits; i++) {
    const key = i % (GROUPS * PARTITIONS)
    waiting++
    void wire
      .request(offsetCommit, 8, {
        ...{ groupId: groupOf(key), generationIdOrMemberEpoch: -1, memberId: '' },
        ...{ groupInstanceId: null, retentionTimeMs: -1 },
        topics: [
          {
            ...{ name: 't', topicId: ZERO_TOPIC_ID },
            partitions: [
              {
                ...{ partitionIndex: partitionOf(key), committedOffset: i },
                ...{ committedLeaderEpoch: -1, committedMetadata: '' },
              },
            ],
          },
        ],
      })
      .then(({ topics }) => {
        waiting--
        if (topics[0]!.partitions[0]!.errorCode !== 0) refused++
      })
    while (waiting >= PIPELINED) await new Promise((resolve) => setImmediate(resolve))
  }
  while (waiting > 0) await new Promise((resolve) => setImmediate(resolve))
  expect(refused).toBe(0)
  wire.close()
}

/** Bytes of the log of `__consumer_offsets`: the directory with the most partitions' worth of commits is not t's, which is empty. */
async function offsetsLogBytes(): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(engine.dataDir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.name.endsWith('.log') && !path.includes('metadata')) bytes += (await stat(path)).size
  }
  return bytes
}

it(
  `${commits} commits: the log stays small, and is loaded again at once`,
  async () => {
    engine = await EngineProcess.create(join(directory, 'data'), 1)
    await engine.start()
    const began = performance.now()
    await commitAll()
    const tookMs = performance.now() - began
    await engine.end('SIGKILL')
    // now that nothing is cleaned any more: files are replaced meanwhile
    const bytes = await offsetsLogBytes()
    await engine.start()
    const wire = await Wire.open(engine.bootstrap)
    const answeredMs = await untilAnswered(wire)
    // the line may come after the answer
    const line = () => /"tookMs":(\d+).*its log is loaded/.exec(engine.stderr)
    await expect.poll(line).not.toBeNull()
    const loadMs = Number(line()![1])
    wire.close()
    console.log(
      `${commits} commits in ${Math.round(tookMs)} ms, log ${(bytes / 2 ** 20).toFixed(1)} MB, loaded in ${loadMs} ms, answered ${Math.round(answeredMs)} ms after the first question`,
    )
    expect(bytes).toBeLessThan(4 * SEGMENT_BYTES)
    // ten times what it should take: other work may be on the machine
    expect(loadMs).toBeLessThan(1_000)
  },
  count(50_000, 180_000),
)

it(
  `${commits} commits with three replicas: the next leader answers at once`,
  async () => {
    const options = ['--chaos', '--log-level', 'info']
    engine = await EngineProcess.create(join(directory, 'data'), 3, options)
    const loaded: { broker: number; tookMs: number; records: number }[] = []
    engine.onStderr = (text) => {
      for (const line of text.split('\n').filter((one) => one.includes('its log is loaded'))) {
        const { thread, tookMs, records } = JSON.parse(line)
        loaded.push({ broker: Number(thread.at(-1)), tookMs, records })
      }
    }
    await engine.start()
    await commitAll()
    const wire = await Wire.open(engine.bootstrap)
    await untilAnswered(wire)
    await expect.poll(() => loaded.length).toBe(1)
    await kill(loaded[0]!.broker)
    const answeredMs = await untilAnswered(wire)
    await expect.poll(() => loaded.length).toBe(2)
    const { broker, tookMs, records } = loaded[1]!
    wire.close()
    console.log(
      `${commits} commits, the leader's broker killed: ${records} records replayed in ${tookMs} ms by the next leader, answered after ${Math.round(answeredMs)} ms`,
    )
    expect(broker).not.toBe(loaded[0]!.broker)
    // what was not committed when the leader died, at most
    expect(records).toBeLessThanOrEqual(PIPELINED)
    expect(tookMs).toBeLessThan(200)
  },
  count(50_000, 180_000),
)

async function kill(broker: number): Promise<void> {
  const token = (await readFile(join(engine.dataDir, 'operator-token'), 'utf8')).trim()
  const { status } = await fetch(`${engine.url}/admin/chaos`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ action: 'kill-broker', broker }),
  })
  expect(status).toBe(200)
}

/** COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR: clients ask again. */
const AGAIN = [14, 15, 16]

/** Asks until the coordinator answers, with what was committed last; returns how long that took, in ms. */
async function untilAnswered(wire: Wire): Promise<number> {
  const askedAt = performance.now()
  let answer = await fetchOffsets(wire)
  while (AGAIN.includes(answer.errorCode)) answer = await fetchOffsets(wire)
  const answeredMs = performance.now() - askedAt
  expect(answer.errorCode).toBe(0)
  const { partitions } = answer.topics[0]!
  const last = new Map(partitions.map((one) => [one.partitionIndex, one.committedOffset]))
  for (let key = 7; key < GROUPS * PARTITIONS; key += GROUPS) {
    const rounds = Math.floor((commits - 1 - key) / (GROUPS * PARTITIONS))
    expect(last.get(partitionOf(key))).toBe(key + rounds * GROUPS * PARTITIONS)
  }
  return answeredMs
}

function fetchOffsets(wire: Wire) {
  return wire.request(offsetFetch, 7, {
    ...{ groupId: groupOf(7), topics: null, groups: [], requireStable: true },
  })
}
