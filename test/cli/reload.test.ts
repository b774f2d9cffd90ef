/** SIGHUP: what changes while the engine runs, what does not, and what a broken file does. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { GriotProcess } from './griot-process.ts'

let directory: string
let file: string
let engine: GriotProcess
beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-reload-'))
  file = path.join(directory, 'griot.yaml')
})
afterEach(async () => {
  await engine?.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

const fixed = ['kafka-listen: 127.0.0.1:0', 'http-listen: 127.0.0.1:0', 'memory: 64M', 'brokers: 1']
const write = (...lines: string[]) => writeFileSync(file, `${[...fixed, ...lines].join('\n')}\n`)

async function start(args: readonly string[] = ['--config', file]): Promise<string> {
  engine = new GriotProcess(['start', '--data-dir', path.join(directory, 'data'), ...args])
  return (await engine.prints(/Kafka\s+(127\.0\.0\.1:\d+)/))[1]!
}

/** The lines that are logged until one says `message`, from the last call on. */
async function logged(message: string): Promise<Record<string, unknown>[]> {
  const deadline = performance.now() + 15_000
  for (;;) {
    const lines = engine.stderr
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
    if (lines.some((line) => line.message.startsWith(message))) {
      engine.stderr = engine.stderr.slice(engine.stderr.lastIndexOf('\n') + 1)
      return lines
    }
    if (performance.now() > deadline) throw new Error(`not logged: ${message}\n${engine.stderr}`)
    await sleep(10)
  }
}

async function hangUp(message: string): Promise<Record<string, unknown>[]> {
  engine.stderr = ''
  engine.child.kill('SIGHUP')
  const lines = await logged(message)
  // what belongs to it follows at once
  await sleep(100)
  const rest = engine.stderr.split('\n').slice(0, -1)
  const all = [...lines, ...rest.map((line) => JSON.parse(line))]
  // the start may not be through with what it tells
  return all.filter((line) =>
    /^(option|configuration|nothing to read)/.test(line.message as string),
  )
}

async function withAdmin<T>(
  bootstrap: string,
  use: (admin: Admin, kafka: Kafka) => Promise<T>,
): Promise<T> {
  const [host, port] = bootstrap.split(':') as [string, string]
  const kafka = new Kafka({
    brokers: [bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
    // whatever is advertised, this is where it is
    socketFactory: ({ onConnect }) => connect({ host, port: Number(port) }, onConnect),
  })
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await use(admin, kafka)
  } finally {
    await admin.disconnect()
  }
}

