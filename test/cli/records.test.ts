/** `griot produce` and `griot consume` as users run them, against `griot start`, and beside kcat where it is there. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EngineProcess } from '../clients/engine-process.ts'
import { missing } from '../clients/requirements.ts'
import { LiveGriot, runGriot, runWithInput } from './run-griot.ts'

let directory: string
let engine: EngineProcess

beforeAll(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-records-'))
  engine = await EngineProcess.create(path.join(directory, 'data'), 3, ['--memory', '64M'])
  await engine.start()
}, 30_000)

afterAll(async () => {
  await engine?.end('SIGTERM')
  rmSync(directory, { recursive: true, force: true })
})

const griot = (args: readonly string[], input = '') =>
  runGriot([...args, '-b', engine.bootstrap], input)
const kcat = (args: readonly string[], input = '') =>
  runWithInput('kcat', ['-b', engine.bootstrap, ...args], input)

const linesOf = (text: string): string[] => text.split('\n').slice(0, -1)
const sorted = (text: string): string[] => linesOf(text).sort()
const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}\n`).join('')

describe('produce and consume', () => {
  test('move lines through all codecs, into a topic that is made on the way', async () => {
    const input = numbers(2_000)
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      const produced = await griot(['produce', `lines-${codec}`, '-z', codec], input)
      expect(produced).toMatchObject({ code: 0, stdout: '' })
      expect(produced.stderr).toMatch(/^2,000 records, /)
      const consumed = await griot(['consume', `lines-${codec}`, '-e'])
      expect([consumed.code, consumed.stderr]).toEqual([0, ''])
      expect(sorted(consumed.stdout)).toEqual(sorted(input))
    }
  }, 40_000)

  test('the summary as JSON tells where the records are', async () => {
    const { stdout } = await griot(['produce', 'told', '-p', '2', '--json'], 'a\nb\n')
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ records: 2, failed: 0, bytes: 2, errors: [] },
      partitions: [{ topic: 'told', partition: 2, records: 2, firstOffset: 0, lastOffset: 1 }],
    })
    const acks0 = await griot(['produce', 'told', '-p', '2', '--acks', '0', '--json'], 'c\n')
    expect(JSON.parse(acks0.stdout).partitions[0]).toMatchObject({ firstOffset: null })
    expect((await griot(['consume', 'told', '-n', '3'])).stdout).toBe('a\nb\nc\n')
  })

  test('keys, headers, tombstones and bytes that are no text come back as they went', async () => {
    await griot(['produce', 'rich', '-p', '0', '-K', ':', '-Z', '-H', 'h=1'], 'a:x\nb:\n')
    await griot(['produce', 'rich', '-p', '0', '-k', 'c', '--value', 'y z'])
    const file = path.join(directory, 'bytes')
    writeFileSync(file, Buffer.of(0xff, 0x0a, 0x00))
    await griot(['produce', 'rich', file, '-p', '0', '-k', 'd'])
    const { stdout } = await griot(['consume', 'rich', '-e', '--json'])
    const records = linesOf(stdout).map((line) => JSON.parse(line))
    expect(records).toMatchObject([
      { offset: 0, key: 'a', value: 'x', headers: [{ key: 'h', value: '1' }] },
      { offset: 1, key: 'b', value: null },
      { offset: 2, key: 'c', value: 'y z', headers: [] },
      { offset: 3, key: 'd', value: '/woA', valueEncoding: 'base64' },
    ])
    const copied = await griot(['produce', '-t', 'copy', '-f', 'json', '-p', '0'], stdout)
    expect(copied.code).toBe(0)
    const again = await griot(['consume', 'copy', '-e', '-J'])
    expect(linesOf(again.stdout).map((line) => ({ ...JSON.parse(line), topic: 'rich' }))).toEqual(
      records,
    )
    const filtered = await griot(['consume', 'rich', '-e', '--key', 'c', '-f', '%o %k\\n'])
    expect(filtered.stdout).toBe('2 c\n')
    const matched = await griot(['consume', 'rich', '-e', '--key-regex', '^[ab]$', '-f', '%o,'])
    expect(matched.stdout).toBe('0,1,')
  })

  test('-o begins and stops where it says', async () => {
    await griot(['produce', 'ten', '-p', '0'], numbers(10))
    const read = async (offset: string) =>
      linesOf((await griot(['consume', 'ten', '-p', '0', '-e', '-o', offset])).stdout).join(',')
    expect(await read('3-5')).toBe('3,4,5')
    expect(await read('3:5')).toBe('3,4')
    expect(await read('+8')).toBe('8,9')
    expect(await read('-2')).toBe('8,9')
    expect(await read(':2')).toBe('0,1')
    expect(await read('end')).toBe('')
    expect(await read('99')).toBe('')
    expect(await read('@-1h')).toBe('0,1,2,3,4,5,6,7,8,9')
    expect(await read('@:-1h')).toBe('')
  }, 30_000)

  test('goes on at the end until SIGINT, across a kill -9 of the engine', async () => {
    await griot(['topic', 'create', 'live', '-p', '2'])
    const reader = new LiveGriot(['consume', 'live', '-b', engine.bootstrap])
    await griot(['produce', 'live'], numbers(100))
    await reader.printsLines(100)
    await engine.end('SIGKILL')
    await engine.start()
    expect((await griot(['produce', 'live'], 'after\n')).code).toBe(0)
    await reader.printsLines(101)
    reader.child.kill('SIGINT')
    const { code, stdout } = await reader.ended
    expect(code).toBe(0)
    expect(sorted(stdout)).toEqual(sorted(`${numbers(100)}after\n`))
  }, 40_000)

  test('ends quietly when nobody reads on, and after so many records', async () => {
    expect(await griot(['produce', 'head'], numbers(50_000))).toMatchObject({ code: 0 })
    const script = `timeout 15 "$0" "$1" consume head -b ${engine.bootstrap} | head -2 | wc -l; echo "\${PIPESTATUS[0]}"`
    const launcher = path.join(import.meta.dirname, '../../dist/griot.cjs')
    const { stdout, stderr } = await runWithInput(
      'bash',
      ['-c', script, process.execPath, launcher],
      '',
    )
    expect([stdout.replace(/ /g, ''), stderr]).toEqual(['2\n0\n', ''])
    expect(linesOf((await griot(['consume', 'head', '-n', '7'])).stdout)).toHaveLength(7)
  }, 50_000)
})

describe('what fails is said, and what to do', () => {
  test('records that are too large fail alone, with exit code 1', async () => {
    await griot(['topic', 'create', 'tiny', '-p', '1', '-c', 'max.message.bytes=2000'])
    // a batch that is too large as a whole is sent in parts
    expect(await griot(['produce', 'tiny'], numbers(3_000))).toMatchObject({ code: 0 })
    const input = `a\n${'x'.repeat(5_000)}\nb\n`
    const produced = await griot(['produce', 'tiny'], input)
    expect(produced.code).toBe(1)
    expect(produced.stderr).toMatch(
      /griot: 1 record failed: .*MESSAGE_TOO_LARGE.*max\.message\.bytes/,
    )
    expect(produced.stderr).toContain('1 failed, 2 records')
    expect((await griot(['consume', 'tiny', '-o', '3000', '-e'])).stdout).toBe('a\nb\n')
  })

  test.each<[string, readonly string[], number, string]>([
    ['topic', ['consume', 'tinny'], 1, 'there is no topic "tinny" (did you mean tiny?)'],
    ['partition', ['consume', 'tiny', '-p', '5'], 1, 'no partition 5: tiny has 1, counted from 0'],
    ['partition to write', ['produce', 'tiny', '-p', '5', '--value', 'x'], 1, 'partitions 0 to 0'],
    ['offset', ['consume', 'tiny', '-o', 'strat'], 2, '-o: "strat" is no offset: start, end'],
    ['format', ['consume', 'tiny', '-f', '%q'], 2, '-f: there is no %q'],
    ['codec', ['produce', 'tiny', '-z', 'lz5'], 2, '-z lz5: wants one of none, gzip'],
    ['acks', ['produce', 'tiny', '--acks', '2'], 2, '--acks 2: wants all (-1), 1 or 0'],
    ['property', ['produce', 'tiny', '-X', 'ack=1'], 2, 'did you mean acks?'],
    ['count', ['consume', 'tiny', '-n', 'x'], 2, '-n x: wants a whole number from 1'],
    ['no topic', ['consume'], 2, 'a topic is wanted: griot consume TOPIC'],
    ['no auto-create', ['produce', 'tinny', '--no-auto-create'], 1, 'did you mean tiny?'],
    ['unknown option', ['consume', 'tiny', '--exti'], 2, 'Did you mean --exit?'],
  ])('wrong %s', async (_, args, code, message) => {
    const ended = await griot(args)
    expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) })
  })

  test('as JSON it is the last line of the stream, which is no record to produce', async () => {
    for (const flag of [['--json'], ['-J'], ['-f', 'json'], ['--meta-only']]) {
      const ended = await griot(['consume', 'tinny', ...flag])
      expect([ended.code, linesOf(ended.stdout).length]).toEqual([1, 1])
      expect(JSON.parse(ended.stdout).error.message).toContain('did you mean tiny?')
    }
    const { stdout } = await griot(['consume', 'tinny', '--json'])
    const produced = await griot(['produce', 'never', '-f', 'json'], stdout)
    expect(produced).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('record 1: the input ends with an error: there is no topic'),
    })
  }, 30_000)

  test('a cluster that is not there, or is none', async () => {
    const nobody = await runGriot(['topic', 'list', '-b', '127.0.0.1:1', '--json'])
    expect([nobody.code, nobody.stderr]).toEqual([
      1,
      expect.stringContaining('nobody listens at 127.0.0.1:1: is `griot start` running there?'),
    ])
    expect(JSON.parse(nobody.stdout).error.message).toContain('nobody listens')
    const http = await runGriot(['topic', 'list', '-b', engine.url.slice('http://'.length)])
    expect(http).toMatchObject({ code: 1, stderr: expect.stringContaining('not an HTTP address') })
  })
})

describe.skipIf(missing('kcat'))('beside kcat', () => {
  test('what griot writes kcat reads, key by key in the same partitions', async () => {
    const input = Array.from({ length: 500 }, (_, i) => `key-${i % 100}:${i}\n`).join('')
    await griot(['topic', 'create', 'ours', 'theirs', '-p', '7'])
    await griot(['produce', 'ours', '-K', ':', '-z', 'lz4', '-H', 'a=b'], input)
    const murmur2 = ['-X', 'topic.partitioner=murmur2_random']
    await kcat(['-P', '-t', 'theirs', '-K', ':', '-H', 'a=b', ...murmur2], input)
    const format = '%p %k %s %S %K %h\\n'
    const [ours, theirs] = await Promise.all(
      ['ours', 'theirs'].map((topic) => kcat(['-C', '-q', '-e', '-t', topic, '-f', format])),
    )
    expect(sorted(ours!.stdout)).toEqual(sorted(theirs!.stdout))
    expect(linesOf(ours!.stdout)).toHaveLength(500)
  }, 30_000)

  test('what kcat writes griot prints as kcat does, with the same format', async () => {
    const lines = 'a:1\nb\n:2\nc:\n'
    await kcat(['-P', '-t', 'printed', '-p', '0', '-K', ':', '-Z', '-H', 'x=y', '-H', 'z'], lines)
    for (const format of ['%t/%p/%o [%k|%s] %S %K %h %T\\n', '%o:%R%s\\x41\\t%%\\n']) {
      const args = ['-t', 'printed', '-p', '0', '-e', '-Z', '-q', '-f', format]
      const [theirs, ours] = await Promise.all([kcat(['-C', ...args]), griot(['consume', ...args])])
      expect(ours.stdout).toBe(theirs.stdout)
    }
    const keyed = ['-t', 'printed', '-p', '0', '-e', '-q', '-K', '=>', '-D', '\\t|']
    const [theirs, ours] = await Promise.all([kcat(['-C', ...keyed]), griot(['consume', ...keyed])])
    expect(ours.stdout).toBe(theirs.stdout)
  }, 30_000)
})
