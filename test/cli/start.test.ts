import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isWhole } from '../server/quorum.ts'
import { GriotProcess, griot, takePort } from './griot-process.ts'

let directory: string
let dataDir: string
const running: GriotProcess[] = []

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-cli-'))
  dataDir = path.join(directory, 'data')
})
afterEach(async () => {
  for (const process of running.splice(0)) await process.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

const anyPorts = [
  '--kafka-listen',
  '127.0.0.1:0',
  '--http-listen',
  '127.0.0.1:0',
  '--memory',
  '64M',
]

function start(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): GriotProcess {
  const process = new GriotProcess(['start', '--data-dir', dataDir, ...anyPorts, ...args], env)
  running.push(process)
  return process
}

async function urlOf(engine: GriotProcess): Promise<string> {
  return (await engine.prints(/HTTP\s+(http:\S+)/))[1]!
}

describe('griot start', () => {
  test.each([
    [['127.0.0.1:0,tenant=acme', '127.0.0.1:0'], 'broker 1'],
    [['127.0.0.1:0,tenant=acme', '127.0.0.1:0,tenant=default'], 'broker 1, the tenant default'],
    [['127.0.0.1:0,tenant=acme'], null],
  ])(
    'proposes no listener of a tenant that may not be there yet: %j',
    async (listens, what) => {
      const engine = new GriotProcess([
        ...['start', '--data-dir', dataDir, '--brokers', '1', '--http-listen', 'off'],
        ...listens.flatMap((listen) => ['--kafka-listen', listen]),
      ])
      running.push(engine)
      await engine.prints(/power loss.*\n/)
      await engine.kill('SIGTERM')
      const proposed = / kcat -b (\S+) /.exec(engine.stdout)?.[1]
      if (what === null) expect(proposed).toBe(undefined)
      else expect(engine.stdout).toContain(` ${proposed} (${what})\n`)
    },
    30_000,
  )

  test('prints one screen when it is ready, and nothing secret or else', async () => {
    const engine = start()
    await engine.prints(/Try .*\n/)
    expect(engine.stdout).toMatch(
      new RegExp(
        [
          String.raw`^griot \d+\.\d+\.\d+ ready in \d+ ms`,
          '',
          String.raw`  Kafka     127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+, 127\.0\.0\.1:\d+ \(brokers 1 to 3\)`,
          String.raw`  HTTP      http://127\.0\.0\.1:\d+ \(/health, /metrics\)`,
          `  Data      ${dataDir}`,
          '  Memory    64 MB at most .*',
          '  Survives  death of a thread or of the process .*',
          '            power loss: only topics with flush.messages=1',
          String.raw`  Try       echo hello \| kcat -b 127\.0\.0\.1:\d+ -P -t greetings && kcat -b 127\.0\.0\.1:\d+ -C -t greetings -e`,
          '$',
        ].join('\n'),
      ),
    )
    expect(statSync(dataDir).mode & 0o777).toBe(0o700)
  })

  test('tells every listener, what its clients are told, and where the token is asked for', async () => {
    const token = 'a-token-that-nobody-prints'
    const process = new GriotProcess(
      [
        ...[
          'start',
          '--data-dir',
          dataDir,
          '--memory',
          '64M',
          '--brokers',
          '2',
          '--log-level',
          'trace',
        ],
        ...['--kafka-listen', '127.0.0.1:0', '--kafka-listen', '0.0.0.0:0=kafka.example'],
        ...['--kafka-listen', '[::1]:0=[fd00::1]:29092', '--kafka-advertise', 'inner.example:700'],
        ...['--http-listen', '127.0.0.1:0', '--admin-listen', '0.0.0.0:0'],
      ],
      { GRIOT_TOKEN: token },
    )
    running.push(process)
    await process.prints(/Try .*\n/)
    const screen = process.stdout.replaceAll(/:(\d{4,5})\b(?<!:29092|:700)/g, ':PORT')
    const lines = screen.split('\n').slice(2, 11)
    expect(lines.map((line) => line.replace(/to \d+$/, 'to LAST'))).toEqual([
      '  Kafka     127.0.0.1:PORT, 127.0.0.1:PORT (brokers 1 to 2)',
      '            clients are told inner.example:700 to LAST',
      '            0.0.0.0:PORT, 0.0.0.0:PORT (brokers 1 to 2)',
      '            clients are told kafka.example:PORT to LAST',
      '            [::1]:PORT, [::1]:PORT (brokers 1 to 2)',
      '            clients are told [fd00::1]:29092 to LAST',
      '  Warning   at 0.0.0.0:PORT no client gets in: logins want TLS, or --kafka-allow-plaintext-sasl; anonymous access wants --kafka-anonymous on',
      '  HTTP      http://127.0.0.1:PORT (/health/live)',
      '  Admin     http://127.0.0.1:PORT and every other address of this machine (/health, /metrics with the operator token)',
    ])
    // the default way to the engine is its data directory's
    const asked = await griot(['health', '--data-dir', dataDir])
    expect([asked.code, asked.stdout]).toEqual([0, expect.stringContaining('serving: griot')])
    const ended = await process.kill('SIGTERM')
    const warned = ended.stderr.split('\n').filter((line) => line.includes('"level":"warn"'))
    expect(warned.map((line) => JSON.parse(line))).toMatchObject([
      {
        message: expect.stringContaining('beyond loopback: no client gets in'),
        kafkaListen: expect.stringMatching(/^0\.0\.0\.0:\d+$/),
      },
    ])
    expect(ended.stdout + ended.stderr).not.toContain(token)
    const gone = await griot(['health'], { GRIOT_DATA_DIR: dataDir })
    expect([gone.code, gone.stderr]).toEqual([
      1,
      expect.stringContaining(`griot: no engine runs in data directory ${dataDir}; `),
    ])
  })

  test('puts bytes aside for the day on which the disk is full, once it has started', async () => {
    const engine = start(['--brokers', '1', '--disk-reserve', '0'])
    await engine.prints(/Try .*\n/)
    const reserve = path.join(dataDir, 'broker-1/reserve')
    const deadline = performance.now() + 10_000
    const size = () => statSync(reserve, { throwIfNoEntry: false })?.size ?? 0
    while (size() < 2 ** 20 && performance.now() < deadline) await sleep(50)
    expect(size()).toBeGreaterThanOrEqual(2 ** 20)
  })

  test('takes options from a file and the environment, the flag first', async () => {
    const config = path.join(directory, 'griot.yaml')
    writeFileSync(config, 'brokers: 5\nlog-level: error\n')
    const engine = start(['--config', config, '--brokers', '1'], { GRIOT_BROKERS: '2' })
    await engine.prints(/\(broker 1\)/)
  })

  test('serves health while it runs, to the command as well', async () => {
    const engine = start()
    const url = await urlOf(engine)
    const asked = await griot(['health', '--url', url])
    expect([asked.code, asked.stdout]).toEqual([
      0,
      expect.stringMatching(/^serving: griot .* brokers 3, up/),
    ])
    const json = await griot(['health', '--json'], { GRIOT_URL: url })
    expect(JSON.parse(json.stdout)).toMatchObject({ status: 'serving', brokers: 3 })
    const metrics = await (await fetch(`${url}/metrics`)).text()
    expect(metrics).toMatch(/^griot_thread_state\{.*thread="broker-1-3".*state="running".*\} 1$/m)
  })

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'ends with 0 after %s and can be started again',
    async (signal) => {
      const engine = start()
      await engine.prints(/ready in/)
      const ended = await engine.kill(signal)
      expect([ended.code, ended.signal]).toEqual([0, null])
      const again = start()
      await again.prints(/ready in/)
      expect((await again.kill(signal)).code).toBe(0)
    },
  )

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'ends with 0 after %s while it starts, and waits for the metadata that most brokers have lost',
    async (signal) => {
      const engine = start()
      const [, brokers] = await engine.prints(/Kafka +(.*) \(brokers/)
      await isWhole(brokers!.split(', '))
      await engine.kill('SIGTERM')
      for (const broker of [2, 3])
        rmSync(path.join(dataDir, `broker-${broker}`), { recursive: true })
      const waiting = start(['--stop-timeout', '4s'])
      const reason = /^starting: griot .*\n {2}the engine is starting; nobody leads the controllers/
      const deadline = performance.now() + 10_000
      let asked = await griot(['health', '--data-dir', dataDir])
      while (!reason.test(asked.stdout) && performance.now() < deadline) {
        await sleep(200)
        asked = await griot(['health', '--data-dir', dataDir])
      }
      expect(asked.stdout).toMatch(reason)
      expect([asked.code, waiting.stdout]).toEqual([1, ''])
      const before = performance.now()
      const ended = await waiting.kill(signal)
      expect([ended.code, ended.signal]).toEqual([0, null])
      expect(performance.now() - before).toBeLessThan(2_000)
      expect(ended.stderr).not.toContain('the rest was cut')
      expect(ended.stderr).toContain('"message":"stopped"')
    },
  )

  test('stops while clients are connected, within its stop timeout', async () => {
    const engine = start(['--stop-timeout', '3s'])
    const [, port] = await engine.prints(/Kafka\s+127\.0\.0\.1:(\d+)/)
    const socket = connect(Number(port), '127.0.0.1')
    await new Promise((resolve) => socket.once('connect', resolve))
    socket.on('error', () => {})
    const before = performance.now()
    expect((await engine.kill('SIGTERM')).code).toBe(0)
    expect(performance.now() - before).toBeLessThan(6_000)
    socket.destroy()
  })

  test('ends at once at a second signal', async () => {
    const engine = start(['--stop-timeout', '20s'])
    await engine.prints(/ready in/)
    // a stopped process takes both signals in one go, so that no stop can be quick enough
    engine.child.kill('SIGSTOP')
    engine.child.kill('SIGTERM')
    engine.child.kill('SIGINT')
    engine.child.kill('SIGCONT')
    const { code } = await engine.ended()
    expect([130, 143]).toContain(code)
  })

  test('keeps to its directory after kill -9, and restarts at once', async () => {
    const engine = start()
    await engine.prints(/ready in/)
    expect((await engine.kill('SIGKILL')).signal).toBe('SIGKILL')
    const again = start()
    await again.prints(/ready in/)
  })
})

describe('griot start is refused, with one clear line, when', () => {
  const refused = async (args: readonly string[], message: string | RegExp, code = 1) => {
    const ended = await griot(['start', '--data-dir', dataDir, ...anyPorts, ...args])
    expect(ended.stderr).toMatch(message)
    expect([ended.code, ended.stdout]).toEqual([code, ''])
    expect(ended.stderr).not.toContain('    at ')
  }

  test('another engine has the data directory', async () => {
    const engine = start()
    await engine.prints(/ready in/)
    await refused(
      [],
      `griot: data directory ${dataDir} is in use by process ${engine.child.pid} on host ${os.hostname()}`,
    )
    expect((await engine.kill('SIGTERM')).code).toBe(0)
  })

  test('the number of brokers differs from the first start’s', async () => {
    const engine = start(['--brokers', '2'])
    await engine.prints(/ready in/)
    await engine.kill('SIGTERM')
    await refused(['--brokers', '3'], /was made with --brokers 2, this start asks for --brokers 3/)
  })

  test('a port is taken; and nothing is left behind', async () => {
    const taken = await takePort()
    const address = `127.0.0.1:${taken.port}`
    await refused(
      ['--kafka-listen', address],
      new RegExp(`--kafka-listen: port ${taken.port} on 127.0.0.1 is taken`),
    )
    await refused(
      ['--http-listen', address],
      new RegExp(`--http-listen: 127.0.0.1:${taken.port} is taken`),
    )
    // nor is the directory made for the number of brokers of a start that was none
    expect(existsSync(path.join(dataDir, 'griot.json'))).toBe(false)
    taken.close()
    const engine = start(['--kafka-listen', address, '--brokers', '1'])
    await engine.prints(/ready in/)
  })

  test('the data directory is a file, or made by a newer version', async () => {
    writeFileSync(dataDir, '')
    await refused([], /cannot be used: it is not a directory/)
    rmSync(dataDir)
    const engine = start()
    await engine.prints(/ready in/)
    await engine.kill('SIGTERM')
    writeFileSync(
      path.join(dataDir, 'griot.json'),
      '{"format": 99, "cells": 1, "brokersPerCell": 3}',
    )
    await refused([], /has data format 99, this version reads up to 1/)
  })

  test('an option is wrong, before anything is made', async () => {
    await refused(
      ['--brokers', 'many'],
      /griot: option --brokers: "many" is refused, it wants a whole number/,
      2,
    )
    await refused(
      ['--brokrs', '3'],
      /griot: unknown option '--brokrs'\n\(Did you mean --brokers\?\)/,
      2,
    )
    await refused(['--kafka-listen', 'h:1,h:2'], /--kafka-listen h:2 .* overlap/, 2)
    await refused(['--token-file', ''], /option --token-file: "" is refused/, 2)
    await refused(['--cells', '2'], /option --cells: "2" is refused, it accepts only 1/, 2)
    await refused(['surplus'], /too many arguments/, 2)
    expect(existsSync(dataDir)).toBe(false)
    // read only once the directory is locked
    await refused(['--token-file', '/none'], /token in \/none cannot be read: ENOENT/, 2)
  })
})

describe('griot start under npm', () => {
  test.skipIf(os.platform() === 'win32')(
    'stops when the shell that npm runs it in has ended without passing the signal on',
    async () => {
      const launcher = path.join(import.meta.dirname, '../../dist/griot.cjs')
      const command = `"${process.execPath}" "${launcher}" start --data-dir "${dataDir}" ${anyPorts.join(' ')}`
      // a second command keeps the shell from replacing itself by the engine
      const shell = spawn('sh', ['-c', `${command}; exit $?`], {
        env: { ...process.env, npm_lifecycle_event: 'start' },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let log = ''
      shell.stderr.on('data', (chunk) => (log += chunk))
      await once(shell.stdout, 'data')
      // the engine holds the pipes: they close once it has ended too
      const closed = once(shell, 'close')
      shell.kill('SIGTERM')
      await closed
      expect(log).toContain('npm has ended')
      expect(log).toContain('"message":"stopped"')
    },
    20_000,
  )
})

test('a data directory is started again with the number of brokers that it was made for', async () => {
  const first = start(['--brokers', '2'])
  await first.prints(/Try .*\n/)
  await first.kill('SIGTERM')
  const second = start()
  await second.prints(/\(brokers 1 to 2\)/)
})
