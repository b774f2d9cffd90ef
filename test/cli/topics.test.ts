/** `griot topic` and `griot top` as users run them, against `griot start`. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { servedApis } from '../../src/front/handlers.ts'
import { createPartitions } from '../../src/protocol/37-create-partitions.ts'
import { incrementalAlterConfigs } from '../../src/protocol/44-incremental-alter-configs.ts'
import { EngineProcess } from '../clients/engine-process.ts'
import { LiveGriot, runGriot } from './run-griot.ts'

let directory: string
let engine: EngineProcess

beforeAll(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-topics-'))
  engine = await EngineProcess.create(path.join(directory, 'data'), 3, ['--memory', '64M'])
  await engine.start()
}, 30_000)

afterAll(async () => {
  await engine?.end('SIGTERM')
  rmSync(directory, { recursive: true, force: true })
})

const griot = (args: readonly string[], input = '') =>
  runGriot([...args, '-b', engine.bootstrap], input)
const json = async (args: readonly string[]) =>
  JSON.parse((await griot([...args, '--json'])).stdout)

describe('griot topic', () => {
  test('create makes topics, and says what became of each', async () => {
    const made = await griot(['topic', 'create', 'a', 'b', '-p', '3', '-c', 'retention.ms=5000'])
    expect(made).toMatchObject({ code: 0, stderr: '' })
    expect(made.stdout).toBe(
      'topic a: created, partitions 3, replicas 3\ntopic b: created, partitions 3, replicas 3\n',
    )
    const again = await griot(['topic', 'create', 'a', 'c', '--json'])
    expect(again.code).toBe(1)
    expect(JSON.parse(again.stdout)).toMatchObject([
      { topic: 'a', status: 'failed', error: { name: 'TOPIC_ALREADY_EXISTS', code: 36 } },
      { topic: 'c', status: 'created', partitions: 4 },
    ])
    expect(again.stderr).toContain('--if-not-exists lets that pass')
    const passed = await griot(['topic', 'create', 'a', '--if-not-exists'])
    expect(passed).toMatchObject({ code: 0, stdout: 'topic a: exists\n' })
    const dry = await griot(['topic', 'create', 'd', '--dry'])
    expect(dry.stdout).toContain('topic d: would be created')
    const refused = await griot(['topic', 'create', 'd', '-c', 'retention.sm=5'])
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('retention.sm') })
    expect((await json(['topic', 'list'])).map((t: { name: string }) => t.name)).toEqual([
      ...['a', 'b', 'c'],
    ])
  }, 30_000)

  test('list and describe show partitions, watermarks and configs of its own', async () => {
    await griot(['produce', 'a', '-p', '1'], 'x\ny\n')
    const listed = await griot(['topic', 'list', '-r', '[ab]'])
    expect(listed.stdout).toBe(
      'NAME  PARTITIONS  REPLICAS\na              3         3\nb              3         3\n',
    )
    const [described] = await json(['topic', 'describe', 'a'])
    expect(described).toMatchObject({ name: 'a', internal: false })
    expect(described.partitions[1]).toMatchObject({
      ...{ partition: 1, lowWatermark: 0, highWatermark: 2 },
      leader: described.partitions[1].replicas[0],
    })
    expect(described.configs.filter((c: { overridden: boolean }) => c.overridden)).toEqual([
      expect.objectContaining({ name: 'retention.ms', value: '5000' }),
    ])
    const text = (await griot(['topic', 'describe', 'a'])).stdout
    expect(text).toMatch(/^NAME {8}a\n/)
    expect(text).toMatch(/^ +1 +\d +\d+ +\d,\d,\d +\d,\d,\d +0 +2$/m)
    expect(text).toMatch(/^retention\.ms {2}5000 {3}dynamic topic config$/m)
    expect((await griot(['topic', 'describe', 'a', '-c'])).stdout).toMatch(
      /^cleanup\.policy +delete +default/m,
    )
  }, 30_000)

  test('delete takes names at once, and patterns only if that is meant', async () => {
    await griot(['topic', 'create', 'gone', 'tmp-1', 'tmp-2'])
    expect(await griot(['topic', 'delete', 'gone'])).toMatchObject({
      ...{ code: 0, stdout: 'topic gone: deleted\n' },
    })
    const unknown = await griot(['topic', 'delete', 'tmp-3'])
    expect(unknown).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('did you mean tmp-1'),
    })
    const asked = await griot(['topic', 'delete', '-r', 'tmp-.*'])
    expect(asked.code).toBe(2)
    expect(asked.stderr).toContain('-r would delete 2 topics (tmp-1, tmp-2): --yes')
    const meant = await griot(['topic', 'delete', '-r', 'tmp-.*', '--yes'])
    expect(meant.stdout).toBe('topic tmp-1: deleted\ntopic tmp-2: deleted\n')
    // a pattern is for whole names
    const none = await griot(['topic', 'delete', '-r', 'x', '--yes'])
    expect(none).toMatchObject({ code: 1, stderr: 'griot: no topic matches\n' })
  }, 30_000)

  test("delete takes the cluster's own topics only with --yes, also by name", async () => {
    await griot(['produce', 'kept'], 'x\n')
    await griot(['consume', 'kept', '-g', 'own', '-e'])
    const offsets = '__consumer_offsets'
    const asked = await griot(['topic', 'delete', 'kept', offsets])
    expect(asked).toMatchObject({
      code: 2,
      stderr:
        "griot: these topics are the cluster's own, with them all groups and committed offsets are lost (__consumer_offsets): --yes says that this is meant\n",
    })
    const names = (await json(['topic', 'list', '-i'])).map((t: { name: string }) => t.name)
    expect(names).toEqual(expect.arrayContaining(['kept', offsets]))
    const dry = await griot(['topic', 'delete', offsets, '--dry'])
    expect(dry.stdout).toBe('topic __consumer_offsets: would be deleted\n')
  }, 30_000)

  test('create makes as many replicas as are asked for, and no more than there are brokers', async () => {
    const made = await griot(['topic', 'create', 'copies', '-r', '1'])
    expect(made).toMatchObject({ code: 0, stdout: expect.stringContaining('replicas 1\n') })
    const many = await griot(['topic', 'create', 'too-many', '-r', '4'])
    expect(many.code).toBe(1)
    expect(many.stderr).toMatch(/INVALID_REPLICATION_FACTOR/)
    expect(many.stderr).toContain('that is more replicas than there are brokers: -r says how many')
  })

  test.skipIf(!servedApis.includes(incrementalAlterConfigs))(
    'config sets and deletes, and says what is refused',
    async () => {
      await griot(['topic', 'create', 'conf'])
      const set = await griot([
        'topic',
        'config',
        'set',
        'conf',
        'retention.ms=1000',
        'segment.ms=x',
      ])
      expect(set.code + set.stderr).toMatch(/^1.*segment\.ms/)
      const values = ['retention.ms=1000', 'max.message.bytes=5000']
      await griot(['topic', 'config', 'set', 'conf', ...values])
      await griot(['topic', 'alter-config', 'conf', '-d', 'retention.ms'])
      const own = await json(['topic', 'config', 'get', 'conf'])
      expect(own).toMatchObject([{ name: 'max.message.bytes', value: '5000', overridden: true }])
      const wrong = await griot(['topic', 'config', 'get', 'conf', 'retention.sm'])
      expect(wrong.stderr).toContain(
        'there is no config "retention.sm" (did you mean retention.ms?)',
      )
    },
    30_000,
  )

  test.skipIf(!servedApis.includes(createPartitions))(
    'add-partitions adds, or goes up to',
    async () => {
      await griot(['topic', 'create', 'grow', '-p', '2'])
      const added = await griot(['topic', 'add-partitions', 'grow', '-n', '3'])
      expect(added).toMatchObject({ code: 0, stdout: 'topic grow: extended, partitions 5\n' })
      const down = await griot(['topic', 'add-partitions', 'grow', '--to', '3'])
      expect(down).toMatchObject({ code: 1, stderr: expect.stringContaining('INVALID_PARTITIONS') })
      expect(await json(['topic', 'list', 'grow'])).toMatchObject([{ partitions: 5 }])
    },
  )

  test('what is no command is refused with the nearest', async () => {
    const wrong = await griot(['topic', 'descibe', 'a'])
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Did you mean describe?'),
    })
  })
})

describe('griot top', () => {
  test('--once prints rates of topics and, with --url, of brokers', async () => {
    const text = await griot(['top', '--once', '--url', engine.url])
    expect(text.code).toBe(0)
    expect(text.stdout).toContain(`${engine.bootstrap}  3 brokers`)
    expect(text.stdout).toMatch(/^ +1 +127\.0\.0\.1:\d+ +\d+ +\S+ +\S+ B\/s/m)
    expect(text.stdout).toMatch(/^a +3 +0 +2$/m)
    expect(text.stdout).not.toContain('\n\n\n')
    expect(text.stdout).not.toMatch(/\n\n$/)
  })

  test('without the address of the engine it says what is missing', async () => {
    const looked = await json(['top', '--once', '-i', '100ms'])
    expect(looked.metricsMissing).toContain('--url or --data-dir')
    const found = await json(['top', '--once', '-i', '100ms', '--data-dir', engine.dataDir])
    expect(found).toMatchObject({
      ...{ metricsMissing: null, brokers: [{ bytesInPerSecond: expect.any(Number) }, {}, {}] },
    })
    expect(await griot(['top', '--url', 'nonsense'])).toMatchObject({ code: 2 })
  }, 30_000)

  test('as JSON, a line each time, rates from what is written meanwhile', async () => {
    const top = new LiveGriot(['top', '--json', '-i', '300ms', '-b', engine.bootstrap])
    await top.printsLines(1)
    await griot(['produce', 'b'], 'x\n'.repeat(500))
    const before = top.stdout.split('\n').length
    await top.printsLines(before + 3)
    top.child.kill('SIGINT')
    const { code, stdout } = await top.ended
    expect(code).toBe(0)
    const looks = stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
    const records = looks.map(({ topics, seconds }) => {
      const topic = topics.find(({ name }: { name: string }) => name === 'b')
      return topic.recordsPerSecond * seconds
    })
    expect(Math.round(records.reduce((sum, n) => sum + n, 0))).toBe(500)
  }, 30_000)
})
