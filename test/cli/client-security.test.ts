/** What files, options and the environment say of TLS and logins. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseProperties } from '../../src/cli/client-properties.ts'
import { type SecurityOptions, securityOf } from '../../src/cli/client-security.ts'
import { overridden, readCommandConfig } from '../../src/cli/command-config.ts'
import { parseJaas } from '../../src/cli/jaas.ts'
import { parseJavaProperties } from '../../src/cli/java-properties.ts'
import { Authority, hasOpenssl, textOf } from '../server/certificates.ts'

let directory: string
let ca: Authority
beforeAll(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-security-'))
  if (hasOpenssl) ca = new Authority(directory)
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const at = (name: string) => path.join(directory, name)

function fileOf(...lines: string[]): string {
  writeFileSync(at('client.properties'), lines.join('\n'))
  return at('client.properties')
}

const read = (...lines: string[]) => readCommandConfig(fileOf(...lines)).security

const secure = (
  lines: readonly string[],
  options: SecurityOptions = {},
  env: Record<string, string> = {},
) => securityOf(read(...lines), options, env)

const PLAIN_MODULE = 'org.apache.kafka.common.security.plain.PlainLoginModule'
const SCRAM_MODULE = 'org.apache.kafka.common.security.scram.ScramLoginModule'

test('a file of properties is read as Java reads it', () => {
  const text = [
    '\ufeff# a comment',
    '  ! another',
    'a=1',
    'b : two words  ',
    'c\t3',
    'd\\ e\\:f=\\u0041\\t\\\\ \\q',
    'long=one, \\',
    '    two\\\\',
    'empty=',
    'name',
    'a=last',
    'p=x=y:z#!',
    'end\\',
  ].join('\r\n')
  const found = [...parseJavaProperties(text)].map(([name, { value }]) => [name, value])
  expect(found).toEqual([
    ['a', 'last'],
    ['b', 'two words  '],
    ['c', '3'],
    ['d e:f', 'A\t\\ q'],
    ['long', 'one, two\\'],
    ['empty', ''],
    ['name', ''],
    ['p', 'x=y:z#!'],
    ['end', ''],
  ])
  expect(parseJavaProperties('sasl.password=a\\b ').get('sasl.password')).toEqual({
    ...{ value: 'ab ', raw: 'a\\b' },
  })
})

describe('sasl.jaas.config', () => {
  test.each([
    [`${PLAIN_MODULE} required username="ada" password="se=c;r\\"e\\\\t";`, 'ada', 'se=c;r"e\\t'],
    [
      `${SCRAM_MODULE} REQUIRED\n  username='a' serviceName="kafka"\n password = plain ;`,
      'a',
      'plain',
    ],
  ])('names a login: %s', (text, username, password) => {
    expect(parseJaas(text)).toEqual({ username, password })
  })

  test.each([
    [`${PLAIN_MODULE} required username="a" password="hush"`, 'a semicolon'],
    [`${PLAIN_MODULE} username="a" password="hush";`, '"required" behind'],
    [`${PLAIN_MODULE} required password="hush";`, 'wants username'],
    [`${PLAIN_MODULE} required username="hush";`, 'wants password'],
    [`${PLAIN_MODULE} required username="hush password="x";`, 'a quote without an end'],
    [`${PLAIN_MODULE} required username "a" password="hush";`, 'for option 1'],
    [`${SCRAM_MODULE} required username="a" password="hush" tokenauth="true";`, 'tokenauth'],
    ['com.sun.security.auth.module.Krb5LoginModule required;', "'com.sun.security.auth.module.Krb"],
    ['', 'a semicolon'],
  ])('is refused: %s', (text, reason) => {
    expect(() => parseJaas(text)).toThrow(reason)
    expect(() => parseJaas(text)).not.toThrow('hush')
  })
})

describe('a login', () => {
  const sasl = (username: string, password: string, mechanism: string) => ({
    ...{ tls: null, sasl: { username, password, mechanism } },
  })

  test.each([
    [[], { tls: null, sasl: null }],
    [['security.protocol=PLAINTEXT', 'sasl.username=a', 'sasl.password=b'], { sasl: null }],
    [
      [
        ...['security.protocol=SASL_PLAINTEXT', 'sasl.mechanism=PLAIN'],
        `sasl.jaas.config=${PLAIN_MODULE} required username="k" password="s\\\\"t";`,
      ],
      // Java's backslash is written twice in a file
      sasl('k', 's"t', 'PLAIN'),
    ],
    [
      [
        ...['security.protocol=sasl_plaintext', 'sasl.mechanisms=SCRAM-SHA-512'],
        ...['sasl.username=a', 'sasl.password=b\\c', 'acks=all', 'sasl.kerberos.x=y'],
      ],
      sasl('a', 'b\\c', 'SCRAM-SHA-512'),
    ],
  ])('is what the file says: %j', (lines, wanted) => {
    expect(secure(lines)).toMatchObject(wanted)
  })

  test('is the key of an option, else of the environment, and by SCRAM unless told', () => {
    const env = { GRIOT_KEY: 'E', GRIOT_SECRET: 'e' }
    const file = ['security.protocol=SASL_PLAINTEXT', 'sasl.mechanism=PLAIN']
    expect(secure([], {}, env)).toEqual(sasl('E', 'e', 'SCRAM-SHA-256'))
    expect(secure([], { apiKey: 'O', secret: 'o' }, env)).toEqual(sasl('O', 'o', 'SCRAM-SHA-256'))
    expect(secure([], { apiKey: 'O' }, env)).toEqual(sasl('O', 'e', 'SCRAM-SHA-256'))
    expect(secure(file, {}, env)).toEqual(sasl('E', 'e', 'PLAIN'))
    const named = [...file, 'sasl.username=F', 'sasl.password=f']
    expect(secure(named, {}, env)).toEqual(sasl('F', 'f', 'PLAIN'))
    expect(secure(named, { apiKey: 'O' }, env)).toEqual(sasl('O', 'e', 'PLAIN'))
    expect(secure(['security.protocol=PLAINTEXT'], {}, env).sasl).toBe(null)
    expect(secure(['security.protocol=PLAINTEXT'], { apiKey: 'O', secret: 'o' })).toEqual(
      sasl('O', 'o', 'SCRAM-SHA-256'),
    )
  })

  test('of -X takes the place of that of the file, in whatever words', () => {
    const file = read(
      ...['security.protocol=SASL_PLAINTEXT', 'sasl.mechanism=PLAIN'],
      `sasl.jaas.config=${PLAIN_MODULE} required username="k" password="s";`,
    )
    const { security } = parseProperties([
      ...['sasl.mechanisms=SCRAM-SHA-256', 'sasl.username=x', 'sasl.password=y'],
    ])
    expect(securityOf(overridden(file, security), {}, {})).toEqual(sasl('x', 'y', 'SCRAM-SHA-256'))
  })

  test.each([
    [['security.protocol=TLS'], 'security.protocol: wants one of PLAINTEXT, SSL, SASL_'],
    [
      ['security.protocol=SASL_SSL', 'sasl.username=a', 'sasl.password=hush'],
      'sasl.mechanism: GSSAPI, what it is where nothing is said, is not spoken here: wants one of PLAIN',
    ],
    [
      [
        'security.protocol=SASL_SSL',
        'sasl.mechanism=OAUTHBEARER',
        'sasl.username=a',
        'sasl.password=hush',
      ],
      'sasl.mechanism: another, is not spoken here',
    ],
    [
      ['security.protocol=SASL_SSL', 'sasl.mechanism=PLAIN'],
      'security.protocol: a login is wanted: sasl.jaas',
    ],
    [
      ['security.protocol=SASL_SSL', 'sasl.jaas.config=hush'],
      'sasl.jaas.config: wants a semicolon',
    ],
    [['ssl.truststore.password=hush'], 'ssl.truststore.password is refused: stores in PEM have'],
    [['ssl.cipher.suites=hush'], 'ssl.cipher.suites is refused: this client does not know it'],
    [['sasl.login.class=hush'], 'sasl.login.class is refused'],
  ])('is refused by name: %j', (lines, reason) => {
    const trying = () => secure(lines)
    expect(trying).toThrow(`--command-config ${at('client.properties')}: ${reason}`)
    expect(trying).not.toThrow('hush')
  })

  test('is wanted whole', () => {
    expect(() => secure([], { apiKey: 'K' })).toThrow('GRIOT_SECRET, or --secret, is wanted')
    expect(() => secure([], {}, { GRIOT_SECRET: 's' })).toThrow('--api-key, or GRIOT_KEY, is')
    expect(() => readCommandConfig(at('none'))).toThrow(
      `config ${at('none')}: cannot be read: ENOENT`,
    )
  })
})

describe.skipIf(!hasOpenssl)('TLS', () => {
  const SSL = 'security.protocol=SSL'

  test('trusts whom the file names, in the words of both kinds', () => {
    const text = textOf(ca.file)
    const java = ['ssl.truststore.type=PEM', `ssl.truststore.location=${ca.file}`]
    expect(secure([SSL, ...java]).tls).toEqual({
      ...{ ca: text, cert: null, key: null, passphrase: null },
      ...{ checksHost: true, checksCertificate: true },
      ...{ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' },
    })
    expect(secure([SSL, `ssl.ca.location=${ca.file}`]).tls!.ca).toBe(text)
    const inline = text.trim().replace(/\n/g, ' \\\n')
    const pem = text.trim().replace(/\n/g, '\\n')
    expect(secure([SSL, `ssl.truststore.certificates=${pem}`]).tls!.ca).toBe(text.trim())
    expect(() => secure([SSL, `ssl.truststore.certificates=${inline}`])).toThrow('no certificate')
    expect(secure([], { ca: ca.file })).toMatchObject({ tls: { ca: text }, sasl: null })
    expect(secure([], { tls: true }).tls).toMatchObject({ ca: null, checksHost: true })
    expect(secure(java).tls).toBe(null)
    const login = { tls: true, apiKey: 'K', secret: 's' }
    expect(secure(['ssl.endpoint.identification.algorithm='], login)).toMatchObject({
      ...{ tls: { checksHost: false }, sasl: { username: 'K' } },
    })
  })

  test('shows what the file names', () => {
    const { cert, key } = ca.sign('client', { passphrase: 'word' })
    writeFileSync(at('store.pem'), textOf(key) + textOf(cert))
    const store = ['ssl.keystore.type=PEM', `ssl.keystore.location=${at('store.pem')}`]
    const { tls } = secure([SSL, ...store, 'ssl.key.password=word'])
    expect(tls).toMatchObject({ passphrase: 'word', cert: textOf(at('store.pem')) })
    const files = [`ssl.certificate.location=${cert}`, `ssl.key.location=${key}`]
    const other = secure([SSL, ...files, 'ssl.key.password=word']).tls
    expect(other).toMatchObject({ cert: textOf(cert), key: textOf(key) })
    expect(() => secure([SSL, ...files, 'ssl.key.password=other'])).toThrow('password is wrong')
    expect(() => secure([SSL, ...files])).toThrow(
      'the key of this client is encrypted: ssl.key.password is',
    )
    const another = ca.sign('another')
    const mixed = [`ssl.certificate.location=${cert}`, `ssl.key.location=${another.key}`]
    expect(() => secure([SSL, ...mixed])).toThrow('the key is not that of the certificate')
  })

  test.each([
    ['ssl.endpoint.identification.algorithm=none', { checksHost: false }],
    ['enable.ssl.certificate.verification=false', { checksCertificate: false }],
    ['ssl.enabled.protocols=TLSv1.3', { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' }],
    ['ssl.enabled.protocols=TLSv1.2, TLSv1.1', { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }],
    ['ssl.protocol=TLSv1.3', { minVersion: 'TLSv1.2' }],
  ])('goes by %s', (line, wanted) => {
    expect(secure([SSL, line]).tls).toMatchObject(wanted)
  })

  test.each([
    [['ssl.truststore.location=x.jks'], 'ssl.truststore.type: JKS, what it is where nothing'],
    [
      ['ssl.truststore.type=PKCS12', 'ssl.truststore.location=x'],
      'PKCS12 is not read here: PEM is',
    ],
    [
      ['ssl.truststore.type=PEM', 'ssl.truststore.location=none'],
      'location: cannot be read: ENOENT',
    ],
    [['ssl.keystore.location=x.jks'], 'ssl.keystore.type: JKS'],
    [['ssl.enabled.protocols=TLSv1.1'], 'ssl.enabled.protocols: wants one of TLSv1.2, TLSv1.3'],
    [['enable.ssl.certificate.verification=no'], 'wants true or false'],
    [['ssl.endpoint.identification.algorithm=ldap'], 'wants https, or nothing'],
  ])('refuses %j', (lines, reason) => {
    expect(() => secure([SSL, ...lines])).toThrow(reason)
  })

  test('refuses a file without a certificate', () => {
    writeFileSync(at('empty.pem'), 'nothing')
    expect(() => secure([], { ca: at('empty.pem') })).toThrow(
      'empty.pem: no certificate (PEM) is in it',
    )
  })
})
