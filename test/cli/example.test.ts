/** `griot example`: the files hold what this version understands, and are what their own tools take. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { EXAMPLE_NAMES, type ExampleName, example } from '../../src/cli/example.ts'
import { resolveSettings } from '../../src/server/config.ts'
import { griotVersion } from '../../src/server/version.ts'
import { missing } from '../clients/requirements.ts'
import { griot } from './griot-process.ts'

const directory = mkdtempSync(path.join(os.tmpdir(), 'griot-example-'))
afterAll(() => rmSync(directory, { recursive: true }))

const print = async (name: ExampleName): Promise<string> => (await griot(['example', name])).stdout
const launcher = realpathSync(path.join(import.meta.dirname, '../../dist/griot.cjs'))
const context = { version: griotVersion(), node: '/usr/bin/node', launcher: '/opt/griot/griot.cjs' }

/** Instructions with continued lines joined, comments left out. */
function instructions(dockerfile: string): [string, string][] {
  return dockerfile
    .replaceAll(/^#.*\n/gm, '')
    .split('\n')
    .filter(Boolean)
    .map((line) => /^([A-Z]+) (.*)$/.exec(line)!.slice(1, 3) as [string, string])
}

const envOf = (file: string) =>
  Object.fromEntries(
    instructions(file)
      .filter(([name]) => name === 'ENV')
      .map(([, text]) => text.split(/=(.*)/s).slice(0, 2) as [string, string]),
  )

interface Compose {
  readonly services: Record<
    string,
    {
      readonly environment?: Record<string, string>
      readonly ports: string[]
      readonly secrets?: string[]
      readonly volumes?: string[]
      readonly command?: unknown
      readonly entrypoint?: unknown
    }
  >
  readonly configs: { readonly prometheus: { readonly content: string } }
  readonly secrets: Record<string, { readonly file: string }>
  readonly volumes: Record<string, unknown>
}

test('an unknown example is refused, with those that there are', async () => {
  const { code, stderr } = await griot(['example', 'helm'])
  expect([code, stderr]).toEqual([2, expect.stringContaining('systemd, docker, compose')])
})

/** The dashboard starts nothing. */
const STARTING = EXAMPLE_NAMES.filter((name) => name !== 'grafana')

test.each(STARTING)('%s starts node itself, and tells the version', (name) => {
  const text = example(name, context)
  expect(text).toContain(`griot ${griotVersion()}`)
  expect(text).not.toMatch(/npm (start|run)|npx griot/)
  expect(text).not.toMatch(/[ \t]$/m)
})

describe('the unit', () => {
  test('runs the node and the griot that printed it', async () => {
    const unit = await print('systemd')
    expect(unit).toContain(
      `\nExecStart=${process.execPath} ${launcher} start --data-dir %S/griot --config %E/griot/griot.yaml\n`,
    )
    expect(unit).toContain('\nExecReload=/bin/kill -HUP $MAINPID\n')
  })

  test('keeps paths as they are, and warns of those in a home directory', () => {
    const odd = example('systemd', { ...context, launcher: '/opt/50% "new" $x/griot.cjs' })
    expect(odd).toContain('ExecStart=/usr/bin/node "/opt/50%% \\"new\\" $$x/griot.cjs" start')
    expect(odd).not.toContain('home directory')
    const home = example('systemd', { ...context, launcher: '/home/me/griot.cjs' })
    expect(home).toContain('# /home/me/griot.cjs lies in a home directory')
  })

  test.skipIf(missing('systemd'))('is one that systemd takes, and holds to be safe', async () => {
    const file = path.join(directory, 'griot.service')
    writeFileSync(file, await print('systemd'))
    const verified = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' })
    // it tells of other units of the machine as well
    expect([verified.status, verified.stderr]).toEqual([0, expect.not.stringContaining('griot')])
    const security = ['security', '--offline=yes', '--threshold=20', file]
    expect(spawnSync('systemd-analyze', security).status).toBe(0)
  })
})

describe('the Dockerfile', () => {
  const file = example('docker', context)
  const all = (name: string) =>
    instructions(file)
      .filter(([found]) => found === name)
      .map(([, text]) => text)

  test('has two stages, of which the second runs node as nobody special', () => {
    expect(all('FROM')).toHaveLength(2)
    const last = file.slice(file.lastIndexOf('\nFROM '))
    expect(last).not.toContain('\nRUN ')
    expect(all('USER')).toEqual(['node'])
    const entry = JSON.parse(all('ENTRYPOINT')[0]!)
    expect(entry[0]).toBe('node')
    const check = JSON.parse(/CMD (\[.*\])$/.exec(all('HEALTHCHECK')[0]!)![1]!)
    expect(check).toEqual([...entry, 'health'])
    // as npm lays out what the first stage installs
    const { bin } = JSON.parse(readFileSync(path.join(launcher, '../../package.json'), 'utf8'))
    expect(entry[1]).toBe(`/opt/griot/node_modules/griot/${bin.griot}`)
    expect(all('RUN')[0]).toContain('--prefix /opt/griot ')
  })

  test('gives options that this version takes, and exposes the ports that they take', async () => {
    const { kafkaListen, httpListen, brokers } = await resolveSettings({
      flags: {},
      env: envOf(file),
      configFile: null,
    })
    const ranges = kafkaListen.map(({ port }) => `${port}-${port + brokers - 1}`)
    expect(all('EXPOSE')[0]).toBe([...ranges, httpListen!.port].join(' '))
  })
})

describe('the compose file', () => {
  const compose = parse(example('compose', context)) as Compose
  const { services } = compose
  const env = { ...envOf(example('docker', context)), ...services.griot!.environment }

  test('gives options that this version takes, and publishes what clients are told', async () => {
    const settings = await resolveSettings({ flags: {}, env, configFile: null })
    const [inner, outer] = settings.kafkaListen
    expect(services['kafka-ui']!.environment!.KAFKA_CLUSTERS_0_BOOTSTRAPSERVERS).toBe(
      `griot:${inner!.port}`,
    )
    expect(inner!.advertise).toEqual({ host: 'griot', port: inner!.port })
    const { host, port } = outer!.advertise!
    const last = port! + settings.brokers - 1
    expect(host).toBe('localhost')
    expect(services.griot!.ports).toContain(
      `127.0.0.1:${port}-${last}:${outer!.port}-${outer!.port + settings.brokers - 1}`,
    )
    expect(settings.tokenFile).toBe('/run/secrets/griot-token')
  })

  test('publishes on loopback only, and gives the token to who needs it', () => {
    for (const { ports } of Object.values(services)) {
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
    }
    const withToken = Object.entries(services).filter(([, { secrets }]) => secrets !== undefined)
    expect(withToken.map(([name]) => name)).toEqual(['griot', 'prometheus'])
    expect(compose.secrets['griot-token']).toEqual({ file: './griot-token' })
    const named = Object.values(services).flatMap(({ volumes = [] }) =>
      volumes.map((volume) => volume.split(':')[0]),
    )
    expect(named).toEqual(Object.keys(compose.volumes))
    for (const { command, entrypoint } of Object.values(services)) {
      expect([command, entrypoint]).toEqual([undefined, undefined])
    }
  })

  const scrape = compose.configs.prometheus.content

  test('has Prometheus scrape the engine with the token', () => {
    const [job] = (parse(scrape) as { scrape_configs: Record<string, unknown>[] }).scrape_configs
    expect(job).toMatchObject({
      authorization: { credentials_file: env.GRIOT_TOKEN_FILE },
      static_configs: [{ targets: [`griot:${env.GRIOT_HTTP_LISTEN!.split(':')[1]}`] }],
    })
  })

  test.skipIf(missing('promtool'))('has a configuration that Prometheus takes', () => {
    const token = path.join(directory, 'token')
    writeFileSync(token, 'x'.repeat(64))
    const file = path.join(directory, 'prometheus.yml')
    writeFileSync(file, scrape.replace('/run/secrets/griot-token', token))
    const checked = spawnSync('promtool', ['check', 'config', file], { encoding: 'utf8' })
    expect([checked.status, checked.stdout]).toEqual([0, expect.stringContaining('SUCCESS')])
  })
})
