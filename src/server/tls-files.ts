/** The files of TLS: read, checked, and read again when they change. On the Kafka front's thread, but for the first look at the start. */
import { X509Certificate } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { Logger } from '../base/log.ts'
import {
  type NamedMaterial,
  revocationLists,
  secureContextOptions,
  type TlsMaterial,
} from '../net/tls-material.ts'
import type { EngineSettings } from './options.ts'
import { readSmallFile } from './small-file.ts'

export type TlsFileSettings = Pick<
  EngineSettings,
  'tlsCert' | 'tlsKey' | 'tlsKeyPassphraseFile' | 'tlsClientCa' | 'tlsCrl' | 'tlsSniCert'
>

/** A chain, or some hundred authorities. */
const FILE_BYTES_MAX = 1_048_576
const PASSPHRASE_BYTES_MAX = 4_096
/** How often it is looked whether files have changed; what has is read when it stays as it is for as long. */
const LOOK_MS = 2_000
const DAY_MS = 86_400_000
/** Clients stop taking a certificate at once: somebody should know some time before. */
const WARN_BEFORE_MS = 14 * DAY_MS

/** TLS cannot be served with these files: the message names option and file, never what is in it. */
export class TlsFileError extends Error {
  override name = 'TlsFileError'
}

export interface LoadedTls {
  readonly material: TlsMaterial
  /** Of the certificate that is over first, wall milliseconds, … */
  readonly expiresAtMs: number
  /** … and where that is. */
  readonly expiringFile: string
}

/** Reads all files and tries whether they go together. Throws {@link TlsFileError}. */
export function loadTls(settings: TlsFileSettings): LoadedTls {
  const { tlsCert, tlsKey, tlsKeyPassphraseFile, tlsClientCa, tlsCrl } = settings
  const cert = read('--tls-cert', tlsCert!, FILE_BYTES_MAX)
  const passphrase = tlsKeyPassphraseFile
  const material: TlsMaterial = {
    cert,
    key: tlsKey === null ? cert : read('--tls-key', tlsKey, FILE_BYTES_MAX),
    passphrase:
      passphrase === null
        ? null
        : read('--tls-key-passphrase-file', passphrase, PASSPHRASE_BYTES_MAX).replace(/\r?\n$/, ''),
    clientCa: tlsClientCa === null ? null : read('--tls-client-ca', tlsClientCa, FILE_BYTES_MAX),
    crl: tlsCrl === null ? null : read('--tls-crl', tlsCrl, FILE_BYTES_MAX),
    named: settings.tlsSniCert.map(({ name, file }) => {
      const text = read(`--tls-sni-cert ${name}`, file, FILE_BYTES_MAX)
      return { name, cert: text, key: text }
    }),
  }
  const { validTo } = tried(
    `--tls-cert: ${tlsCert} has no certificate`,
    () => new X509Certificate(cert),
  )
  if (tlsClientCa !== null) {
    const what = `--tls-client-ca: ${tlsClientCa} has no certificate`
    tried(what, () => new X509Certificate(material.clientCa!))
  }
  const where = tlsKey === null ? tlsCert : `${tlsKey} and ${tlsCert}`
  if (material.passphrase === null && material.key.includes('ENCRYPTED PRIVATE KEY')) {
    throw new TlsFileError(
      `--tls-key: ${tlsKey ?? tlsCert} is encrypted: --tls-key-passphrase-file is needed`,
    )
  }
  tried(`--tls-key: ${where} cannot be used`, () =>
    createSecureContext(secureContextOptions({ ...material, crl: null })),
  )
  if (material.crl !== null) {
    const crl = [...revocationLists(material.crl)]
    tried(`--tls-crl: ${tlsCrl} has no revocation list`, () => createSecureContext({ crl }))
  }
  let first = { expiresAtMs: Date.parse(validTo), expiringFile: tlsCert! }
  material.named.forEach((named, at) => {
    const { file } = settings.tlsSniCert[at]!
    const expiresAtMs = checkNamed(material, named, file)
    if (expiresAtMs < first.expiresAtMs) first = { expiresAtMs, expiringFile: file }
  })
  return { material, ...first }
}

/** Returns when it is over. */
function checkNamed(
  material: TlsMaterial,
  { name, cert, key }: NamedMaterial,
  file: string,
): number {
  const option = `--tls-sni-cert ${name}`
  const { validTo } = tried(
    `${option}: ${file} has no certificate`,
    () => new X509Certificate(cert),
  )
  if (material.passphrase === null && key.includes('ENCRYPTED PRIVATE KEY')) {
    throw new TlsFileError(
      `${option}: the key in ${file} is encrypted: --tls-key-passphrase-file is needed`,
    )
  }
  const own = { ...material, cert, key, crl: null }
  tried(`${option}: ${file} cannot be used`, () => createSecureContext(secureContextOptions(own)))
  return Date.parse(validTo)
}

function read(option: string, file: string, bytesMax: number): string {
  return tried(`${option}: ${file} cannot be read`, () => readSmallFile(file, { bytesMax }))
}

/** OpenSSL's reasons tell nothing of what is in a file. */
function tried<Result>(what: string, look: () => Result): Result {
  try {
    return look()
  } catch (error) {
    const { message, reason, code } = error as NodeJS.ErrnoException & { readonly reason?: string }
    throw new TlsFileError(`${what}: ${explain(code, reason ?? message)}`, { cause: error })
  }
}

