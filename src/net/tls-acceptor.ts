/** TLS on accepted sockets: handshakes, how long they may take and how many there may be, and what they have told. On the front's thread. */
import type { Socket } from 'node:net'
import type { Server, TLSSocket, TlsOptions } from 'node:tls'
import { ConnectionCount } from './connection-counts.ts'
import type { ConnectionSet } from './connection-set.ts'
import type { ClientAuth } from './listener-info.ts'
import { SniContexts } from './sni-contexts.ts'
import { secureContextOptions, type TlsMaterial } from './tls-material.ts'
import { TlsConnectionSocket } from './tls-socket.ts'

/** What a handshake has told. */
export interface TlsClient {
  /** The name by which the client looked for its server (SNI), in lower case; null: it told none. */
  readonly servername: string | null
  /** Whom its certificate names; null: it has shown none. */
  readonly principal: string | null
}

export interface TlsAcceptorOptions {
  readonly set: ConnectionSet
  readonly material: TlsMaterial
  readonly clientAuth: ClientAuth
  /** Of a certificate that is trusted (DER); throws an Error that says why it names nobody. */
  readonly principalOf: (certificate: Uint8Array) => string
  /** Left out: 10 s, as a client that waits longer would have given up. */
  readonly handshakeMs?: number
}

/** One whose handshake is not over. */
interface Pending {
  readonly raw: Socket
  readonly remote: string
  readonly onSecure: (socket: TLSSocket, client: TlsClient) => void
}

const HANDSHAKE_MS = 10_000
/** Of the connections that there may be, so many may be handshakes: a flood of them leaves room for who is in. */
const HANDSHAKES_SHARE = 1 / 4
/** Where connections have no limit. */
const HANDSHAKES_MAX = 4_096

export class TlsAcceptor {
  readonly #options: TlsAcceptorOptions
  readonly #server: Server
  readonly #names: SniContexts
  /** By both addresses, longest ago first. */
  readonly #pending = new Map<string, Pending>()

