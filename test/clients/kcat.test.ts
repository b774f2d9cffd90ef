import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeCorpus } from './corpus.ts'
import { EngineProcess } from './engine-process.ts'
import { count, missing } from './requirements.ts'
import { run } from './run.ts'

const lines = count(100_000, 1_000_000)

describe.skipIf(missing('kcat'))('kcat moves a real text file through griot start', () => {
  let directory: string
  let engine: EngineProcess
  let input: string
  let original: Buffer

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'griot-kcat-'))
    input = join(directory, 'input.txt')
    await writeCorpus(input, lines)
    original = await readFile(input)
    engine = await EngineProcess.create(join(directory, 'data'))
    await engine.start()
  }, 60_000)

  afterAll(async () => {
    await engine?.end('SIGTERM')
    await rm(directory, { recursive: true, force: true })
  })

  for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
    it(`byte for byte with ${codec}, and kcat -C -e ends by itself`, async () => {
      const topic = `file-${codec}`
      const produced = await run('kcat', [
        ...['-P', '-b', engine.bootstrap, '-t', topic, '-p', '0', '-z', codec, '-l', input],
        ...['-X', 'enable.idempotence=true', '-X', 'acks=all'],
      ])
      expect(produced).toMatchObject({ code: 0 })
      const output = join(directory, `${codec}.txt`)
      const consumed = await run(
        'kcat',
        ['-C', '-b', engine.bootstrap, '-t', topic, '-p', '0', '-o', 'beginning', '-e'],
        { stdoutFile: output },
      )
      expect(consumed.code).toBe(0)
      expect(consumed.stderr).toContain('exiting')
      expect(original.equals(await readFile(output))).toBe(true)
      await rm(output)
    }, 110_000)
  }

  it('lists the three nodes, each on a port of its own, and the topics with their partitions', async () => {
    const { stdout } = await run('kcat', ['-L', '-J', '-b', engine.bootstrap])
    const metadata = JSON.parse(stdout)
    const [host, first] = engine.bootstrap.split(':')
    expect(metadata.brokers).toEqual(
      [1, 2, 3].map((id) => ({ id, name: `${host}:${Number(first) + id - 1}` })),
    )
    const topic = metadata.topics.find((t: { topic: string }) => t.topic === 'file-none')
    expect(topic.partitions).toHaveLength(4)
  })

  it('finds the offset of a time, and reads from the middle of a batch', async () => {
    const topic = 'file-gzip'
    const args = ['-C', '-b', engine.bootstrap, '-t', topic, '-p', '0', '-o', '777', '-c', '3']
    const middle = await run('kcat', [...args, '-f', '%o %T\n'])
    const offsets = middle.stdout.trim().split('\n')
    expect(offsets.map((line) => Number(line.split(' ')[0]))).toEqual([777, 778, 779])
    const time = Number(offsets[0]!.split(' ')[1])
    const found = await run('kcat', ['-Q', '-b', engine.bootstrap, '-t', `${topic}:0:${time}`])
    const offset = Number(/offset (\d+)/.exec(found.stdout)![1])
    expect(offset).toBeLessThanOrEqual(777)
    const at = await run('kcat', [
      ...['-C', '-b', engine.bootstrap, '-t', topic, '-p', '0', '-f', '%T\n'],
      ...['-o', String(Math.max(0, offset - 1)), '-c', '2'],
    ])
    const [before, first] = at.stdout.trim().split('\n').map(Number)
    if (offset > 0) expect(before!).toBeLessThan(time)
    expect(offset > 0 ? first : before).toBe(time)
  })
})
