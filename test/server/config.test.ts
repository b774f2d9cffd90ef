import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  ConfigError,
  type ConfigSources,
  resolveAll,
  resolveSettings,
  resolveToken,
} from '../../src/server/config.ts'
import {
  type GriotOptions,
  resolveEmbedded,
  resolveEmbeddedToken,
} from '../../src/server/embedded-options.ts'
import { envName, OPTIONS } from '../../src/server/options.ts'

const directory = mkdtempSync(path.join(os.tmpdir(), 'griot-config-'))
afterAll(() => rmSync(directory, { recursive: true }))

const file = (name: string, text: string): string => {
  const at = path.join(directory, name)
  writeFileSync(at, text)
  return at
}

const resolve = (sources: Partial<ConfigSources>) =>
  resolveSettings({ flags: {}, env: {}, configFile: null, ...sources })

const TLS = { 'kafka-listen': 'h:1,tls', 'tls-cert': '/c' }
const files = () => ({ one: '/a', two: '/b', means: '/b', bad: [''] })

/** Per option: two good values as text, the second one's meaning, and bad ones. */
const VALUES: Readonly<
  Record<
    string,
    {
      one: string
      two: string
      means: unknown
      bad: string[]
      /** What it cannot be without. */
      beside?: Record<string, string>
    }
  >
