/** `griot chaos` against `griot start`, with and without `--chaos`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { GriotProcess, griot } from './griot-process.ts'

let directory: string
let engine: GriotProcess | null = null
beforeAll(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-chaos-'))
})
afterEach(async () => {
  await engine?.kill('SIGKILL')
  engine = null
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const dataDir = () => path.join(directory, 'data')

async function start(...more: string[]): Promise<string> {
  const fixed = ['--kafka-listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0', '--memory', '64M']
  engine = new GriotProcess(['start', '--data-dir', dataDir(), '--brokers', '2', ...fixed, ...more])
  return (await engine.prints(/(http:\/\/127\.0\.0\.1:\d+)/))[1]!
}

const chaos = (...args: string[]) => griot(['chaos', ...args, '--data-dir', dataDir()])

async function health(url: string): Promise<string[]> {
  const { status, reasons } = (await (await fetch(`${url}/health`)).json()) as {
    status: string
    reasons: string[]
  }
  return [status, ...reasons]
}

describe('griot chaos', () => {
  test('makes brokers fail, and heals them', async () => {
    const url = await start('--chaos')
    expect(await chaos('slow-disk', '2', '--by', '50ms')).toMatchObject({
      ...{ code: 0, stdout: 'done\n  broker 2: its disk is slower by 50 ms, on demand\n' },
    })
    const full = await chaos('fail-disk', '2', '--code', 'enospc', '--for', '1m', '--json')
    const faults = [
      'broker 2: its disk is slower by 50 ms, on demand',
      'broker 2: its disk is full (ENOSPC), on demand',
    ]
    expect([full.code, JSON.parse(full.stdout)]).toEqual([0, { faults }])
    expect(await health(url)).toEqual(['degraded', faults.join('; ')])
    expect(await chaos('heal-disk', '2')).toMatchObject({ code: 0, stdout: 'done\n' })
    expect((await chaos('partition', '2', '1')).stdout).toContain('brokers 1 and 2 do not hear')
    expect(await chaos('heal')).toMatchObject({ code: 0, stdout: 'done\n' })
    expect(await health(url)).toEqual(['serving'])
    expect(await chaos('kill-broker', '2')).toMatchObject({ code: 0, stdout: 'done\n' })
    await vi.waitFor(async () => expect(await health(url)).toEqual(['serving']), 10_000)
    expect(engine!.stderr).toContain('it was killed on demand')
    expect(await chaos('pause-broker', '1', '--for', '2s')).toMatchObject({ code: 0 })
    await vi.waitFor(async () => expect((await health(url)).join()).toContain('broker 1 hangs'), {
      ...{ timeout: 5_000, interval: 50 },
    })
  }, 40_000)

  test('makes the log name the topics that it costs, as their tenants do', async () => {
    await start('--chaos')
    const [, address] = (await engine!.prints(/Kafka +(127\.0\.0\.1:\d+)/))!
    const cluster = ['-b', address!]
    await griot(['topic', 'create', 'orders', '-p', '2', '-r', '1', ...cluster])
    const produce = ['produce', 'orders', '-p', '1', '--value', 'a', ...cluster]
    expect(await griot(produce)).toMatchObject({ code: 0 })
    await chaos('fail-disk', '2')
    // refused, and sent again, for as long as it lives
    const producer = new GriotProcess(produce)
    const named = await vi.waitFor(() => {
      const lines = engine!.stderr.split('\n')
      return JSON.parse(lines.find((line) => line.includes('"topic":"orders"'))!)
    }, 10_000)
    await producer.kill('SIGKILL')
    expect(named).toMatchObject({
      ...{ level: 'error', thread: 'broker-1-2', tenant: 'default' },
      ...{ partition: 1, directory: expect.stringMatching(/\/[0-9a-f]{32}-1$/) },
    })
  }, 30_000)

  test('says what the engine refuses', async () => {
    const url = await start('--chaos')
    const none = await chaos('kill-broker', '3', '--json')
    const message = `${url} refuses: broker: 3 is refused, there are brokers 1 to 2`
    expect(none).toMatchObject({ code: 1, stderr: `griot: ${message}\n` })
    expect(JSON.parse(none.stdout)).toEqual({ error: { message } })
    // an address that somebody names does not get the token of the directory that happens to be here
    const tokenless = await griot(['chaos', 'heal', '--url', url])
    const inDirectory = 'it is in the data directory of its engine (--data-dir DIR)'
    const wants = `griot: ${url} wants the operator token: ${inDirectory}`
    expect(tokenless).toMatchObject({ code: 1, stderr: expect.stringContaining(wants) })
    const other = ['--token-file', path.join(directory, 'other-token')]
    writeFileSync(other[1]!, '0123456789abcdef-other\n')
    expect(await griot(['chaos', 'heal', '--url', url, ...other])).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining(`${url} refuses that operator token: it is`) },
    })
    const tokenFile = path.join(dataDir(), 'operator-token')
    const named = await griot(['chaos', 'heal', '--url', url, '--token-file', tokenFile])
    expect(named).toMatchObject({ code: 0, stdout: 'done\n' })
  }, 30_000)

  test('is refused by an engine that was not started for it, and where none is', async () => {
    const url = await start()
    expect(await chaos('kill-broker', '1')).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('start the engine with --chaos') },
    })
    expect(await health(url)).toEqual(['serving'])
    await engine!.kill('SIGTERM')
    engine = null
    expect(await chaos('heal')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /\ngriot: no engine runs in data directory .*; .*--url http:\/\/HOST:PORT or --data-dir DIR says where another is/,
      ),
    })
  }, 30_000)

  test.each([
    [['kill-broker', 'two'], '"two" is refused: brokers are numbers from 1'],
    [['pause-broker', '1'], "required option '--for <DURATION>' not specified"],
    [['pause-broker', '1', '--for', '5'], 'option --for: "5" is refused, it wants a duration'],
    [['slow-disk', '1', '--by', 'much'], 'option --by: "much" is refused'],
    [['partition', '1'], "missing required argument 'M'"],
    [['kill-brokers', '1'], "unknown command 'kill-brokers'"],
  ])('%j is refused', async (args, text) => {
    const ended = await griot(['chaos', ...args])
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringContaining(text)])
  })

  test('is told of by --help', async () => {
    expect((await griot(['--help'])).stdout).toMatch(/ chaos .*--chaos/)
    const { code, stdout } = await griot(['chaos', '--help'])
    expect(code).toBe(0)
    for (const name of ['kill-broker', 'pause-broker', 'fail-disk', 'slow-disk', 'partition']) {
      expect(stdout).toContain(name)
    }
    expect((await griot(['start', '--help'])).stdout).toMatch(/--chaos \[BOOL\]/)
  })
})
