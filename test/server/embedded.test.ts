import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
// the global of this name stands still with fake timers
import { performance } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import { Kafka, logLevel } from 'kafkajs'
import { afterEach, describe, expect, test, vi } from 'vitest'
// the compiled engine: its workers do not run from sources
import { Griot, type GriotOptions } from '../../dist/index.js'
import { asBrokerId } from '../../src/base/ids.ts'
import type { Engine } from '../../src/server/engine.ts'
import { pollAtEnd } from './kafkajs-poll.ts'
import { apiVersionsFrame, ask, open } from './wire.ts'

const engines: Griot[] = []
const directories: string[] = []
afterEach(async () => {
  await Promise.all(engines.splice(0).map((griot) => griot.close()))
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
})

async function start(options: GriotOptions = {}): Promise<Griot> {
  const griot = await Griot.start(options)
  engines.push(griot)
  return griot
}

function temporary(): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'griot-embedded-'))
  directories.push(directory)
  return directory
}

const clientOf = (griot: Griot) =>
  new Kafka({ brokers: [...griot.brokers], logLevel: logLevel.NOTHING })

async function produce(griot: Griot, topic: string, values: readonly string[]): Promise<void> {
  const producer = clientOf(griot).producer()
  await producer.connect()
  await producer.send({ topic, messages: values.map((value) => ({ value, partition: 0 })) })
  await producer.disconnect()
}

async function endOf(griot: Griot, topic: string): Promise<string> {
  const admin = clientOf(griot).admin()
  await admin.connect()
  const offsets = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  return offsets.find(({ partition }) => partition === 0)!.high
}