> = {
  'data-dir': { one: '/a', two: '/b', means: '/b', bad: [''] },
  'kafka-listen': {
    one: '127.0.0.1:9092',
    two: '[::1]:0,anonymous=off,0.0.0.0:19092=[fd00::1]:29092,tenant=acme, h:1=k.example',
    means: [
      { host: '::1', port: 0, advertise: null, anonymous: false },
      {
        host: '0.0.0.0',
        port: 19_092,
        advertise: { host: 'fd00::1', port: 29_092 },
        tenant: 'acme',
      },
      { host: 'h', port: 1, advertise: { host: 'k.example', port: null } },
    ],
    bad: [
      ...['9092', 'host', 'host:70000', 'a:b:1', 'http://h:1', '::1', '[::g]:1', 'h:1,', ''],
      ...['h:1=', 'h:1=a=b', 'h:1=k:0', 'h:1=0.0.0.0:9092', 'h:1=[::]', 'h:1,h'],
      ...['anonymous=on', 'h:1,anonymous', 'h:1,anonymous=maybe', 'h:1,constructor'],
      ...['h:1,anonymous=on,anonymous=on', 'h:1,anonymous=on=off', 'h:1,tls=on', 'h:1,tls,tls'],
      ...[
        'h:1,tenant',
        'h:1,tenant=',
        'h:1,tenant=A',
        'h:1,tenant=a/b',
        `h:1,tenant=${'a'.repeat(64)}`,
      ],
    ],
  },
  'kafka-advertise': {
    one: 'a',
    two: 'b.example:19092',
    means: { host: 'b.example', port: 19_092 },
    bad: ['b:0', 'b:x', '', '0.0.0.0', '[::]:1', 'a,b', '::1'],
  },
  'kafka-anonymous': { one: 'auto', two: 'off', means: 'off', bad: ['yes', 'loopback', ''] },
  'kafka-allow-plaintext-sasl': { one: 'false', two: 'on', means: true, bad: ['plain', '2'] },
  'http-listen': {
    one: 'off',
    two: '0.0.0.0:80',
    means: { host: '0.0.0.0', port: 80 },
    bad: ['80'],
  },
  'admin-listen': {
    one: '127.0.0.1:1',
    two: '[::]:8083',
    means: { host: '::', port: 8_083 },
    bad: ['off', '80', '::1'],
  },
  'http-allow-host': {
    one: 'a',
    two: 'Metrics.example, .lan',
    means: ['metrics.example', '.lan'],
    bad: ['', 'a:80', '*', 'a,', 'http://a', '..a', 'a..b', 'a b', 'x'.repeat(254)],
  },
  'token-file': { one: '/a', two: '/b', means: '/b', bad: [''] },
  brokers: { one: '1', two: '5', means: 5, bad: ['0', '17', '-1', '1.5', 'three', ''] },
  cells: { one: '1', two: '1', means: 1, bad: ['2', '0', 'x'] },
  rack: {
    one: '1=a',
    two: '1=a, 3=rack c',
    means: { 1: 'a', 3: 'rack c' },
    bad: ['a', '1', '1=', '=a', '0=a', 'x=a', '1=a,1=b', `1=${'x'.repeat(250)}`],
  },
  memory: {
    one: '64M',
    two: '100m',
    means: 100 * 2 ** 20,
    bad: ['1K', '64X', '1000G', 'lots', '-5'],
  },
  'stop-timeout': { one: '1s', two: '1500ms', means: 1_500, bad: ['8', '8 h', '11m', 'soon'] },
  'log-level': { one: 'warn', two: 'debug', means: 'debug', bad: ['verbose', 'INFO', ''] },
  'auto-create-topics': { one: 'true', two: 'off', means: false, bad: ['maybe', '2'] },
  'default-partitions': { one: '1', two: '12', means: 12, bad: ['0', '10001', 'x'] },
  'disk-reserve': {
    one: '1G',
    two: '5%,1M',
    means: { bytes: 2 ** 20, fraction: 0.05 },
    bad: ['x', '95%', '5%%'],
  },
  'broker-config': {
    one: 'log.retention.hours=1',
    two: 'log.retention.hours=24,log.cleanup.policy=compact,delete',
    means: { 'log.retention.hours': '24', 'log.cleanup.policy': 'compact,delete' },
    bad: ['x', '=1', 'log.retention.hours=soon', 'log.retention.hour=1', 'node.id=7'],
  },
  chaos: { one: 'false', two: 'on', means: true, bad: ['monkey', '2'] },
  'tls-cert': { ...files(), beside: { 'kafka-listen': 'h:1,tls' } },
  'tls-key': { ...files(), beside: TLS },
  'tls-key-passphrase-file': { ...files(), beside: TLS },
  'tls-client-ca': { ...files(), beside: TLS },
  'tls-client-auth': {
    ...{ one: 'required', two: 'requested', means: 'requested', bad: ['optional', ''] },
    beside: { ...TLS, 'tls-client-ca': '/ca' },
  },
  'tls-crl': { ...files(), beside: { ...TLS, 'tls-client-ca': '/ca' } },
  'tls-sni-cert': {
    one: 'a.b=/c',
    two: 'A.b=/c,*.k.example=/d',
    means: [
      { name: 'a.b', file: '/c' },
      { name: '*.k.example', file: '/d' },
    ],
    bad: ['', 'a.b', 'a.b=', '=/c', '*=/c', 'a..b=/c', 'a=/c,A=/d'],
    beside: TLS,
  },
  'tls-principal-mapping': {
    one: 'DEFAULT',
    two: 'RULE:^CN=(.*?),.*$/$1/L, DEFAULT',
    means: 'RULE:^CN=(.*?),.*$/$1/L, DEFAULT',
    bad: ['', 'DEFAULT,x', 'RULE:a/b', 'RULE:(/b/', 'RULE:a/b/x'],
    beside: TLS,
  },
  'tls-sni-domain': {
    one: 'a',
    two: 'Kafka.Example.org',
    means: 'kafka.example.org',
    bad: ['', '.a', 'a.', 'a..b', '*.a', 'a:1', '-a', `${'a.'.repeat(127)}a`],
    beside: TLS,
  },
  'connections-max-idle': { one: '1s', two: '24h', means: 86_400_000, bad: ['10', '999ms', '25h'] },
}

