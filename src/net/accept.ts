/** From what the system has accepted at a port to a connection: by turns, and through TLS where the listener speaks it. On the front's thread. */
import type { Server, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { formatHostPort } from './address.ts'
import type { Arrival } from './arrivals.ts'
import type { KafkaConnection } from './connection.ts'
import type { ConnectionSet } from './connection-set.ts'
import type { ListenOptions } from './kafka-listener.ts'
import type { Belonging, ListenerInfo } from './listener-info.ts'
import { type Receiver, receiveFromHandle, receiveInto, receiveTlsInto } from './receive.ts'
import { acceptHandles, pausedSocket, type TcpHandle } from './tcp-handle.ts'
import type { TlsClient } from './tls-acceptor.ts'
import { TlsConnectionSocket } from './tls-socket.ts'

/** What clients of a listener are told to connect to, worked out for each node. */
export interface Told {
  host: string | null
  ports: readonly number[]
}

/** One of a listener's. */
export interface Port {
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

interface Addresses {
  readonly remote: string
  readonly local: string
}

/**
 * What `server` accepts from now on is opened by turns. Node would make a socket of each as soon as the system has it, hundreds in a row while nobody else
 * is served; where Node has changed inside, it still does.
 */
export function acceptAt(port: Port, server: Server): void {
  const { set, options } = port
  const areHandles = acceptHandles(server, (handle) => {
    const owner = set.ownerAt(options.tenantId)
    set.arrive(owner, new AcceptedHandle(port, handle))
  })
  if (!areHandles) server.on('connection', (socket) => acceptSocket(port, socket))
}

/** The same for a socket that Node has made already. */
export function acceptSocket(port: Port, accepted: Socket): void {
  const addresses = addressesOf(accepted)
  const drop = () => {
    accepted.on('error', () => {})
    accepted.destroy()
  }
  if (!port.set.makeRoom(addresses.remote)) drop()
  else if ((port.options.tls ?? null) !== null) handshake(port, accepted, addresses)
  else openPlain(port, addresses, { receive: (to) => receiveInto(accepted, to), drop })
}

/** A connection that is a handle of the system's and no more yet. */
class AcceptedHandle implements Arrival {
  readonly #port: Port
  readonly #handle: TcpHandle

  constructor(port: Port, handle: TcpHandle) {
    this.#port = port
    this.#handle = handle
  }

  open(): void {
    const port = this.#port
    const handle = this.#handle
    const addresses = addressesOfHandle(handle)
    if (!port.set.makeRoom(addresses.remote)) {
      handle.close()
      return
    }
    handle.setNoDelay(true)
    handle.setKeepAlive(true, 0)
    if ((port.options.tls ?? null) !== null) {
      handshake(port, pausedSocket(handle), addresses)
      return
    }
    openPlain(port, addresses, {
      receive: (to) => receiveFromHandle(handle, to),
      drop: () => handle.close(),
    })
  }

  drop(): void {
    this.#handle.close()
  }
}

function handshake(port: Port, raw: Socket, addresses: Addresses): void {
  port.options.tls!.accept(raw, addresses.remote, (socket, client) =>
    openTls(port, socket, addresses, client),
  )
}

/** What a connection that speaks no TLS comes from. */
interface Plain {
  /** Begins to read. */
  receive(receiver: Receiver): Socket
  drop(): void
}

function openPlain(port: Port, addresses: Addresses, plain: Plain): void {
  const { set } = port
  const origin = originOf(port, addresses, null)
  if (origin === null) {
    plain.drop()
    return
  }
  let connection: KafkaConnection | null = null
  const socket = plain.receive({
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

/** As a socket has them; of one that has gone nothing is known. */
interface Ends {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  readonly localAddress?: string | undefined
}

const addressesOf = ({ remoteAddress, remotePort, localAddress }: Ends): Addresses => ({
  remote: formatHostPort({ host: plainAddress(remoteAddress, '?'), port: remotePort ?? 0 }),
  local: plainAddress(localAddress),
})

function addressesOfHandle(handle: TcpHandle): Addresses {
  const remote: { address?: string; port?: number } = {}
  const local: { address?: string } = {}
  // of one that has gone already there is nothing to be had
  handle.getpeername(remote)
  handle.getsockname(local)
  return addressesOf({
    ...{ remoteAddress: remote.address, remotePort: remote.port },
    localAddress: local.address,
  })
}

/** An IPv4 address that came in through an IPv6 socket, as IPv4. */
const plainAddress = (address: string | undefined, unknown = '127.0.0.1'): string =>
  address === undefined ? unknown : address.replace(/^::ffff:(?=\d+\.)/, '')