async function child(count: number, timeoutMs: number) {
  const script = path.join(import.meta.dirname, 'embedded-child.mjs')
  const process_ = spawn(process.execPath, [script, String(count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  process_.stdout.on('data', (chunk) => {
    output += chunk
  })
  const timer = setTimeout(() => process_.kill('SIGKILL'), timeoutMs)
  const [code] = await once(process_, 'close')
  clearTimeout(timer)
  return { code, output }
}

describe('the embedded engine', () => {
  test('serves a Kafka client and leaves nothing behind', async () => {
    const griot = await start()
    expect(griot.bootstrapServers).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(griot.url).toBeNull()
    await produce(griot, 'greetings', ['a', 'b', 'c'])
    expect(await endOf(griot, 'greetings')).toBe('3')
    await griot.close()
    expect(existsSync(griot.dataDir)).toBe(false)
    await expect(open(griot.bootstrapServers)).rejects.toThrow('ECONNREFUSED')
  })

  test('lives in memory where there is a place for it', async () => {
    const griot = await start()
    const base = path.dirname(griot.dataDir)
    expect(['/dev/shm', os.tmpdir()]).toContain(base)
    expect(path.basename(griot.dataDir)).toMatch(/^griot-tmp-[0-9a-f]{12}$/)
  })

  test('keeps what was written in a directory of the caller’s', async () => {
    const dataDir = temporary()
    const first = await start({ dataDir })
    await produce(first, 'kept', ['1', '2'])
    await first.close()
    expect(existsSync(dataDir)).toBe(true)
    const second = await start({ dataDir })
    expect(await endOf(second, 'kept')).toBe('2')
  })

  test('ends with its scope', async () => {
    let directory: string
    {
      await using griot = await Griot.start()
      directory = griot.dataDir
      expect(existsSync(directory)).toBe(true)
    }
    expect(existsSync(directory)).toBe(false)
  })

  test('does not disturb others in the same process', async () => {
    const [one, two] = await Promise.all([
      start({ brokers: 2 }),
      start({ httpListen: '127.0.0.1:0' }),
    ])
    await Promise.all([produce(one!, 'same', ['x']), produce(two!, 'same', ['y', 'z'])])
    expect(one!.brokers).toHaveLength(2)
    await one!.close()
    expect(await endOf(two!, 'same')).toBe('2')
    const health = await fetch(`${two!.url}/health`)
    expect([health.status, await health.json()]).toEqual([
      200,
      expect.objectContaining({ status: 'serving' }),
    ])
  })

  test('answers clients while the thread that started it is blocked', async () => {
    const griot = await start()
    const script = `
      const { connect } = require('node:net')
      const [host, port] = '${griot.bootstrapServers}'.split(':')
      const before = Date.now()
      connect(Number(port), host).on('data', () => {
        console.log(Date.now() - before)
        process.exit()
      }).write(Buffer.from('${apiVersionsFrame(7).toString('hex')}', 'hex'))`
    const client = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    // long enough for the client to start, ask and be answered
    const until = performance.now() + 2_000
    while (performance.now() < until);
    const [chunk] = await once(client.stdout, 'data')
    expect(Number(chunk)).toBeLessThan(1_000)
  })

  test('gives the same promise to every close', async () => {
    const griot = await start()
    const closing = griot.close()
    expect(griot.close()).toBe(closing)
    await closing
  })

  test('answers a long poll when its wait is over, though nothing else happens', async () => {
    const griot = await start()
    await produce(griot, 'quiet', ['a'])
    const waits: number[] = []
    for await (const waitMs of pollAtEnd(clientOf(griot), 'quiet', 1, 3, 300)) waits.push(waitMs)
    for (const waitMs of waits) {
      expect(waitMs).toBeGreaterThan(290)
      expect(waitMs).toBeLessThan(3_000)
    }
    expect(waits).toHaveLength(3)
  })

  test('tells produced bytes in its metrics', async () => {
    const griot = await start({ httpListen: '127.0.0.1:0' })
    await produce(griot, 'counted', ['x'.repeat(1_000)])
    const metrics = await (await fetch(`${griot.url}/metrics`)).text()
    const bytes = /kafka_server_brokertopicmetrics_bytesin_total\{broker="1"\} (\d+)/.exec(metrics)
    expect(Number(bytes?.[1])).toBeGreaterThan(1_000)
  })

  test('cuts off what does not stop in time, though the caller’s timers stand still', async () => {
    const griot = await start({ stopTimeout: 500 })
    const { [Symbol.for('griot.engine')]: engine } = griot as unknown as Record<symbol, Engine>
    engine!.pauseBroker(asBrokerId(1), 9_000)
    vi.useFakeTimers()
    try {
      const from = performance.now()
      await griot.close()
      expect(performance.now() - from).toBeLessThan(6_000)
    } finally {
      vi.useRealTimers()
    }
  })

  test('cuts off clients that stay connected', async () => {
    const griot = await start({ stopTimeout: 3_000 })
    const socket = await open(griot.bootstrapServers)
    expect(await ask(socket, apiVersionsFrame(7))).toEqual({ correlationId: 7, error: 0 })
    const closed = once(socket, 'close')
    await griot.close()
    await closed
  })

  test.each([1, 3])(
    'lets a process of %i engines end by itself, with nothing open',
    async (count) => {
      const { code, output } = await child(count, 15_000)
      expect(code).toBe(0)
      const { before, after, directories } = JSON.parse(output)
      expect(after).toEqual(before)
      for (const directory of directories) expect(existsSync(directory)).toBe(false)
    },
  )
})

describe('a start that fails', () => {
  test('names the option, and leaves nothing', async () => {
    await expect(Griot.start({ broker: 2 } as GriotOptions)).rejects.toThrow(
      'unknown option broker (did you mean brokers?)',
    )
    await expect(Griot.start({ brokers: 99 })).rejects.toThrow('option brokers: 99 is refused')
  })

  test('names the port that is taken, and frees the directory', async () => {
    const other = await start()
    const dataDir = temporary()
    const options = { dataDir, kafkaListen: other.bootstrapServers }
    await expect(Griot.start(options)).rejects.toThrow(
      /--kafka-listen: port \d+ on 127.0.0.1 is taken/,
    )
    await start({ dataDir })
  })

  test('names who has the directory', async () => {
    const dataDir = temporary()
    await start({ dataDir })
    await expect(Griot.start({ dataDir })).rejects.toThrow(
      `${dataDir} is in use by process ${process.pid}`,
    )
  })
})

/** Runs `body` with the package as `Griot`; what it prints first, the process, and how it ends. */
async function script(body: string, env: NodeJS.ProcessEnv = {}) {
  const entry = path.join(import.meta.dirname, '../../dist/index.js')
  const text = `import { Griot } from '${entry}'\n${body}`
  const run = spawn(process.execPath, ['--input-type=module', '-e', text], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const ended = once(run, 'close')
  const [chunk] = await once(run.stdout, 'data')
  return { run, printed: String(chunk).trim(), ended }
}

const gone = (directory: string) =>
  expect.poll(() => existsSync(directory), { timeout: 10_000 }).toBe(false)

describe('an engine that nobody closes', () => {
  const START = `const griot = await Griot.start()
    console.log(griot.dataDir)`

  test('does not keep its process, and its directory goes with it', async () => {
    const { printed, ended } = await script(START)
    expect(await ended).toEqual([0, null])
    await gone(printed)
  })

  test('keeps its process where it was asked to, or has a directory of the caller’s', async () => {
    const dataDir = temporary()
    const lasting = await script(`const griot = await Griot.start({ dataDir: '${dataDir}' })
      console.log(griot.dataDir)`)
    const asked = await script(`${START}\ngriot.ref()`)
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    for (const { run } of [lasting, asked]) {
      expect([run.exitCode, run.signalCode]).toEqual([null, null])
      run.kill('SIGINT')
    }
    await Promise.all([lasting.ended, asked.ended])
    await gone(asked.printed)
    expect(readdirSync(dataDir)).toContain('griot.json')
  })

  test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
    'leaves no directory when %s ends its process',
    async (signal) => {
      const { run, printed, ended } = await script(`${START}\ngriot.ref()`)
      expect(readdirSync(printed)).toContain('griot.json')
      run.kill(signal)
      expect(await ended).toEqual([null, signal])
      await gone(printed)
    },
  )

  test('leaves no directory when its worker thread is cut off', async () => {
    const entry = path.join(import.meta.dirname, '../../dist/index.cjs')
    const body = `const { Griot } = require(${JSON.stringify(entry)})
      Griot.start().then((griot) => require('node:worker_threads').parentPort.postMessage(griot.dataDir))
      setInterval(() => {}, 1_000)`
    const worker = new Worker(body, { eval: true })
    const [directory] = await once(worker, 'message')
    await worker.terminate()
    await gone(directory)
  })
})

test('what a killed run left behind is removed by the next', async () => {
  // as where there is no shell
  const {
    run,
    printed: left,
    ended,
  } = await script(`const griot = await Griot.start()
    const { pid } = process
    const { readFileSync, readdirSync } = await import('node:fs')
    const reaper = readdirSync('/proc').find((name) => {
      try {
        return readFileSync('/proc/' + name + '/cmdline', 'utf8').endsWith('griot-reaper\\0' + griot.dataDir + '\\0')
      } catch {}
    })
    if (reaper) process.kill(Number(reaper), 'SIGKILL')
    griot.ref()
    console.log(griot.dataDir)`)
  run.kill('SIGKILL')
  await ended
  expect(readdirSync(left)).toContain('griot.json')
  // a caller's Date does not make other engines' directories look old
  vi.setSystemTime(new Date('2099-01-01'))
  const starting = path.join(path.dirname(left), 'griot-tmp-0123456789ab')
  mkdirSync(starting, { recursive: true })
  directories.push(starting)
  const next = await start()
  await next.close()
  vi.useRealTimers()
  expect(existsSync(left)).toBe(false)
  expect(existsSync(starting)).toBe(true)
})