describe('every option', () => {
  test('has its row in this matrix', () => {
    expect(OPTIONS.map((spec) => spec.name).sort()).toEqual(Object.keys(VALUES).sort())
  })

  test.each(OPTIONS)('$name: flag before environment before file before default', async (spec) => {
    const { one, two, means, beside } = VALUES[spec.name]!
    const read = async ({ flags, ...sources }: Partial<ConfigSources>) =>
      (await resolve({ ...sources, flags: { ...beside, ...flags } }))[spec.key]
    const yaml = (value: string) =>
      file(`${spec.name}.yaml`, `${spec.name}: ${JSON.stringify(value)}\n`)
    const env = (value: string) => ({ [envName(spec.name)]: value })
    expect(
      await read({ flags: { [spec.name]: two }, env: env(one), configFile: yaml(one) }),
    ).toEqual(means)
    expect(await read({ env: env(two), configFile: yaml(one) })).toEqual(means)
    expect(await read({ configFile: yaml(two) })).toEqual(means)
    expect((await resolve({}))[spec.key]).toEqual(spec.fallback(await resolve({})))
  })

  test.each(OPTIONS)('$name: what is ill-typed is refused by name and origin', async (spec) => {
    for (const value of VALUES[spec.name]!.bad) {
      const json = file('bad.json', JSON.stringify({ [spec.name]: value }))
      await expect(resolve({ flags: { [spec.name]: value } })).rejects.toThrow(
        `option --${spec.name}: `,
      )
      await expect(resolve({ env: { [envName(spec.name)]: value } })).rejects.toThrow(
        `environment variable ${envName(spec.name)}: `,
      )
      await expect(resolve({ configFile: json })).rejects.toThrow(
        `key ${spec.name} of ${json}, line 1: `,
      )
    }
  })
})

describe('refusals', () => {
  test('name the limit', async () => {
    await expect(resolve({ flags: { brokers: '99' } })).rejects.toThrow(
      'option --brokers: "99" is refused, it wants a whole number from 1 to 16',
    )
    await expect(resolve({ flags: { brokers: '2', rack: '3=a' } })).rejects.toThrow(
      'option --rack names broker 3, but there are 2 brokers',
    )
    await expect(resolve({ flags: { cells: '2' } })).rejects.toThrow('accepts only 1')
    await expect(resolve({ flags: { 'stop-timeout': '8' } })).rejects.toThrow('with its unit')
  })

  test('name the one of several values that is wrong', async () => {
    await expect(resolve({ flags: { 'kafka-listen': ['foo'] } })).rejects.toThrow(
      'option --kafka-listen: "foo" is refused, it wants HOST:PORT',
    )
    const configs = (...given: string[]) => resolve({ flags: { 'broker-config': given } })
    await expect(configs('log.retention.hours=abc')).rejects.toThrow(
      /^option --broker-config: "log\.retention\.hours=abc" is refused: (?!.*refused)/,
    )
    await expect(configs('log.retention.hours=1', 'node.idd=7')).rejects.toThrow(
      'option --broker-config: "node.idd=7" is refused, it names node.idd, which is no broker',
    )
    await expect(configs('log.retention.hours=1', 'x')).rejects.toThrow(
      'option --broker-config: "x" is refused, it wants NAME=VALUE',
    )
  })

  test('of unknown names suggest the nearest right one', async () => {
    await expect(resolve({ flags: { brokrs: '3' } })).rejects.toThrow(
      'unknown option --brokrs (did you mean --brokers?)',
    )
    await expect(resolve({ env: { GRIOT_DATADIR: '/x' } })).rejects.toThrow(
      'unknown environment variable GRIOT_DATADIR (did you mean GRIOT_DATA_DIR?)',
    )
    const yaml = file('unknown.yaml', 'kafkaListen: 127.0.0.1:1\n')
    await expect(resolve({ configFile: yaml })).rejects.toThrow(
      `unknown key kafkaListen of ${yaml}, line 1 (did you mean kafka-listen?)`,
    )
  })

  test('of names like nothing suggest nothing', async () => {
    await expect(resolve({ flags: { 'frobnicate-xyzzy': '1' } })).rejects.toThrow(/xyzzy$/)
  })

  test('of variables suggest nothing that only shares their prefix', async () => {
    await expect(resolve({ env: { GRIOT_FOO: '1' } })).rejects.toThrow(/variable GRIOT_FOO$/)
    await expect(resolve({ env: { GRIOT_PORT: '9092' } })).rejects.toThrow('GRIOT_PORT')
    await expect(resolve({ env: { GRIOT_SERVICES: 'x' } })).rejects.toThrow('GRIOT_SERVICES')
  })

  test('leave what Kubernetes makes of a Service of our name alone', async () => {
    const address = 'tcp://10.0.0.1:9092'
    const of = (prefix: string) => ({
      [`${prefix}_SERVICE_HOST`]: '10.0.0.1',
      [`${prefix}_SERVICE_PORT`]: '9092',
      [`${prefix}_SERVICE_PORT_KAFKA_1`]: '9092',
      [`${prefix}_PORT`]: address,
      [`${prefix}_PORT_9092_TCP`]: address,
      [`${prefix}_PORT_9092_TCP_PROTO`]: 'tcp',
      [`${prefix}_PORT_9092_TCP_PORT`]: '9092',
      [`${prefix}_PORT_9092_TCP_ADDR`]: '10.0.0.1',
    })
    const env = { ...of('GRIOT'), ...of('GRIOT_HTTP'), GRIOT_BROKERS: '2' }
    expect((await resolve({ env })).brokers).toBe(2)
    await expect(resolve({ env: { ...env, GRIOT_HTTP_PORT: '80' } })).rejects.toThrow(
      'unknown environment variable GRIOT_HTTP_PORT',
    )
  })

  test('leave other programs’ variables and our other names alone', async () => {
    const env = {
      PATH: '/bin',
      KAFKA_BROKERS: 'x',
      GRIOT_URL: 'http://x',
      GRIOT_TRACE_START: '1',
      GRIOT_BOOTSTRAP: 'x:1',
    }
    await expect(resolve({ env })).resolves.toBeDefined()
  })
})