  private constructor(options: TlsAcceptorOptions, server: Server, names: SniContexts) {
    this.#options = options
    this.#server = server
    this.#names = names
    server.on('secureConnection', (socket) => this.#onSecure(socket))
    server.on('tlsClientError', (error, socket) => this.#onError(error, socket))
  }

  /** Loads node:tls. Throws what Node says of material that is none. */
  static async create(options: TlsAcceptorOptions): Promise<TlsAcceptor> {
    const { createServer, createSecureContext } = await import('node:tls')
    const { material, clientAuth, handshakeMs = HANDSHAKE_MS } = options
    const names = new SniContexts(createSecureContext)
    names.set(material)
    const settings: TlsOptions = {
      ...secureContextOptions(material),
      handshakeTimeout: handshakeMs,
      SNICallback: (servername, done) => done(null, names.of(servername)),
      requestCert: clientAuth !== 'none',
      // what is wrong with a certificate is told only where it is looked at here
      rejectUnauthorized: false,
    }
    return new TlsAcceptor(options, createServer(settings), names)
  }

  /** Connections from now on are given this. Throws what Node says of material that is none, and then nothing has changed. */
  setMaterial(material: TlsMaterial): void {
    this.#names.set(material)
    this.#server.setSecureContext(secureContextOptions(material))
  }

  /** Calls `onSecure` once TLS is agreed on; a socket that does not come to that is closed. */
  accept(raw: Socket, remote: string, onSecure: Pending['onSecure']): void {
    const { set } = this.#options
    const at = addressesOf(raw)
    raw.on('error', () => {})
    if (at === null) {
      raw.destroy()
      return
    }
    this.#makeRoom()
    this.#pending.set(at, { raw, remote, onSecure })
    set.handshaking++
    set.counts[ConnectionCount.HANDSHAKES]!++
    raw.once('close', () => this.#onClosed(at, raw))
    this.#server.emit('connection', raw)
  }

  /** Closes those that are not through. */
  close(): void {
    for (const { raw } of this.#pending.values()) destroyLater(raw)
  }

  /** The handshake that has taken longest ends for a new one: who means it needs a few milliseconds. */
  #makeRoom(): void {
    const { connectionsMax = Number.POSITIVE_INFINITY } = this.#options.set.limits
    const max = Math.max(1, Math.min(HANDSHAKES_MAX, Math.floor(connectionsMax * HANDSHAKES_SHARE)))
    // other listeners may have handshakes too, by an acceptor of their own
    if (this.#options.set.handshaking < max || this.#pending.size === 0) return
    const [oldest] = this.#pending
    const [at, { raw }] = oldest!
    this.#fail(at, `it took longer than the ${max} others that may be under way`)
    destroyLater(raw)
  }

  #onSecure(socket: TLSSocket): void {
    const at = addressesOf(socket)
    const pending = at === null ? undefined : this.#pending.get(at)
    if (pending === undefined) {
      socket.destroy()
      return
    }
    let principal: string | null
    try {
      principal = this.#principal(socket)
    } catch (error) {
      socket.on('error', () => {})
      this.#fail(at!, (error as Error).message)
      new TlsConnectionSocket(socket).destroy()
      return
    }
    this.#forget(at!)
    // until here an end is the end: nobody is left to shake hands with
    socket.allowHalfOpen = true
    // of servers Node's types do not have it
    const { servername } = socket as { readonly servername?: string | false }
    pending.onSecure(socket, {
      servername: servername ? servername.toLowerCase() : null,
      principal,
    })
  }

  /** Throws an Error that says why the client may not come in. */
  #principal(socket: TLSSocket): string | null {
    const { clientAuth, principalOf } = this.#options
    if (clientAuth === 'none') return null
    const certificate = socket.getPeerX509Certificate()
    if (certificate === undefined) {
      if (clientAuth === 'requested') return null
      throw new Error('the client has shown no certificate, and --tls-client-auth is required')
    }
    if (!socket.authorized) {
      throw new Error(
        `the client's certificate is not trusted by --tls-client-ca: ${socket.authorizationError}`,
      )
    }
    return principalOf(certificate.raw)
  }

  #onError(error: Error, socket: TLSSocket): void {
    const at = addressesOf(socket)
    if (at !== null) this.#fail(at, explain(error))
    socket.destroy()
  }

  /** One that went before its handshake was over; of one that never said anything nothing is told: a look whether the port is open. */
  #onClosed(at: string, raw: Socket): void {
    if (this.#pending.get(at)?.raw !== raw) return
    if (raw.bytesRead > 0) {
      this.#fail(at, 'the client went away in the middle: it may not trust the certificate')
    } else this.#forget(at)
  }

  /** The caller closes it: by the socket of TLS, where that is at hand. */
  #fail(at: string, reason: string): void {
    const pending = this.#pending.get(at)
    if (pending === undefined) return
    const { set } = this.#options
    this.#forget(at)
    set.counts[ConnectionCount.HANDSHAKES_FAILED]!++
    set.logClient(pending.remote, 'TLS handshake failed', { reason })
  }

  #forget(at: string): void {
    if (this.#pending.delete(at)) this.#options.set.handshaking--
  }
}

/** Never while Node is in the middle of that socket's TLS: its memory would be freed under it (Node 20, 22 and 24 crash). */
const destroyLater = (raw: Socket): void => void setImmediate(() => raw.destroy())

/** Of a socket and of the TLS over it alike; null: it is gone. */
function addressesOf({
  remoteAddress,
  remotePort,
  localAddress,
  localPort,
}: Socket): string | null {
  if (remoteAddress === undefined) return null
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}

/** OpenSSL's codes in words, as far as an operator sees them often. */
const REASONS: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER:
    'what came in is not TLS: the client must speak it (security.protocol SSL or SASL_SSL)',
  ERR_SSL_HTTP_REQUEST: 'what came in is HTTP without TLS: this is a Kafka listener',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the client offers no version of TLS from 1.2 on',
  ERR_SSL_NO_SHARED_CIPHER: 'the client and this server have no cipher in common',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the client does not trust who has signed the certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'the client does not accept the certificate',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'the client does not accept the certificate',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: 'the client finds the certificate expired',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'it took too long',
}

function explain(error: Error): string {
  const { code = '', reason } = error as NodeJS.ErrnoException & { readonly reason?: string }
  return REASONS[code] ?? `${reason ?? error.message} (${code})`
}