function explain(code: string | undefined, reason: string): string {
  if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH') return 'the key is not that of the certificate'
  return code?.endsWith('BAD_DECRYPT') ? 'the passphrase is wrong' : reason
}

export interface TlsFilesOptions {
  readonly settings: TlsFileSettings
  readonly logger: Logger
  /** May throw, and then what was there before is kept. */
  readonly onMaterial: (material: TlsMaterial) => void
  readonly onExpiry: (expiresAtMs: number) => void
  /** Why not all is well; null: it is. */
  readonly onState: (reason: string | null) => void
  readonly nowMs: () => number
  readonly lookMs?: number
}

export class TlsFiles {
  readonly #options: TlsFilesOptions
  readonly #files: readonly string[]
  /** What the files looked like when they were read, … */
  #read = ''
  /** … and at the last look. */
  #seen = ''
  #fault: string | null = null
  #expiresAtMs = Number.NaN
  #expiringFile = ''
  #warnedAtMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | null = null
  #isLooking = false

  constructor(options: TlsFilesOptions) {
    this.#options = options
    const { tlsCert, tlsKey, tlsKeyPassphraseFile, tlsClientCa, tlsCrl } = options.settings
    const named = options.settings.tlsSniCert.map(({ file }) => file)
    const files = [tlsCert, tlsKey, tlsKeyPassphraseFile, tlsClientCa, tlsCrl, ...named]
    this.#files = files.filter((file) => file !== null)
  }

  /** Reads them, and from now on again when they change. Throws {@link TlsFileError}. */
  async start(): Promise<TlsMaterial> {
    this.#read = this.#seen = await this.#look()
    const { material, ...expiry } = loadTls(this.#options.settings)
    this.#setExpiry(expiry)
    const { lookMs = LOOK_MS } = this.#options
    this.#timer = setInterval(() => void this.#onTimer(), lookMs)
    this.#timer.unref()
    return material
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  /** Now, whether or not they look different. */
  async readAgain(): Promise<void> {
    const seen = await this.#look()
    if (this.#timer !== null) this.#load(seen)
  }

  async #onTimer(): Promise<void> {
    this.#checkExpiry()
    // a file system that hangs: one look at a time
    if (this.#isLooking) return
    this.#isLooking = true
    const seen = await this.#look()
    this.#isLooking = false
    // certificate and key are seldom replaced in the same moment
    const isSettled = seen === this.#seen
    this.#seen = seen
    if (isSettled && seen !== this.#read && this.#timer !== null) this.#load(seen)
  }

  #load(seen: string): void {
    const { settings, logger, onMaterial } = this.#options
    this.#read = seen
    try {
      const { material, ...expiry } = loadTls(settings)
      onMaterial(material)
      this.#fault = null
      const expires = new Date(expiry.expiresAtMs).toISOString()
      logger.log('info', 'TLS certificate read again: new connections are given it', { expires })
      this.#setExpiry(expiry)
    } catch (error) {
      this.#fault = (error as Error).message
      const message = 'TLS files not taken: new connections are given the certificate from before'
      logger.log('error', message, { reason: this.#fault })
    }
    this.#tell()
  }

  #setExpiry({ expiresAtMs, expiringFile }: Pick<LoadedTls, 'expiresAtMs' | 'expiringFile'>): void {
    this.#expiresAtMs = expiresAtMs
    this.#expiringFile = expiringFile
    this.#warnedAtMs = Number.NEGATIVE_INFINITY
    this.#options.onExpiry(expiresAtMs)
    this.#checkExpiry()
  }

  /** A line a day. */
  #checkExpiry(): void {
    const nowMs = this.#options.nowMs()
    const leftMs = this.#expiresAtMs - nowMs
    if (leftMs > WARN_BEFORE_MS || nowMs - this.#warnedAtMs < DAY_MS) return
    this.#warnedAtMs = nowMs
    const expires = new Date(this.#expiresAtMs).toISOString()
    const message =
      leftMs > 0
        ? 'the TLS certificate expires soon: clients will not come in then'
        : 'the TLS certificate has expired: clients do not come in'
    const fields = { file: this.#expiringFile, expires }
    this.#options.logger.log(leftMs > 0 ? 'warn' : 'error', message, fields)
    this.#tell()
  }

  #tell(): void {
    const hasExpired = this.#expiresAtMs <= this.#options.nowMs()
    const reasons = [
      this.#fault === null ? [] : [`TLS: ${this.#fault}; the certificate from before is used`],
      hasExpired ? [`TLS: the certificate has expired: clients do not come in`] : [],
    ].flat()
    this.#options.onState(reasons.length === 0 ? null : reasons.join('; '))
  }

  /** What tells one content from another without reading it; a file that is not there, as such. */
  async #look(): Promise<string> {
    const seen = await Promise.all(
      this.#files.map((file) =>
        stat(file).then(
          ({ ino, size, mtimeMs, ctimeMs }) => `${ino} ${size} ${mtimeMs} ${ctimeMs}`,
          ({ code }: NodeJS.ErrnoException) => `${code}`,
        ),
      ),
    )
    return seen.join(', ')
  }
}