describe('the configuration file', () => {
  test('is YAML or JSON, named by flag or environment, with plain numbers and booleans', async () => {
    const yaml = file('a.yaml', 'brokers: 2\nauto-create-topics: false\nmemory: 67108864\n')
    const json = file('a.json', '{"brokers": 2, "auto-create-topics": false, "memory": 67108864}')
    for (const sources of [
      { configFile: yaml },
      { configFile: json },
      { env: { GRIOT_CONFIG: yaml } },
    ]) {
      const { brokers, autoCreateTopics, memoryBytes } = await resolve(sources)
      expect([brokers, autoCreateTopics, memoryBytes]).toEqual([2, false, 67_108_864])
    }
    await expect(resolve({ configFile: file('none.yaml', '{}') })).resolves.toBeDefined()
    await expect(resolve({ configFile: file('none.yaml', '# nothing\n') })).resolves.toBeDefined()
  })

  test('is refused when it is missing, damaged or no mapping', async () => {
    await expect(resolve({ configFile: path.join(directory, 'none') })).rejects.toThrow('ENOENT')
    for (const [name, text] of [
      ['empty.yaml', ''],
      ['empty.json', ' \n\t\n'],
    ] as const) {
      await expect(resolve({ configFile: file(name, text) })).rejects.toThrow(
        `option --config: ${path.join(directory, name)} is empty`,
      )
    }
    const refused = (name: string, text: string, message: string | RegExp) =>
      expect(resolve({ configFile: file(name, text) })).rejects.toThrow(message)
    await refused('a.json', '{\n\n"brokers": 3,\n}', /a\.json, line 4 cannot be parsed/)
    await refused('a.json', '{', /a\.json, line 1 cannot be parsed/)
    await refused('a.json', '{"brokers": 0,\n"memory": "x"}', 'a.json, line 1: 0 is refused')
    await refused('a.json', '{"brokers": 1,\n"memory": "x"}', 'a.json, line 2: "x" is refused')
    await refused(
      'd.yaml',
      'brokers: 1\nbrokers: 2\n',
      /d\.yaml, line 2 cannot be parsed: .*unique/,
    )
    await refused('e.yaml', '# one\n\nmemory:\n  a: 1\n', 'e.yaml, line 3: {"a":1} is refused')
    await expect(resolve({ configFile: file('b.yaml', 'a: [') })).rejects.toThrow(
      'cannot be parsed',
    )
    await expect(resolve({ configFile: file('c.yaml', '- a') })).rejects.toThrow('one mapping')
  })
})

