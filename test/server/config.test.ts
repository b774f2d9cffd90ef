import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type ConfigSources, resolveSettings } from '../../src/server/config.ts'
import { type GriotOptions, resolveEmbedded } from '../../src/server/embedded-options.ts'
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

/** Per option: two good values as text, the second one's meaning, and bad ones. */
const VALUES: Readonly<
  Record<string, { one: string; two: string; means: unknown; bad: string[] }>
> = {
  'data-dir': { one: '/a', two: '/b', means: '/b', bad: [''] },
  'kafka-listen': {
    one: '127.0.0.1:9092',
    two: '[::1]:0',
    means: { host: '::1', port: 0 },
    bad: ['9092', 'host', 'host:70000', 'a:b:1', 'http://h:1'],
  },
  'kafka-advertise': {
    one: 'a',
    two: 'b.example:19092',
    means: { host: 'b.example', port: 19_092 },
    bad: ['b:0', 'b:x', ''],
  },
  'http-listen': {
    one: 'off',
    two: '0.0.0.0:80',
    means: { host: '0.0.0.0', port: 80 },
    bad: ['80'],
  },
  brokers: { one: '1', two: '5', means: 5, bad: ['0', '17', '-1', '1.5', 'three', ''] },
  cells: { one: '1', two: '1', means: 1, bad: ['2', '0', 'x'] },
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
}

describe('every option', () => {
  test('has its row in this matrix', () => {
    expect(OPTIONS.map((spec) => spec.name).sort()).toEqual(Object.keys(VALUES).sort())
  })

  test.each(OPTIONS)('$name: flag before environment before file before default', async (spec) => {
    const { one, two, means } = VALUES[spec.name]!
    const read = async (sources: Partial<ConfigSources>) => (await resolve(sources))[spec.key]
    const yaml = (value: string) =>
      file(`${spec.name}.yaml`, `${spec.name}: ${JSON.stringify(value)}\n`)
    const env = (value: string) => ({ [envName(spec.name)]: value })
    expect(
      await read({ flags: { [spec.name]: two }, env: env(one), configFile: yaml(one) }),
    ).toEqual(means)
    expect(await read({ env: env(two), configFile: yaml(one) })).toEqual(means)
    expect(await read({ configFile: yaml(two) })).toEqual(means)
    expect(await read({})).toEqual(spec.fallback({}))
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
      await expect(resolve({ configFile: json })).rejects.toThrow(`key ${spec.name} of ${json}: `)
    }
  })
})

describe('refusals', () => {
  test('name the limit', async () => {
    await expect(resolve({ flags: { brokers: '99' } })).rejects.toThrow(
      'option --brokers: "99" is refused, it wants a whole number from 1 to 16',
    )
    await expect(resolve({ flags: { cells: '2' } })).rejects.toThrow('accepts only 1')
    await expect(resolve({ flags: { 'stop-timeout': '8' } })).rejects.toThrow('with its unit')
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
      `unknown key kafkaListen of ${yaml} (did you mean kafka-listen?)`,
    )
  })

  test('of names like nothing suggest nothing', async () => {
    await expect(resolve({ flags: { 'frobnicate-xyzzy': '1' } })).rejects.toThrow(/xyzzy$/)
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
    await expect(resolve({ configFile: file('empty.yaml', '') })).resolves.toBeDefined()
  })

  test('is refused when it is missing, damaged or no mapping', async () => {
    await expect(resolve({ configFile: path.join(directory, 'none') })).rejects.toThrow('ENOENT')
    await expect(resolve({ configFile: file('a.json', '{') })).rejects.toThrow('cannot be parsed')
    await expect(resolve({ configFile: file('b.yaml', 'a: [') })).rejects.toThrow(
      'cannot be parsed',
    )
    await expect(resolve({ configFile: file('c.yaml', '- a') })).rejects.toThrow('one mapping')
  })
})

describe('Griot.start', () => {
  test('has its own defaults', () => {
    const settings = resolveEmbedded({}, '/tmp/x')
    expect(settings).toMatchObject({
      dataDir: '/tmp/x',
      brokers: 1,
      memoryBytes: 64 * 2 ** 20,
      kafkaListen: { host: '127.0.0.1', port: 0 },
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

test('ports beyond the last are refused by the option that asked for them', async () => {
  const asked = { 'kafka-listen': '127.0.0.1:65534', brokers: '3' }
  await expect(resolve({ flags: asked })).rejects.toThrow(
    '--kafka-listen: 3 brokers take consecutive ports, of which 65534 leaves too few: the last is 65535',
  )
  await expect(resolve({ flags: { ...asked, brokers: '2' } })).resolves.toBeDefined()
})
