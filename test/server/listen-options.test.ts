/** What is said of listeners: their own properties, who gets in, and what the operator is warned of. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { belongingAt } from '../../src/server/belonging.ts'
import { type ConfigSources, resolveSettings } from '../../src/server/config.ts'
import { resolveEmbedded } from '../../src/server/embedded-options.ts'
import {
  accessOf,
  areBoundAlike,
  clientAuthOf,
  formatKafkaListen,
  listenerRisks,
  parseKafkaListens,
} from '../../src/server/listeners.ts'

const directory = mkdtempSync(path.join(os.tmpdir(), 'griot-listen-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function file(name: string, text: string): string {
  const at = path.join(directory, name)
  writeFileSync(at, text)
  return at
}

const resolve = (sources: Partial<ConfigSources>) =>
  resolveSettings({ flags: {}, env: {}, configFile: null, ...sources })

const listeners = async (value: unknown) =>
  (await resolve({ flags: { 'kafka-listen': value } })).kafkaListen

describe('several listeners', () => {
  test('are a repeated flag, a list joined by commas, or a list in the file', async () => {
    const both = await listeners('127.0.0.1:9092,0.0.0.0:19092=k.example:29092')
    expect(both).toHaveLength(2)
    expect(await listeners(['127.0.0.1:9092', '0.0.0.0:19092=k.example:29092'])).toEqual(both)
    const yaml = file(
      'list.yaml',
      'kafka-listen:\n- 127.0.0.1:9092\n- 0.0.0.0:19092=k.example:29092\n',
    )
    expect((await resolve({ configFile: yaml })).kafkaListen).toEqual(both)
    expect(
      resolveEmbedded({ kafkaListen: ['127.0.0.1:9092', '0.0.0.0:19092=k.example:29092'] }, '')
        .kafkaListen,
    ).toEqual(both)
  })

  test('are refused by the one that is wrong, and beyond a bound', async () => {
    await expect(listeners('a:1,b')).rejects.toThrow(
      'option --kafka-listen: "b" is refused, it wants HOST:PORT',
    )
    await expect(listeners('::1')).rejects.toThrow('IPv6 goes in brackets: [::1]')
    await expect(listeners(Array(17).fill('a:0'))).rejects.toThrow('wants at most 16 addresses')
    await expect(listeners([['a:1']])).rejects.toThrow('wants a plain value')
  })

  const advertised = (listen: string, advertise: string, brokers = '1') =>
    resolve({ flags: { 'kafka-listen': listen, 'kafka-advertise': advertise, brokers } })

  test('have one --kafka-advertise only where it is clear which listener is meant', async () => {
    const { kafkaAdvertise } = await advertised('a:1,b:1=x', 'k.example')
    expect(kafkaAdvertise).toEqual({ host: 'k.example', port: null })
    await expect(advertised('a:1,[::1]:2', 'k:9')).rejects.toThrow(
      '--kafka-advertise: k:9 can be for only one of the listeners a:1 and [::1]:2: say it in --kafka-listen itself, as a:1=k:9',
    )
    await expect(advertised('a:1=b', 'k')).rejects.toThrow(
      '--kafka-advertise: k is for no listener',
    )
    await expect(advertised('a:1', 'k:65535', '2')).rejects.toThrow(
      '--kafka-advertise: 2 brokers take consecutive ports, of which 65535 leaves too few',
    )
    await expect(resolve({ flags: { 'kafka-listen': 'a:1=b:65535' } })).rejects.toThrow(
      '--kafka-listen, advertised: 3 brokers',
    )
  })

  test('must not overlap, nor take the port of HTTP', async () => {
    await expect(listeners('127.0.0.1:9092,0.0.0.0:9094')).rejects.toThrow(
      '--kafka-listen 0.0.0.0:9094 (ports 9094 to 9096, one for each of 3 brokers) and --kafka-listen 127.0.0.1:9092 (ports 9092 to 9094, one for each of 3 brokers) overlap',
    )
    await expect(listeners('127.0.0.1:9092,127.0.0.1:9095,127.0.0.2:9092')).resolves.toHaveLength(3)
    await expect(listeners('localhost:8081')).rejects.toThrow(
      '--http-listen 127.0.0.1:8082 and --kafka-listen localhost:8081 (ports 8081 to 8083, one for each of 3 brokers) overlap',
    )
    const admin = { 'http-listen': '0.0.0.0:80', 'admin-listen': '127.0.0.1:80' }
    await expect(resolve({ flags: admin })).rejects.toThrow(
      '--admin-listen 127.0.0.1:80 and --http-listen 0.0.0.0:80 overlap',
    )
    const free = { 'kafka-listen': '127.0.0.1:0,127.0.0.1:0', 'http-listen': '127.0.0.1:0' }
    await expect(resolve({ flags: free })).resolves.toBeDefined()
    expect(() => resolveEmbedded({ kafkaListen: 'a:5', httpListen: 'a:5' }, '')).toThrow(
      'Griot.start: --http-listen a:5 and --kafka-listen a:5 overlap',
    )
  })

  test('have properties of their own behind their address', async () => {
    const given = 'a:1=k.example,anonymous=on,[::1]:2,anonymous=off,b:3'
    const found = await listeners(given)
    expect(found.map(({ anonymous }) => anonymous)).toEqual([true, false, undefined])
    expect(found.map(formatKafkaListen).join()).toBe(given)
    expect(
      await listeners(['a:1=k.example', 'anonymous=on', '[::1]:2,anonymous=off', 'b:3']),
    ).toEqual(found)
    await expect(listeners('a:1,b')).rejects.toThrow(
      '"b" is refused, it wants HOST:PORT, such as 127.0.0.1:9092, or a property of the address before it: tls, client-auth=MODE, tenant=NAME, anonymous=on',
    )
    await expect(listeners('a:1,anonymous=perhaps')).rejects.toThrow(
      'option --kafka-listen: "anonymous=perhaps" is refused, it wants true or false',
    )
    await expect(listeners('a:1,anonymous=on,anonymous=off')).rejects.toThrow(
      '"anonymous=off" is refused, it wants anonymous once for a:1',
    )
  })

  test('let in who does not log in where they are bound to loopback, unless it is said', async () => {
    const access = async (flags: Record<string, unknown>) => {
      const settings = await resolve({ flags })
      return settings.kafkaListen.map((listen) => {
        const { allowsAnonymous, allowsSasl } = accessOf(listen, settings)
        return `${allowsAnonymous ? 'anonymous' : '-'} ${allowsSasl ? 'sasl' : '-'}`
      })
    }
    const listen = '127.0.0.2:1,localhost:9,[::1]:1,0.0.0.0:20,[::]:40,h:1,10.0.0.1:1'
    const beyond = (text: string) => Array(4).fill(text)
    const within = (text: string) => Array(3).fill(text)
    const asked = { 'kafka-listen': listen }
    expect(await access(asked)).toEqual([...within('anonymous sasl'), ...beyond('- -')])
    expect(await access({ ...asked, 'kafka-anonymous': 'on' })).toEqual([
      ...within('anonymous sasl'),
      ...beyond('anonymous -'),
    ])
    expect(await access({ ...asked, 'kafka-anonymous': 'off' })).toEqual([
      ...within('- sasl'),
      ...beyond('- -'),
    ])
    expect(await access({ ...asked, 'kafka-allow-plaintext-sasl': 'true' })).toEqual([
      ...within('anonymous sasl'),
      ...beyond('- sasl'),
    ])
    const own = '127.0.0.1:1,anonymous=off,0.0.0.0:20,anonymous=on'
    for (const mode of ['auto', 'on', 'off']) {
      expect(await access({ 'kafka-listen': own, 'kafka-anonymous': mode })).toEqual([
        '- sasl',
        'anonymous -',
      ])
    }
  })

  test('are told of as far as others reach them', async () => {
    const open = (kafkaListen: readonly { host: string }[]) =>
      kafkaListen.map(({ host }, index) => ({ host, ports: [9000 + index, 9100 + index] }))
    const risks = async (flags: Record<string, unknown>) => {
      const settings = await resolve({ flags })
      return listenerRisks(settings, open(settings.kafkaListen)).map(
        ({ risk, where }) => `${where}: ${risk.slice(0, 20)}`,
      )
    }
    const listen = '127.0.0.1:1,0.0.0.0:20,[::]:40,anonymous=on'
    expect(await risks({ 'kafka-listen': '127.0.0.1:1', 'kafka-anonymous': 'on' })).toEqual([])
    expect(await risks({ 'kafka-listen': listen })).toEqual([
      '0.0.0.0:9001: no client gets in: l',
      '[::]:9002: anonymous access is ',
    ])
    const all = { 'kafka-listen': listen, 'kafka-anonymous': 'on' }
    expect(await risks({ ...all, 'kafka-allow-plaintext-sasl': 'true' })).toEqual([
      '0.0.0.0:9001, [::]:9002: anonymous access is ',
      '0.0.0.0:9001, [::]:9002: logins without TLS a',
    ])
  })

  test('that speak TLS, and options of TLS, want each other', async () => {
    const tls = (flags: Record<string, string>, listen = 'a:1,b:5,tls') =>
      resolve({ flags: { 'kafka-listen': listen, ...flags } })
    await expect(tls({})).rejects.toThrow('--kafka-listen b:5,tls wants a certificate: --tls-cert')
    await expect(tls({ 'tls-cert': '/c' }, 'a:1')).rejects.toThrow(
      '--tls-cert: no listener speaks TLS: say so behind its address, as in --kafka-listen a:1,tls',
    )
    await expect(tls({ 'tls-sni-domain': 'k' }, 'a:1')).rejects.toThrow(
      '--tls-sni-domain: no listener',
    )
    const asked = { 'tls-cert': '/c', 'tls-client-auth': 'requested' }
    await expect(tls(asked)).rejects.toThrow(
      "--tls-client-auth: requested wants --tls-client-ca, or anybody's certificate would do",
    )
    const mode = async (flags: Record<string, string>) =>
      (await tls({ 'tls-cert': '/c', ...flags })).tlsClientAuth
    expect(await mode({})).toBe('none')
    expect(await mode({ 'tls-client-ca': '/ca' })).toBe('required')
    expect(await mode({ 'tls-client-ca': '/ca', 'tls-client-auth': 'none' })).toBe('none')
    const ca = { 'tls-cert': '/c', 'tls-client-ca': '/ca' }
    const own = async (listen: string, flags: Record<string, string> = ca) => {
      const found = await tls(flags, listen)
      return found.kafkaListen.map((one) => clientAuthOf(one, found))
    }
    const two = 'a:1,tls,client-auth=none,b:5,tls,c:9'
    expect(await own(two)).toEqual(['none', 'required', 'none'])
    expect(await own(two, { 'tls-cert': '/c' })).toEqual(['none', 'none', 'none'])
    await expect(own('a:1,tls,client-auth=no')).rejects.toThrow('one of none, requested, required')
    await expect(own('a:1,client-auth=none,b:5,tls')).rejects.toThrow(
      '--kafka-listen a:1,client-auth=none wants tls as well',
    )
    await expect(own('a:1,tls,client-auth=requested', { 'tls-cert': '/c' })).rejects.toThrow(
      '--kafka-listen a:1,client-auth=requested wants --tls-client-ca',
    )
    await expect(tls({ 'tls-cert': '/c', 'tls-crl': '/r' })).rejects.toThrow(
      '--tls-crl wants --tls-',
    )
    expect(() => resolveEmbedded({ tlsCert: '/c' }, '')).toThrow('Griot.start: --tls-cert: no')
  })

  test('of a tenant and of TLS are told as such', async () => {
    const given = 'a:1=k,tls,client-auth=none,tenant=acme,anonymous=off,b:5,tls'
    const found = await resolve({ flags: { 'kafka-listen': given, 'tls-cert': '/c' } })
    expect(found.kafkaListen.map(formatKafkaListen).join()).toBe(given)
    // neither is changed while the engine runs
    const bound = (listen: string) => parseKafkaListens(listen)
    expect(areBoundAlike(bound('a:1=k,tls'), bound('a:1=l,tls'))).toBe(true)
    for (const other of ['a:1', 'a:1,tls,tenant=acme', 'a:1,tls,anonymous=on']) {
      expect(areBoundAlike(bound('a:1,tls'), bound(other)), other).toBe(false)
    }
    const access = accessOf(found.kafkaListen[1]!, found)
    expect(access).toEqual({ allowsAnonymous: false, allowsSasl: true })
    const open = found.kafkaListen.map(({ host, port }) => ({ host, ports: [port] }))
    expect(listenerRisks(found, open)).toEqual([])
  })
})

describe('whose a connection is', () => {
  const acme = { tenantId: 'id of acme' }
  const image = {
    tenantByName: (name: string) => (name === 'acme' ? acme : undefined),
  } as unknown as Parameters<typeof belongingAt>[0]
  const at = (listen: { tls?: true; tenant?: string }, name: string | null, domain = 'k.example') =>
    belongingAt(image, listen, domain, name)
  const nobody = { tenantId: null, host: null }

  test('is said by the listener, or the name that was looked for, or not at all', () => {
    const byName = { tenantId: acme.tenantId, host: 'acme.k.example' }
    expect(at({ tls: true }, 'acme.k.example')).toEqual(byName)
    expect(at({ tls: true, tenant: 'acme' }, 'acme.k.example')).toEqual(byName)
    const byPort = { tenantId: acme.tenantId, host: null }
    expect(at({ tls: true, tenant: 'acme' }, null)).toEqual(byPort)
    expect(at({ tenant: 'acme' }, null)).toEqual(byPort)
    for (const name of [null, 'k.example', 'acme.example', 'acme.xk.example', 'acmek.example']) {
      expect(at({ tls: true }, name), `${name}`).toEqual(nobody)
    }
    expect(belongingAt(image, { tls: true }, null, 'acme.k.example')).toEqual(nobody)
  })

  test('is a reason to refuse it where that is nobody, or somebody else', () => {
    const refused = (name: string) => `there is no tenant '${name}'`
    expect(at({ tls: true }, 'emca.k.example')).toBe(refused('emca'))
    expect(at({ tls: true }, 'b1.acme.k.example')).toBe(refused('b1.acme'))
    expect(at({ tls: true }, '.k.example')).toBe(refused(''))
    expect(at({ tenant: 'emca' }, null)).toBe(refused('emca'))
    expect(at({ tls: true, tenant: 'acme' }, 'emca.k.example')).toBe(
      "it looked for emca.k.example, and this listener is of the tenant 'acme'",
    )
  })
})