describe('a configuration file that is none', () => {
  const refusal = async (configFile: string, options?: { readonly isAgain: boolean }) => {
    const reading = resolveAll({ flags: {}, env: {}, configFile }, options)
    return await reading.then(
      () => 'taken',
      (error: Error) => {
        expect(error).toBeInstanceOf(ConfigError)
        return error.message
      },
    )
  }

  test.skipIf(process.platform === 'win32')(
    'is refused at once, where reading it could wait for ever',
    async () => {
      const fifo = path.join(directory, 'fifo.yaml')
      execFileSync('mkfifo', [fifo])
      for (const isAgain of [false, true]) {
        expect(await refusal(fifo, { isAgain })).toBe(
          `option --config: cannot read ${fifo} (not a file, but a pipe)`,
        )
        expect(await refusal(directory, { isAgain })).toContain('(not a file, but a directory)')
        expect(await refusal(os.devNull, { isAgain })).toContain('(not a file, but a device)')
      }
    },
  )

  test('is refused beyond a size, and with aliases or depth that make more of it than it is', async () => {
    const large = file('large.yaml', `# ${'x'.repeat(2 ** 20)}\n`)
    expect(await refusal(large)).toBe(
      `option --config: cannot read ${large} (larger than 1048576 bytes)`,
    )
    const bomb = [...Array(9).keys()].map(
      (i) =>
        `a${i + 1}: &a${i + 1} [${Array(9)
          .fill(i === 0 ? 'x' : `*a${i}`)
          .join(', ')}]`,
    )
    const at = file('bomb.yaml', `${bomb.join('\n')}\n`)
    expect(await refusal(at)).toMatch(
      /^option --config: .*bomb\.yaml is refused: its aliases \(\*NAME\) .* more than 100/,
    )
    const none = file('none.yaml', 'memory: *nowhere\n')
    expect(await refusal(none)).toMatch(/^option --config: .*none\.yaml.*nowhere/)
    const deep = file('deep.yaml', `memory: ${'['.repeat(100_000)}\n`)
    expect(await refusal(deep)).toMatch(/^option --config: .*deep\.yaml.*nested too deeply/)
    const few = file('few.yaml', 'memory: &m 64M\nstop-timeout: &s 5s\nconnections-max-idle: *s\n')
    expect(await refusal(few)).toBe('taken')
  })
})

describe('Griot.start', () => {
  test('has its own defaults', () => {
    const settings = resolveEmbedded({}, '/tmp/x')
    expect(settings).toMatchObject({
      dataDir: '/tmp/x',
      brokers: 1,
      memoryBytes: 64 * 2 ** 20,
      kafkaListen: [{ host: '127.0.0.1', port: 0, advertise: null }],
      httpListen: null,
      stopTimeoutMs: 8_000,
    })
  })

  test('takes programs’ types and refuses the rest by name', () => {
    const options: GriotOptions = { memory: 2 ** 25, stopTimeout: 1_000, autoCreateTopics: false }
    expect(resolveEmbedded(options, '')).toMatchObject({
      memoryBytes: 2 ** 25,
      stopTimeoutMs: 1_000,
      autoCreateTopics: false,
    })
    const refuse = (wrong: object, message: string) =>
      expect(() => resolveEmbedded(wrong as GriotOptions, '')).toThrow(message)
    refuse({ broker: 3 }, 'Griot.start: unknown option broker (did you mean brokers?)')
    refuse({ brokers: 0 }, 'Griot.start: option brokers: 0 is refused, it wants a whole number')
    refuse({ memory: {} }, 'option memory: {} is refused')
  })
})

