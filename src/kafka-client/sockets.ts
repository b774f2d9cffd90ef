/** Sockets to brokers: TCP, and TLS over it where that is wanted. */
import { connect, isIP, type Socket } from 'node:net'
import type { ConnectionOptions as TlsConnectOptions } from 'node:tls'
import { ConnectionError } from './errors.ts'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** How a client knows its brokers, and lets itself be known. PEM. */
export interface ClientTls {
  /** Who may have signed the certificates of brokers; null: those whom Node trusts. */
  readonly ca: string | null
  /** Its own certificate and those that it was signed with; null: none. */
  readonly cert: string | null
  readonly key: string | null
  readonly passphrase: string | null
  /** The certificate must be of the host that is connected to (Kafka's `ssl.endpoint.identification.algorithm`). */
  readonly checksHost: boolean
  /** false: any certificate does (librdkafka's `enable.ssl.certificate.verification`). */
  readonly checksCertificate: boolean
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
}

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/** What `createSecureContext` takes. */
export const tlsContextOptions = (tls: ClientTls) => ({
  ...{ minVersion: tls.minVersion, maxVersion: tls.maxVersion },
  ...(tls.ca === null ? {} : { ca: tls.ca }),
  ...(tls.cert === null ? {} : { cert: tls.cert }),
  ...(tls.key === null ? {} : { key: tls.key }),
  ...(tls.passphrase === null ? {} : { passphrase: tls.passphrase }),
})

export const formatAddress = ({ host, port }: HostPort): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

interface Wanted {
  readonly at: HostPort
  readonly timeoutMs: number
  readonly isAdvertised: boolean
}

/** Connected, and over TLS where `tls` is given. Throws a {@link ConnectionError}; the time-out is for each of both. */
export async function openSocket(wanted: Wanted, tls: ClientTls | null): Promise<Socket> {
  const tcp = await openTcp(wanted)
  return tls === null ? tcp : await openTls(tcp, wanted, tls)
}

function openTcp({ at, timeoutMs, isAdvertised }: Wanted): Promise<Socket> {
  const address = formatAddress(at)
  return new Promise((resolve, reject) => {
    const socket = connect({ host: at.host, port: at.port, noDelay: true })
    const fail = (reason: string, message: string) => {
      clearTimeout(timer)
      socket.destroy()
      reject(new ConnectionError(address, reason, `${address}: ${message}`, isAdvertised))
    }
    const timer = setTimeout(
      () => fail('TIMEOUT', `no connection within ${timeoutMs} ms`),
      timeoutMs,
    )
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // with several addresses of one name the error is an AggregateError without a text
      fail(error.code ?? 'ERROR', error.message || (error.code ?? 'no connection'))
    })
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.removeAllListeners('error')
      resolve(socket)
    })
  })
}

async function openTls(
  tcp: Socket,
  { at, timeoutMs, isAdvertised }: Wanted,
  tls: ClientTls,
): Promise<Socket> {
  const address = formatAddress(at)
  // what comes before TLS listens is for nobody
  tcp.on('error', () => {})
  const { connect: connectTls } = await import('node:tls')
  const options: TlsConnectOptions = {
    ...{ socket: tcp, host: at.host, ...tlsContextOptions(tls) },
    ...(isIP(at.host) === 0 ? { servername: at.host } : {}),
    rejectUnauthorized: tls.checksCertificate,
    ...(tls.checksHost ? {} : { checkServerIdentity: () => undefined }),
  }
  return await new Promise((resolve, reject) => {
    const socket = connectTls(options)
    const fail = (reason: string, message: string) => {
      clearTimeout(timer)
      socket.destroy()
      tcp.destroy()
      reject(new ConnectionError(address, reason, `${address}: ${message}`, isAdvertised))
    }
    const timer = setTimeout(
      () => fail('HANDSHAKE', `TLS was not agreed on within ${timeoutMs} ms`),
      timeoutMs,
    )
    const onError = (error: NodeJS.ErrnoException) => fail(...tlsFaultOf(error))
    // an end in the middle is an error on some systems, and on others nothing but the end
    const onClose = () => fail(...tlsFaultOf({ code: 'ECONNRESET', message: '' }))
    socket.once('error', onError)
    socket.once('close', onClose)
    socket.once('secureConnect', () => {
      clearTimeout(timer)
      socket.off('error', onError)
      socket.off('close', onClose)
      resolve(socket)
    })
  })
}

interface Fault {
  readonly code?: string | undefined
  readonly message: string
  readonly reason?: string
}

/** Reason and message of what has gone wrong in TLS, as {@link ConnectionError} has them. */
export function tlsFaultOf(error: Fault): [reason: string, message: string] {
  const { code = '', message } = error
  if (code === 'ECONNRESET' || code === 'EPIPE') {
    return ['HANDSHAKE', 'it closed the connection in the middle of the TLS handshake']
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return ['NOT_TLS', 'what answers does not speak TLS']
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return ['CERTIFICATE_NAME', `the certificate is of another host: ${nameFault(message)}`]
  }
  if (code.startsWith('ERR_SSL_')) {
    const reason = error.reason ?? message
    return ['TLS', `TLS could not be agreed on: ${reason}`]
  }
  // what OpenSSL finds when it looks at a certificate
  if (CERTIFICATE_FAULT.test(code)) {
    return ['CERTIFICATE', `the certificate is not trusted: ${message} (${code})`]
  }
  return [code || 'ERROR', message || code]
}

/** Of Node's text what follows "Hostname/IP does not match certificate's altnames: ". */
const nameFault = (message: string): string => message.replace(/^Hostname\/IP does not .*?: /, '')

const CERTIFICATE_FAULT =
  /CERT|CRL|SIGNATURE|^UNABLE_TO_|^INVALID_(CA|PURPOSE)$|PATH_LENGTH|^HOSTNAME_MISMATCH$/

const ANY_TLS: ClientTls = {
  ...{ ca: null, cert: null, key: null, passphrase: null, checksHost: false },
  ...{ checksCertificate: false, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3' },
}

/** Whether what listens there speaks TLS, whatever its certificate. Nothing is sent but a handshake. */
export async function speaksTls(at: HostPort, timeoutMs: number): Promise<boolean> {
  try {
    const socket = await openSocket({ at, timeoutMs, isAdvertised: false }, ANY_TLS)
    socket.on('error', () => {})
    socket.destroy()
    return true
  } catch (error) {
    // refused, and in the words of TLS
    return error instanceof ConnectionError && error.reason === 'TLS'
  }
}
