import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadTls, type TlsFileSettings, TlsFiles } from '../../src/server/tls-files.ts'
import { Authority, hasOpenssl, LOCAL_NAMES, type Signed, textOf } from './certificates.ts'

let directory: string
let ca: Authority
let one: Signed
let two: Signed
beforeAll(() => {
  if (!hasOpenssl) return
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-tls-files-'))
  ca = new Authority(directory)
  one = ca.sign('one', { names: LOCAL_NAMES })
  two = ca.sign('two', { names: LOCAL_NAMES, days: 90 })
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const DAY_MS = 86_400_000
const at = (name: string) => path.join(directory, name)
const settings = ({ cert, key }: Signed, more: Partial<TlsFileSettings> = {}): TlsFileSettings => ({
  ...{ tlsCert: cert, tlsKey: key, tlsKeyPassphraseFile: null, tlsClientCa: null },
  ...{ tlsCrl: null, tlsSniCert: [], ...more },
})

describe.skipIf(!hasOpenssl)('the files of TLS', () => {
  test('are read, with the key in a file of its own or beside the certificate', () => {
    const { material, expiresAtMs } = loadTls(settings(one))
    expect(material).toEqual({
      ...{ cert: textOf(one.cert), key: textOf(one.key), passphrase: null, clientCa: null },
      ...{ crl: null, named: [] },
    })
    expect((expiresAtMs - Date.now()) / DAY_MS).toBeCloseTo(30, 1)
    writeFileSync(at('both.pem'), textOf(one.key) + textOf(one.cert))
    expect(loadTls(settings({ cert: at('both.pem'), key: '' }, { tlsKey: null }))).toBeDefined()
    const locked = ca.sign('locked', { names: LOCAL_NAMES, passphrase: 'open sesame' })
    writeFileSync(at('passphrase'), 'open sesame\n')
    const more = { tlsKeyPassphraseFile: at('passphrase'), tlsClientCa: ca.file }
    expect(loadTls(settings(locked, more)).material).toMatchObject({
      ...{ passphrase: 'open sesame', clientCa: textOf(ca.file) },
    })
    expect(() => loadTls(settings(locked))).toThrow(
      `--tls-key: ${locked.key} is encrypted: --tls-key-passphrase-file is needed`,
    )
    writeFileSync(at('passphrase'), 'open barley')
    expect(() => loadTls(settings(locked, more))).toThrow('the passphrase is wrong')
  })

  test('are refused by option and name, and what is in them is not told', () => {
    writeFileSync(at('junk'), 'secret words')
    const refused = (more: Partial<TlsFileSettings>) => {
      try {
        loadTls(settings(one, more))
      } catch (error) {
        expect((error as Error).message).not.toContain('secret')
        return (error as Error).message
      }
      return 'taken'
    }
    expect(refused({ tlsCert: at('none') })).toBe(
      `--tls-cert: ${at('none')} cannot be read: ENOENT`,
    )
    expect(refused({ tlsCert: directory })).toContain('cannot be read: not a file, but a directory')
    expect(refused({ tlsCert: at('junk') })).toContain(
      `--tls-cert: ${at('junk')} has no certificate`,
    )
    expect(refused({ tlsKey: at('none') })).toBe(`--tls-key: ${at('none')} cannot be read: ENOENT`)
    expect(refused({ tlsKey: at('junk') })).toContain(`--tls-key: ${at('junk')} and ${one.cert}`)
    expect(refused({ tlsKey: two.key })).toContain('the key is not that of the certificate')
    expect(refused({ tlsKeyPassphraseFile: at('none') })).toContain('--tls-key-passphrase-file: ')
    expect(refused({ tlsClientCa: at('junk') })).toContain('--tls-client-ca: ')
    expect(refused({ tlsCrl: at('none') })).toBe(`--tls-crl: ${at('none')} cannot be read: ENOENT`)
    expect(refused({ tlsCrl: one.cert })).toContain(`--tls-crl: ${one.cert} has no revocation list`)
    expect(refused({ tlsCrl: ca.revoke() })).toBe('taken')
    const named = (file: string) => refused({ tlsSniCert: [{ name: 'a.b', file }] })
    expect(named(at('none'))).toBe(`--tls-sni-cert a.b: ${at('none')} cannot be read: ENOENT`)
    expect(named(at('junk'))).toContain(`--tls-sni-cert a.b: ${at('junk')} has no certificate`)
    expect(named(one.cert)).toContain(`--tls-sni-cert a.b: ${one.cert} cannot be used`)
    expect(named(at('both.pem'))).toBe('taken')
    expect(refused({})).toBe('taken')
  })
})

test.skipIf(!hasOpenssl)('the certificate that is over first is told of, whatever its name', () => {
  const soon = ca.sign('soon', { names: LOCAL_NAMES, days: 3 })
  writeFileSync(at('soon.both'), textOf(soon.cert) + textOf(soon.key))
  const tlsSniCert = [{ name: 'a.b', file: at('soon.both') }]
  const { expiresAtMs, expiringFile } = loadTls(settings(one, { tlsSniCert }))
  expect([Math.round((expiresAtMs - Date.now()) / DAY_MS), expiringFile]).toEqual([
    3,
    at('soon.both'),
  ])
  expect(loadTls(settings(one)).expiringFile).toBe(one.cert)
})

describe.skipIf(!hasOpenssl)('files that change', () => {
  function watch(nowMs = () => Date.now()) {
    const given: string[] = []
    const states: (string | null)[] = []
    const lines: string[] = []
    const expiries: number[] = []
    const files = new TlsFiles({
      settings: settings({ cert: at('live.pem'), key: at('live.key') }),
      logger: { log: (level, message) => void lines.push(`${level} ${message}`) },
      onMaterial: ({ cert }) => void given.push(cert),
      onExpiry: (ms) => void expiries.push(ms),
      onState: (reason) => void states.push(reason),
      ...{ nowMs, lookMs: 20 },
    })
    return { files, given, states, lines, expiries }
  }
  const put = ({ cert, key }: Signed) => {
    copyFileSync(cert, at('live.pem'))
    copyFileSync(key, at('live.key'))
  }

  test('are given on, and kept from before where they cannot be used', async () => {
    put(one)
    const { files, given, states, lines, expiries } = watch()
    expect((await files.start()).cert).toBe(textOf(one.cert))
    put(two)
    await expect.poll(() => given.at(-1)).toBe(textOf(two.cert))
    expect(expiries[1]! - expiries[0]!).toBeGreaterThan(59 * DAY_MS)
    expect(states).toEqual([null])
    writeFileSync(at('live.key'), textOf(one.key))
    await expect
      .poll(() => states.at(-1))
      .toBe(
        `TLS: --tls-key: ${at('live.key')} and ${at('live.pem')} cannot be used: the key is not that of the certificate; the certificate from before is used`,
      )
    rmSync(at('live.key'))
    await expect.poll(() => states.at(-1)).toMatch(/cannot be read: ENOENT; the certificate from/)
    expect(given).toHaveLength(1)
    put(one)
    await expect.poll(() => states.at(-1)).toBe(null)
    expect(given.at(-1)).toBe(textOf(one.cert))
    const taken = 'info TLS certificate read again: new connections are given it'
    const kept = 'error TLS files not taken: new connections are given the certificate from before'
    expect(lines).toEqual([taken, kept, kept, taken])
    // asked for, they are read though they look the same; after the end they are not
    await files.readAgain()
    expect(given).toHaveLength(3)
    files.stop()
    await files.readAgain()
    expect(given).toHaveLength(3)
  })

  test('are told of 14 days before the certificate expires, once a day, and when it has', async () => {
    put(one)
    let nowMs = Date.now() + 15 * DAY_MS
    const { files, states, lines } = watch(() => nowMs)
    await files.start()
    expect(lines).toEqual([])
    const wait = () => new Promise((resolve) => setTimeout(resolve, 60))
    nowMs += 2 * DAY_MS
    await wait()
    const soon = 'warn the TLS certificate expires soon: clients will not come in then'
    expect(lines).toEqual([soon])
    nowMs += DAY_MS
    await wait()
    expect(lines).toEqual([soon, soon])
    expect(states.at(-1)).toBe(null)
    nowMs += 20 * DAY_MS
    await wait()
    expect(lines.slice(2)).toEqual([
      'error the TLS certificate has expired: clients do not come in',
    ])
    expect(states.at(-1)).toBe('TLS: the certificate has expired: clients do not come in')
    files.stop()
  })
})