test('a switch is on by its name alone on the command line, and as others elsewhere', async () => {
  const chaosOf = async (sources: Parameters<typeof resolve>[0]) => (await resolve(sources)).chaos
  expect(await chaosOf({})).toBe(false)
  // as commander gives an option without its value
  expect(await chaosOf({ flags: { chaos: true } })).toBe(true)
  expect(await chaosOf({ flags: { chaos: 'false' }, env: { GRIOT_CHAOS: 'true' } })).toBe(false)
  expect(await chaosOf({ env: { GRIOT_CHAOS: 'on' } })).toBe(true)
  expect(await chaosOf({ configFile: file('chaos.yaml', 'chaos: true\n') })).toBe(true)
  expect(resolveEmbedded({}, '').chaos).toBe(false)
  expect(resolveEmbedded({ chaos: true }, '').chaos).toBe(true)
})

test('ports beyond the last are refused by the option that asked for them', async () => {
  const asked = { 'kafka-listen': '127.0.0.1:65534', brokers: '3' }
  await expect(resolve({ flags: asked })).rejects.toThrow(
    '--kafka-listen: 3 brokers take consecutive ports, of which 65534 leaves too few: the last is 65535',
  )
  await expect(resolve({ flags: { ...asked, brokers: '2' } })).resolves.toBeDefined()
})

describe('the operator token', () => {
  const token = 'of sixteen letters'.replaceAll(' ', '-')

  test('is a variable, unless the command line names a file', () => {
    const read = (flags: object, env: ConfigSources['env']) =>
      resolveToken({ flags: flags as ConfigSources['flags'], env })
    expect(read({}, {})).toBeNull()
    expect(read({}, { GRIOT_TOKEN: token })).toBe(token)
    expect(read({ 'token-file': '/f' }, { GRIOT_TOKEN: token })).toBeNull()
    expect(() => read({}, { GRIOT_TOKEN: token, GRIOT_TOKEN_FILE: '/f' })).toThrow(
      'GRIOT_TOKEN and GRIOT_TOKEN_FILE are both given',
    )
  })

  test('of a file has no effect beside the variable, and that is told', async () => {
    const configFile = file('token.yaml', 'token-file: /none\nlog-level: warn\n')
    const read = async (more: Partial<ConfigSources>) => {
      const { settings, masked } = await resolveAll({ flags: {}, env: {}, configFile, ...more })
      return [settings.tokenFile, ...masked]
    }
    const env = { GRIOT_TOKEN: 'a-token-of-ours-0123' }
    expect(await read({ env })).toEqual([null, 'token-file (environment variable GRIOT_TOKEN)'])
    expect(await read({})).toEqual(['/none'])
    expect(await read({ env, flags: { 'token-file': '/flag' } })).toEqual([
      '/flag',
      'token-file (option --token-file)',
    ])
  })

  test('is refused without being told', async () => {
    for (const bad of [
      '',
      'fifteen-letters',
      'with white space in it',
      'x'.repeat(1_025),
      `${token}=x`,
    ]) {
      const refusal = (() => {
        try {
          return resolveToken({ flags: {}, env: { GRIOT_TOKEN: bad } })
        } catch (error) {
          return (error as Error).message
        }
      })()
      expect(refusal).toContain(
        'environment variable GRIOT_TOKEN is refused, it wants 16 to 1024 letters',
      )
      if (bad !== '') expect(refusal).not.toContain(bad)
    }
    await expect(resolve({ flags: { token } })).rejects.toThrow('unknown option --token')
  })

  test('is an option of Griot.start, or in a file', () => {
    expect(resolveEmbeddedToken({})).toBeNull()
    expect(resolveEmbeddedToken({ token })).toBe(token)
    expect(() => resolveEmbeddedToken({ token: 'short' })).toThrow(
      'Griot.start: option token is refused, it wants 16 to 1024',
    )
    expect(() => resolveEmbeddedToken({ token, tokenFile: '/f' })).toThrow('both given')
    expect(resolveEmbedded({ token }, '')).not.toHaveProperty('token')
  })
})