describe('SIGHUP', () => {
  test('changes what can change at once, for clients that are connected as well', async () => {
    write('log-level: error', 'auto-create-topics: true', 'default-partitions: 2')
    const bootstrap = await start()
    await withAdmin(bootstrap, async (admin, kafka) => {
      write(
        ...['log-level: info', 'auto-create-topics: false', 'default-partitions: 7'],
        ...['kafka-advertise: kafka.example:19092', 'stop-timeout: 9s', 'disk-reserve: 1M'],
      )
      const lines = await hangUp('configuration read again')
      expect(lines[0]).toMatchObject({ level: 'info', file, changed: 6 })
      const changes = lines
        .slice(1)
        .map(({ message, option, before, after }) => [message, option, before, after])
      expect(changes).toEqual([
        ['option changed', 'kafka-advertise', 'none', 'kafka.example:19092'],
        ['option changed', 'stop-timeout', '8000ms', '9000ms'],
        ['option changed', 'log-level', 'error', 'info'],
        ['option changed', 'auto-create-topics', 'true', 'false'],
        ['option changed', 'default-partitions', '2', '7'],
        ['option changed', 'disk-reserve', '5%,2147483648', '1048576'],
      ])
      const { brokers } = await admin.describeCluster()
      expect(brokers).toEqual([{ nodeId: 1, host: 'kafka.example', port: 19_092 }])
      await admin.createTopics({ topics: [{ topic: 'seven' }] })
      const { topics } = await admin.fetchTopicMetadata({ topics: ['seven'] })
      expect(topics[0]!.partitions).toHaveLength(7)
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [
          { type: 4, name: '1', configNames: ['num.partitions', 'auto.create.topics.enable'] },
        ],
      })
      const values = Object.fromEntries(
        resources[0]!.configEntries.map(({ configName, configValue }) => [configName, configValue]),
      )
      expect(values).toEqual({ 'num.partitions': '7', 'auto.create.topics.enable': 'false' })
      const producer = kafka.producer({ allowAutoTopicCreation: true, retry: { retries: 0 } })
      await producer.connect()
      await expect(producer.send({ topic: 'none', messages: [{ value: '' }] })).rejects.toThrow()
      await producer.disconnect()
    })
    expect(await hangUp('configuration read again')).toMatchObject([{ changed: 0 }])
  })

  test('reports at the old level what raises it, and nothing of that level after it', async () => {
    write('log-level: info')
    await start()
    write('log-level: error')
    expect(await hangUp('configuration read again')).toMatchObject([
      { level: 'info', changed: 1 },
      { message: 'option changed', option: 'log-level', before: 'info', after: 'error' },
    ])
    write('log-level: error', 'default-partitions: 9')
    engine.stderr = ''
    engine.child.kill('SIGHUP')
    // heard for certain when what comes after it is refused
    await sleep(200)
    write('log-level: error', 'default-partitions: 0')
    engine.child.kill('SIGHUP')
    expect((await logged('configuration not read again')).map(({ level }) => level)).toEqual([
      'error',
    ])
  })

  test('refuses produce below the new mark of the disk, and takes it again', async () => {
    write()
    const bootstrap = await start()
    const url = /HTTP\s+(http:\S+)/.exec(engine.stdout)![1]
    await withAdmin(bootstrap, async (_admin, kafka) => {
      const producer = kafka.producer({ retry: { retries: 0 } })
      await producer.connect()
      const produce = () => producer.send({ topic: 't', messages: [{ value: 'x' }] })
      await produce().catch(() => {})
      await produce()
      // bytes, so that it is more than any machine has free
      write('disk-reserve: 9000000G')
      await hangUp('configuration read again')
      await expect(produce()).rejects.toThrow(/storage|disk/i)
      const health = (await (await fetch(`${url}/health`)).json()) as { status: string }
      expect(health.status).toBe('degraded')
      write('disk-reserve: 1M')
      await hangUp('configuration read again')
      await produce()
      await producer.disconnect()
    })
  })

  test('closes connections that are idle for as long as is said now', async () => {
    write()
    const bootstrap = await start()
    const socket = connect(Number(bootstrap.split(':')[1]), '127.0.0.1')
    await once(socket, 'connect')
    const closed = once(socket, 'close')
    socket.resume()
    write('connections-max-idle: 1s')
    await hangUp('configuration read again')
    await closed
  })

  test('lists what needs a restart with its old and new value, each time, and leaves it alone', async () => {
    write('log-level: info')
    await start(['--config', file, '--stop-timeout', '7s'])
    writeFileSync(
      file,
      'kafka-listen: [127.0.0.1:0, 127.0.0.1:19]\nkafka-advertise: k\nhttp-listen: "off"\nadmin-listen: 127.0.0.1:0\nmemory: 80M\n' +
        'brokers: 1\nstop-timeout: 5s\nlog-level: info\n',
    )
    // two listeners, and one --kafka-advertise: unclear
    const [unclear] = await hangUp('configuration not read again')
    expect(unclear!.reason).toContain('--kafka-advertise: k can be for only one of the listeners')
    writeFileSync(
      file,
      'kafka-listen: [127.0.0.1:0, 127.0.0.1:19=x]\nkafka-advertise: k\nhttp-listen: "off"\nadmin-listen: 127.0.0.1:0\nmemory: 80M\n' +
        'brokers: 1\nstop-timeout: 5s\nlog-level: info\n',
    )
    for (let round = 0; round < 2; round++) {
      const lines = await hangUp('configuration read again')
      expect(lines[0]).toMatchObject({ changed: 0 })
      expect(
        lines
          .slice(1, -1)
          .map(({ level, message, option, before, after }) => [
            level,
            message,
            option,
            before,
            after,
          ]),
      ).toEqual([
        [
          'warn',
          'option not changed: it needs a restart',
          'kafka-listen',
          '127.0.0.1:0',
          '127.0.0.1:0,127.0.0.1:19=x',
        ],
        ['warn', 'option not changed: it needs a restart', 'kafka-advertise', 'none', 'k'],
        ['warn', 'option not changed: it needs a restart', 'http-listen', '127.0.0.1:0', 'off'],
        ['warn', 'option not changed: it needs a restart', 'admin-listen', 'none', '127.0.0.1:0'],
        ['warn', 'option not changed: it needs a restart', 'memory', '64 MB', '80 MB'],
      ])
      expect(lines.at(-1)).toMatchObject({ options: 'stop-timeout (option --stop-timeout)' })
    }
  })

  const broken: [string, string | null, RegExp][] = [
    ['no YAML', 'log-level: debug\nbrokers: [\n', /griot\.yaml, line [23] cannot be parsed/],
    ['an empty file', '\n', /option --config: .*griot\.yaml is empty/],
    [
      'an unknown option',
      'log-level: debug\n\nbrokrs: 3\n',
      /unknown key brokrs of .*griot\.yaml, line 3 \(did you mean brokers\?\)/,
    ],
    [
      'a wrong value',
      'log-level: debug\ndefault-partitions: 0\n',
      /key default-partitions of .*griot\.yaml, line 2: 0 is refused, it wants a whole number from 1 to 10000/,
    ],
    [
      'a wrong value of what a flag hides',
      'log-level: debug\ndata-dir: ""\n',
      /key data-dir of .*griot\.yaml, line 2: "" is refused/,
    ],
    [
      'addresses that collide',
      'log-level: debug\nkafka-listen: 127.0.0.1:5,127.0.0.1:5\n',
      /--kafka-listen 127\.0\.0\.1:5 and --kafka-listen 127\.0\.0\.1:5 overlap/,
    ],
    [
      'a token that is none',
      `log-level: debug\ntoken-file: ${os.devNull}\n`,
      /option --token-file: the operator token in .* cannot be read: not a file/,
    ],
    ['no file', null, /option --config: cannot read .*griot\.yaml \(ENOENT\)/],
  ]
  test('changes nothing for a broken file', async () => {
    write('log-level: info')
    const bootstrap = await start()
    for (const [name, text, reason] of broken) {
      if (text === null) rmSync(file)
      else writeFileSync(file, text)
      const lines = await hangUp('configuration not read again')
      expect(lines, name).toEqual([
        expect.objectContaining({
          level: 'error',
          message: 'configuration not read again: nothing has changed',
          file,
          reason: expect.stringMatching(reason),
        }),
      ])
      write('log-level: info')
      expect(await hangUp('configuration read again'), name).toMatchObject([{ changed: 0 }])
    }
    await withAdmin(bootstrap, (admin) => admin.describeCluster())
  }, 20_000)

  test('changes nothing where some of it cannot be changed, and everything the next time', async () => {
    write('log-level: info')
    const bootstrap = await start()
    const dataDir = path.join(directory, 'data')
    write('log-level: debug', 'default-partitions: 7')
    renameSync(dataDir, `${dataDir}.away`)
    const lines = await hangUp('configuration not read again')
    expect(lines).toEqual([
      expect.objectContaining({
        message: 'configuration not read again: nothing has changed',
        reason: expect.stringMatching(/operator-token cannot be written: ENOENT$/),
      }),
    ])
    renameSync(`${dataDir}.away`, dataDir)
    await withAdmin(bootstrap, async (admin) => {
      await admin.createTopics({ topics: [{ topic: 'a' }] })
      const { topics } = await admin.fetchTopicMetadata({ topics: ['a'] })
      expect(topics[0]!.partitions).toHaveLength(4)
    })
    expect(await hangUp('configuration read again')).toMatchObject([
      { changed: 2 },
      { option: 'log-level' },
      { option: 'default-partitions' },
    ])
  })

  test('takes a pipe of its own at the start, and refuses to read it again', async () => {
    const args = ['start', '--data-dir', path.join(directory, 'data'), '--config', '/dev/stdin']
    engine = new GriotProcess(args, {}, 'pipe')
    engine.child.stdin!.end(`${fixed.join('\n')}\nlog-level: info\n`)
    await engine.prints(/Kafka\s+(127\.0\.0\.1:\d+)/)
    const [line] = await hangUp('configuration not read again')
    expect(line).toMatchObject({
      reason: expect.stringMatching(/\/dev\/stdin \(not a file, but a/),
    })
  })

  test('logs that there is nothing to read without --config, and during the start waits for its end', async () => {
    engine = new GriotProcess([
      ...['start', '--data-dir', path.join(directory, 'data'), '--memory', '64M', '--brokers', '1'],
      ...['--kafka-listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0'],
    ])
    // from when on it knows the signal, and long before it is ready
    while (!existsSync(path.join(directory, 'data/lock'))) await sleep(1)
    expect(engine.stdout).toBe('')
    engine.child.kill('SIGHUP')
    await engine.prints(/ready in/)
    await logged('nothing to read again')
    const lines = await hangUp('nothing to read again')
    expect(lines).toMatchObject([
      { level: 'info', message: 'nothing to read again: started without --config' },
    ])
    expect((await engine.kill('SIGTERM')).code).toBe(0)
  })

  test('finds the engine alive when whoever read its log is gone', async () => {
    write('log-level: info')
    await start()
    const url = /HTTP\s+(http:\S+)/.exec(engine.stdout)![1]
    engine.child.stderr!.destroy()
    engine.child.stdout!.destroy()
    write('log-level: debug')
    for (let round = 0; round < 3; round++) {
      engine.child.kill('SIGHUP')
      await sleep(100)
      expect((await fetch(`${url}/health`)).status).toBe(200)
    }
    expect((await engine.kill('SIGTERM')).code).toBe(0)
  })

  const hasScript = /util-linux/.test(String(spawnSync('script', ['--version']).stdout))
  test.skipIf(!hasScript)('stops cleanly when its terminal is closed', async () => {
    const dataDir = path.join(directory, 'data')
    const launcher = path.join(import.meta.dirname, '../../dist/griot.cjs')
    write('log-level: info')
    const command = `${process.execPath} ${launcher} start --data-dir ${dataDir} --config ${file}`
    const terminal = spawn('script', ['-qfc', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      // under npm it would stop with its parent anyway
      env: { ...process.env, npm_lifecycle_event: undefined },
    })
    let screen = ''
    for await (const chunk of terminal.stdout) {
      screen += chunk
      if (/Try /.test(screen)) break
    }
    const { pid } = JSON.parse(readFileSync(path.join(dataDir, 'lock/1.claim'), 'utf8'))
    expect(existsSync(path.join(dataDir, 'endpoints.json'))).toBe(true)
    terminal.kill('SIGKILL')
    const deadline = performance.now() + 10_000
    const isAlive = () => {
      try {
        return process.kill(pid, 0)
      } catch {
        return false
      }
    }
    while (isAlive() && performance.now() < deadline) await sleep(20)
    expect(isAlive()).toBe(false)
    // what a killed engine would leave
    expect(existsSync(path.join(dataDir, 'endpoints.json'))).toBe(false)
  })

  test('gives the new operator token of the file to those who ask', async () => {
    const tokenFile = path.join(directory, 'token')
    writeFileSync(tokenFile, 'first-token-0123456')
    writeFileSync(
      file,
      `kafka-listen: 127.0.0.1:0\nhttp-listen: 0.0.0.0:0\nmemory: 64M\nbrokers: 1\ntoken-file: ${tokenFile}\n`,
    )
    await start()
    const url = /HTTP\s+(http:\S+)/.exec(engine.stdout)![1]
    expect(engine.stdout).toContain('/metrics with the operator token')
    const statusWith = async (token: string) =>
      (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).status
    expect(await statusWith('first-token-0123456')).toBe(200)
    writeFileSync(tokenFile, 'second-token-0123456\n')
    await hangUp('configuration read again')
    expect(await statusWith('first-token-0123456')).toBe(401)
    expect(await statusWith('second-token-0123456')).toBe(200)
    expect(engine.stdout + engine.stderr).not.toMatch(/(first|second)-token/)
  })
})
