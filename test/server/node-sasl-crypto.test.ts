import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { buildSync } from 'esbuild'
import { expect, test } from 'vitest'
import { nodeSaslCrypto } from '../../src/server/node-sasl-crypto.ts'
import { utf8 } from '../tenant/scram-client.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

/** RFC 6234 (SHA), RFC 4231 (HMAC, case 2), RFC 7914 section 11 (PBKDF2). */
test('gives the vectors of the RFCs', async () => {
  const { hash, hmac, pbkdf2 } = nodeSaslCrypto
  expect(hex(hash('sha256', utf8('abc')))).toMatch(/^ba7816bf8f01cfea.*f20015ad$/)
  expect(hex(hash('sha512', utf8('abc')))).toMatch(/^ddaf35a193617aba.*a54ca49f$/)
  const message = utf8('what do ya want for nothing?')
  expect(hex(hmac('sha256', utf8('Jefe'), message))).toMatch(/^5bdcc146bf60754e.*64ec3843$/)
  expect(hex(hmac('sha512', utf8('Jefe'), message))).toMatch(/^164b7a7bfcf819e2.*38bce737$/)
  const key = await new Promise<Uint8Array | Error>((resolve) => {
    pbkdf2('sha256', utf8('passwd'), utf8('salt'), 1, resolve)
  })
  expect(hex(key as Uint8Array)).toBe(
    '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc',
  )
})

test('has as many bytes as the hash, and calls back later', async () => {
  let isLater = false
  const key = new Promise<Uint8Array | Error>((resolve) => {
    nodeSaslCrypto.pbkdf2('sha512', utf8('x'), utf8('salt'), 4_096, (result) => {
      expect(isLater).toBe(true)
      resolve(result)
    })
  })
  isLater = true
  expect(((await key) as Uint8Array).length).toBe(64)
})

test('draws and compares', () => {
  const { randomBytes, timingSafeEqual } = nodeSaslCrypto
  const [a, b] = [randomBytes(32), randomBytes(32)]
  expect([a.length, hex(a) === hex(b)]).toEqual([32, false])
  expect([timingSafeEqual(a, a.slice()), timingSafeEqual(a, b)]).toEqual([true, false])
})

/** In a process of its own: vitest has loaded it long ago. */
test('loads node:crypto at the first use, and so does all of authentication', () => {
  const contents = `
    import { nodeSaslCrypto } from './src/server/node-sasl-crypto.ts'
    import * as apiKey from './src/tenant/api-key.ts'
    import * as exchange from './src/tenant/sasl-exchange.ts'
    const isLoaded = () => process.moduleLoadList.includes('NativeModule crypto')
    const before = isLoaded()
    nodeSaslCrypto.randomBytes(1)
    console.log(before, isLoaded(), typeof apiKey.makeApiKey, typeof exchange.SaslExchange)`
  const resolveDir = path.join(import.meta.dirname, '../..')
  const { outputFiles } = buildSync({
    ...{ bundle: true, format: 'iife', platform: 'node', write: false, logLevel: 'error' },
    stdin: { contents, resolveDir },
    define: { 'import.meta.url': '__url' },
    banner: { js: "const __url = require('node:url').pathToFileURL(process.cwd() + '/x').href;" },
  })
  const script = outputFiles[0]!.text
  const told = execFileSync(process.execPath, { input: script, encoding: 'utf8' })
  expect(told).toBe('false true function function\n')
})
