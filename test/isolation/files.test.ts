/** No file holds bytes of two tenants: what they write, and their names, are looked for in every file below the data directory. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Griot } from '../../dist/index.js'
import { produce } from '../../src/protocol/00-produce.ts'
import { LiveClient } from './live-client.ts'
import { markedBatch, SHARED_TOPIC } from './tenant-life.ts'

const NAMES = ['acmemarker', 'betamarker', 'gammamarker'] as const
/** Names of all tenants, their topics and configs are in one log, as Kafka has it; it holds no records, offsets or groups. */
const METADATA = /^broker-\d+\/metadata(\/|-)/

const directory = mkdtempSync(join(tmpdir(), 'griot-isolation-'))

/** Topics of several segments, and records that are larger than an eighth of a command ring. */
async function fill(client: LiveClient, name: string): Promise<void> {
  for (const bytes of [600_000, 600_000, 900_000, 10]) {
    const text = `${name} `.repeat(Math.ceil(bytes / name.length))
    const records = markedBatch(text, {}, Date.now())
    const answer = await client.ask(produce, 9, {
      ...{ transactionalId: null, acks: -1, timeoutMs: 5_000 },
      topicData: [{ name: SHARED_TOPIC, partitionData: [{ index: 0, records }] }],
    })
    expect(answer).toMatchObject({ responses: [{ partitionResponses: [{ errorCode: 0 }] }] })
  }
}

const options = {
  ...{ dataDir: directory, brokers: 2 },
  brokerConfig: {
    ...{ 'offsets.topic.num.partitions': 2, 'log.segment.bytes': 1_048_576 },
    'metadata.log.max.record.bytes.between.snapshots': 4_096,
  },
}

/** Path below the data directory → names that are in the file. */
const found = new Map<string, string[]>()

beforeAll(async () => {
  const griot = await Griot.start({ ...options, logLevel: 'silent' })
  for (const name of NAMES) {
    const client = await LiveClient.live(griot, { name, sharedPartitions: 2 })
    await fill(client, name)
    client.close()
  }
  await griot.close()
  // what a start makes of what it finds, and what a close writes down
  const again = await Griot.start({ ...options, logLevel: 'silent' })
  await again.close()
  scan(directory)
}, 60_000)

afterAll(() => rmSync(directory, { recursive: true, force: true }))

function scan(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) scan(path)
    else if (entry.isFile()) {
      const bytes = readFileSync(path)
      const inside = NAMES.filter((name) => bytes.includes(name))
      found.set(relative(directory, path), inside)
    }
  }
}

const sharedFiles = (): string[] =>
  [...found].filter(([, names]) => names.length > 1).map(([path]) => path)

const holding = (name: string, pattern: RegExp): string[] =>
  [...found].filter(([path, names]) => names.includes(name) && pattern.test(path)).map(([p]) => p)

describe('files below the data directory', () => {
  it('hold bytes of one tenant each, but for the metadata', () => {
    const shared = sharedFiles()
    expect(shared.filter((path) => !METADATA.test(path))).toEqual([])
    // if it were none any more, the exception would have to go
    expect(shared).not.toEqual([])
  })

  it('hold them in the tenant’s own directory, and else numbers only', () => {
    const owners = new Map<string, Set<string>>()
    for (const [path, names] of found) {
      if (METADATA.test(path)) continue
      const [, tenant] = /^broker-\d+\/([0-9a-f]{16})\//.exec(path) ?? []
      if (tenant === undefined) expect(names, path).toEqual([])
      else owners.set(tenant, new Set([...(owners.get(tenant) ?? []), ...names]))
    }
    expect([...owners.values()].map((names) => [...names])).toEqual(
      expect.arrayContaining(NAMES.map((name) => [name])),
    )
    expect(owners.size).toBe(NAMES.length)
  })

  it('are all there: records of every tenant, its groups and offsets, and its metadata', () => {
    for (const name of NAMES) {
      expect(holding(name, /\.log$/).length).toBeGreaterThan(5)
      expect(holding(name, METADATA)).not.toEqual([])
    }
  })

  it('with bytes of two would be seen', () => {
    writeFileSync(join(directory, 'stray'), `1 ${NAMES[0]} 2 ${NAMES[2]} 3`)
    scan(directory)
    expect(sharedFiles()).toContain('stray')
  })
})
