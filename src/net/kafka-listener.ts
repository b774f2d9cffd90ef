import { createServer, type Server, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { formatHostPort } from './address.ts'
import type { KafkaConnection } from './connection.ts'
import type { ConnectionSet } from './connection-set.ts'
import type { Audience, Belonging, ListenerInfo } from './listener-info.ts'
import { receiveInto, receiveTlsInto } from './receive.ts'
import type { TlsAcceptor, TlsClient } from './tls-acceptor.ts'
import { TlsConnectionSocket } from './tls-socket.ts'

/** What clients of a listener are told to connect to. */
export interface AdvertisedAddress {
  /** Null: the local address of each connection. */
  readonly advertisedHost: string | null
  /** Of node 1; null: the ports listened on. */
  readonly advertisedPort: number | null
}

export interface ListenOptions extends AdvertisedAddress, Audience {
  /** The option that asks for this listener, for messages: `--kafka-listen`. */
  readonly optionName: string
  readonly host: string
  /** Of node 1; the others take the next ones. 0: free ones for all. */
  readonly port: number
  /** As many ports as the largest cell has brokers. */
  readonly nodes: number
  /** Left out or null: plain TCP. */
  readonly tls?: TlsAcceptor | null
  /** Whose a connection is where that is known only when it comes, by its SNI; a text says why it is refused. Left out: `tenantId`. */
  readonly belongingOf?: (servername: string | null) => Belonging | string
}

/** The same, worked out for each node. */
interface Told {
  host: string | null
  ports: readonly number[]
}

const told = (
  { advertisedHost, advertisedPort }: AdvertisedAddress,
  ports: readonly number[],
): Told => ({
  host: advertisedHost,
  ports: advertisedPort === null ? ports : ports.map((_, index) => advertisedPort + index),
})

/** Nothing is read before {@link receiveInto} says where to. In a handshake an end is the end. */
const serverOptions = ({ tls = null }: ListenOptions) => ({
  ...{ noDelay: true, keepAlive: true, pauseOnConnect: true },
  allowHalfOpen: tls === null,
})

/** Listening failed; the message names host, port and option. */
export class ListenError extends Error {
  override name = 'ListenError'
}

/** The TCP listeners of one address, one port per node, on the front's thread. */
export class KafkaListener {
  readonly ports: readonly number[]
  readonly #servers: readonly Server[]
  readonly #set: ConnectionSet
  readonly #told: Told

  private constructor(
    servers: readonly Server[],
    ports: readonly number[],
    set: ConnectionSet,
    advertised: AdvertisedAddress,
  ) {
    this.#servers = servers
    this.ports = ports
    this.#set = set
    this.#told = told(advertised, ports)
  }

  /** Opens all ports or none. Throws {@link ListenError}. */
  static async listen(options: ListenOptions, set: ConnectionSet): Promise<KafkaListener> {
    const servers: Server[] = []
    const ports: number[] = []
    const early = new EarlySockets()
    try {
      for (let node = 1; node <= options.nodes; node++) {
        const server = createServer(serverOptions(options))
        servers.push(server)
        early.keepFrom(server)
        ports.push(
          await listenOn(server, options, options.port === 0 ? 0 : options.port + node - 1),
        )
      }
    } catch (error) {
      for (const server of servers) server.close()
      early.destroy()
      throw error
    }
    const listener = new KafkaListener(servers, ports, set, options)
    listener.#accept(options, early)
    return listener
  }

  /** Accepts no more connections; those that are open stay. */
  stopAccepting(): void {
    for (const server of this.#servers) server.close()
  }

  /** From now on clients are told this, also those that are connected. */
  advertise(advertised: AdvertisedAddress): void {
    Object.assign(this.#told, told(advertised, this.ports))
  }

  #accept(options: ListenOptions, early: EarlySockets): void {
    this.#servers.forEach((server, index) => {
      const port: Port = { options, nodeId: index + 1, told: this.#told, set: this.#set }
      const waiting = early.releaseOf(server)
      server.on('connection', (socket) => acceptSocket(port, socket))
      for (const socket of waiting) acceptSocket(port, socket)
      // What goes wrong after listening (out of descriptors) concerns connections that never came to be.
      server.on('error', () => {})
    })
  }
}

/** One of a listener's. */
interface Port {
  readonly options: ListenOptions
  readonly nodeId: number
  readonly told: Told
  readonly set: ConnectionSet
}

/** Where one connection came in. */
class ConnectionOrigin implements ListenerInfo {
  readonly name: string
  readonly nodeId: number
  readonly tenantId: ListenerInfo['tenantId']
  readonly allowsAnonymous: boolean
  readonly allowsSasl: boolean
  readonly isTls: boolean
  readonly trustsAnonymous: boolean
  readonly principal: string | null
  readonly #told: Told
  readonly #host: string | null

  constructor(
    { options, nodeId, told }: Port,
    { tenantId, host }: Belonging,
    principal: string | null,
  ) {
    this.name = options.optionName
    this.nodeId = nodeId
    this.tenantId = tenantId
    this.allowsAnonymous = options.allowsAnonymous
    this.allowsSasl = options.allowsSasl
    this.isTls = (options.tls ?? null) !== null
    this.trustsAnonymous = options.trustsAnonymous === true
    this.principal = principal
    this.#told = told
    this.#host = host
  }

  get advertisedHost(): string | null {
    return this.#host ?? this.#told.host
  }

  get advertisedPorts(): readonly number[] {
    return this.#told.ports
  }
}

type Asked = Pick<ListenOptions, 'optionName' | 'host' | 'port' | 'nodes'>

/** Opens the ports for a moment, to find out whether they can be had; those that the system picks always can. Throws {@link ListenError}. */
export async function probePorts(options: Asked): Promise<void> {
  if (options.port === 0) return
  for (let node = 1; node <= options.nodes; node++) {
    const server = createServer((socket) => socket.destroy())
    await listenOn(server, options, options.port + node - 1)
    await new Promise<unknown>((resolve) => server.close(resolve))
  }
}

/** Connections that come in while other ports are still being opened: what they send waits in the kernel until then. */
class EarlySockets {
  readonly #sockets = new Map<Server, Socket[]>()

  keepFrom(server: Server): void {
    const sockets: Socket[] = []
    this.#sockets.set(server, sockets)
    server.on('connection', (socket) => {
      socket.on('error', () => {})
      sockets.push(socket)
    })
  }

  /** Keeps no more from `server`; what came and is still there is the caller's. */
  releaseOf(server: Server): Socket[] {
    server.removeAllListeners('connection')
    return this.#sockets.get(server)!.filter((socket) => !socket.destroyed)
  }

  destroy(): void {
    for (const socket of [...this.#sockets.values()].flat()) socket.destroy()
  }
}

function acceptSocket(port: Port, accepted: Socket): void {
  const { set, options } = port
  const remote = formatHostPort({
    host: plainAddress(accepted.remoteAddress, '?'),
    port: accepted.remotePort ?? 0,
  })
  if (!set.makeRoom(remote)) {
    accepted.on('error', () => {})
    accepted.destroy()
    return
  }
  const addresses = { remote, local: plainAddress(accepted.localAddress) }
  const { tls = null } = options
  if (tls === null) openPlain(port, accepted, addresses)
  else tls.accept(accepted, remote, (socket, client) => openTls(port, socket, addresses, client))
}

interface Addresses {
  readonly remote: string
  readonly local: string
}

function openPlain(port: Port, accepted: Socket, addresses: Addresses): void {
  const { set } = port
  const origin = originOf(port, addresses, null)
  if (origin === null) {
    accepted.on('error', () => {})
    accepted.destroy()
    return
  }
  let connection: KafkaConnection | null = null
  const socket = receiveInto(accepted, {
    get readInto() {
      return connection?.readInto ?? set.readBuffer
    },
    onBytes: (bytes) => connection!.onData(bytes),
  })
  connection = set.open(socket, origin, addresses)
  followSocket(socket, connection)
}

function openTls(port: Port, socket: TLSSocket, addresses: Addresses, client: TlsClient): void {
  const origin = originOf(port, addresses, client)
  const plain = new TlsConnectionSocket(socket)
  if (origin === null) {
    socket.on('error', () => {})
    plain.destroy()
    return
  }
  const connection = port.set.open(plain, origin, addresses)
  receiveTlsInto(socket, {
    get readInto() {
      return connection.readInto
    },
    onBytes: (bytes) => connection.onData(bytes),
  })
  followSocket(socket, connection)
}

function followSocket(socket: Socket, connection: KafkaConnection): void {
  socket.on('end', () => connection.onEnd())
  // A reset is how clients go away; 'close' follows every error.
  socket.on('error', () => {})
  socket.on('close', () => connection.onClosed())
}

/** null: it is refused, with a line in the log. `client` is null where there is no TLS. */
function originOf(
  port: Port,
  { remote }: Addresses,
  client: TlsClient | null,
): ListenerInfo | null {
  const { belongingOf, tenantId } = port.options
  const belonging = belongingOf?.(client?.servername ?? null) ?? { tenantId, host: null }
  if (typeof belonging !== 'string') {
    return new ConnectionOrigin(port, belonging, client?.principal ?? null)
  }
  port.set.logClient(remote, 'connection refused', { reason: belonging })
  return null
}

/** An IPv4 address that came in through an IPv6 socket, as IPv4. */
const plainAddress = (address: string | undefined, unknown = '127.0.0.1'): string =>
  address === undefined ? unknown : address.replace(/^::ffff:(?=\d+\.)/, '')

function listenOn(server: Server, options: Asked, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(new ListenError(explain(error, options, port), { cause: error }))
    })
    server.listen({ host: options.host, port, backlog: 1024 }, () => {
      server.removeAllListeners('error')
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

function explain(error: NodeJS.ErrnoException, options: Asked, port: number): string {
  const { optionName, host, nodes } = options
  const where = formatHostPort({ host, port })
  switch (error.code) {
    case 'EADDRINUSE': {
      const first = options.port
      const asked =
        nodes > 1 && first > 0
          ? ` (${formatHostPort({ host, port: first })} takes ports ${first} to ${first + nodes - 1}, one for each of ${nodes} brokers)`
          : ''
      return `${optionName}: port ${port} on ${host} is taken by another program${asked}`
    }
    case 'EACCES':
      return `${optionName}: no permission to listen on ${where}`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${optionName}: this machine has no address ${host}`
    default:
      return `${optionName}: cannot listen on ${where}: ${error.message}`
  }
}
