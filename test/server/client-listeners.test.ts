/** Where clients of a tenant are told to come in. */
import { describe, expect, test } from 'vitest'
import type { LiveSettings } from '../../src/link/control.ts'
import { ClientListeners } from '../../src/server/client-listeners.ts'
import { resolveSettings } from '../../src/server/config.ts'
import { advertisedOf } from '../../src/server/listeners.ts'

const settingsOf = (flags: Record<string, string>) =>
  resolveSettings({ flags, env: {}, configFile: null })

async function listening(
  kafkaListen: string,
  ports: number[][],
  flags: Record<string, string> = {},
) {
  const certificate = kafkaListen.includes(',tls') ? { 'tls-cert': 'server.pem' } : {}
  const all = { ...certificate, ...flags, 'kafka-listen': kafkaListen }
  const listeners = new ClientListeners(await settingsOf(all))
  expect(listeners.of('acme')).toBe(null)
  listeners.onMessage({ kind: 'listening', ports })
  return listeners
}

const LIVE: LiveSettings = {
  ...{ autoCreateTopics: true, defaultPartitions: 1, connectionsMaxIdleMs: 1, advertised: [] },
  ...{ diskReserve: { bytes: null, fraction: null }, brokerConfigs: {} },
}

const brokersOf = (listeners: ClientListeners, tenant: string) =>
  listeners.of(tenant)!.map(({ brokers }) => brokers.join(','))

describe('listeners of a tenant', () => {
  test('are told as clients reach them, the one with TLS first', async () => {
    const listeners = await listening('127.0.0.1:0,0.0.0.0:0=kafka.example.org:9092,tls', [
      [5001, 5002],
      [6001, 6002],
    ])
    expect(listeners.of('acme')).toEqual([
      {
        brokers: ['kafka.example.org:9092', 'kafka.example.org:9093'],
        ...{ tls: true, sasl: true, anonymous: false, clientCertificate: 'none', isOwn: false },
      },
      {
        brokers: ['127.0.0.1:5001', '127.0.0.1:5002'],
        ...{ tls: false, sasl: true, anonymous: true, clientCertificate: 'none', isOwn: false },
      },
    ])
  })

  test('of its own come first, those of others not at all', async () => {
    const listeners = await listening('127.0.0.1:0,tls,127.0.0.1:0,tenant=acme', [[5001], [6001]])
    expect(brokersOf(listeners, 'acme')).toEqual(['127.0.0.1:6001', '127.0.0.1:5001'])
    expect(brokersOf(listeners, 'emca')).toEqual(['127.0.0.1:5001'])
    expect(listeners.of('acme')!.map(({ isOwn }) => isOwn)).toEqual([true, false])
  })

  test('have its own name where SNI tells tenants apart', async () => {
    const flags = { 'tls-sni-domain': 'kafka.example.org', 'tls-client-ca': 'clients.pem' }
    const listeners = await listening('127.0.0.1:0,0.0.0.0:0,tls', [[5001], [6001]], flags)
    expect(brokersOf(listeners, 'acme')).toEqual(['acme.kafka.example.org:6001', '127.0.0.1:5001'])
    expect(listeners.of('acme')![0]).toMatchObject({ clientCertificate: 'required', isOwn: true })
  })

  test('where nobody can log in come last', async () => {
    const listeners = await listening('0.0.0.0:0,tenant=acme,[::1]:0', [[5001], [6001]])
    expect(listeners.of('acme')).toMatchObject([
      { brokers: ['[::1]:6001'], sasl: true },
      { brokers: ['127.0.0.1:5001'], sasl: false, isOwn: true },
    ])
  })

  test('are told anew when what is advertised changes', async () => {
    const listeners = await listening('0.0.0.0:0', [[5001]], { 'kafka-advertise': 'a.example' })
    expect(brokersOf(listeners, 'acme')).toEqual(['a.example:5001'])
    const settings = await settingsOf({ 'kafka-listen': '0.0.0.0:0=b.example:77' })
    const changed = { ...LIVE, advertised: advertisedOf(settings) }
    listeners.onMessage({ kind: 'settings', settings: changed })
    expect(brokersOf(listeners, 'acme')).toEqual(['b.example:77'])
  })
})
