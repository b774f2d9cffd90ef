/** Certificates for tests, made by the `openssl` command: an authority, and what it signs. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${stderr}`)
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']

export interface Signed {
  readonly cert: string
  readonly key: string
}

/** Files under `directory`, as PEM. */
export class Authority {
  readonly file: string
  readonly #directory: string
  readonly #key: string

  constructor(directory: string, name = 'ca') {
    this.#directory = directory
    this.file = path.join(directory, `${name}.pem`)
    this.#key = path.join(directory, `${name}.key`)
    openssl(
      ...['req', '-x509', '-nodes', '-days', '365', '-subj', `/CN=${name}`, ...NEW_KEY],
      ...['-keyout', this.#key, '-out', this.file],
      ...[
        '-addext',
        'keyUsage=critical,keyCertSign,cRLSign',
        '-addext',
        'basicConstraints=critical,CA:TRUE',
      ],
    )
  }

  /** The file of its revocation list, with these certificates and those of before. */
  revoke(...certificates: readonly Signed[]): string {
    const at = (name: string) => path.join(this.#directory, name)
    const config = at('revocation.cnf')
    if (!existsSync(at('index.txt'))) writeFileSync(at('index.txt'), '')
    writeFileSync(
      config,
      `[ca]\ndefault_ca=own\n[own]\ndatabase=${at('index.txt')}\ndefault_md=sha256\ndefault_crl_days=30\n`,
    )
    const own = ['-config', config, '-keyfile', this.#key, '-cert', this.file]
    for (const { cert } of certificates) openssl('ca', ...own, '-revoke', cert)
    openssl('ca', ...own, '-gencrl', '-out', at('revoked.crl'))
    return at('revoked.crl')
  }

  /** For a server where `names` are given (`DNS:localhost`, `IP:127.0.0.1`), otherwise for a client. */
  sign(
    name: string,
    { subject = `/CN=${name}`, names = [] as readonly string[], days = 30, passphrase = '' } = {},
  ): Signed {
    const at = (end: string) => path.join(this.#directory, `${name}.${end}`)
    const secret = passphrase === '' ? ['-nodes'] : ['-passout', `pass:${passphrase}`]
    openssl(
      ...['req', '-new', '-subj', subject, ...NEW_KEY, ...secret],
      ...['-keyout', at('key'), '-out', at('csr')],
    )
    const usage = names.length === 0 ? 'clientAuth' : 'serverAuth'
    const alternatives = names.length === 0 ? '' : `\nsubjectAltName=${names.join(',')}`
    writeFileSync(at('ext'), `extendedKeyUsage=${usage}${alternatives}\n`)
    openssl(
      ...[
        'x509',
        '-req',
        '-in',
        at('csr'),
        '-CA',
        this.file,
        '-CAkey',
        this.#key,
        '-CAcreateserial',
      ],
      ...['-days', String(days), '-extfile', at('ext'), '-out', at('pem')],
    )
    return { cert: at('pem'), key: at('key') }
  }
}

export const LOCAL_NAMES = ['DNS:localhost', 'IP:127.0.0.1']

export const textOf = (file: string): string => readFileSync(file, 'utf8')
