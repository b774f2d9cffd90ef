import { createServer, type Server, type Socket } from 'node:net'
import { acceptAt, acceptSocket, type Port, type Told } from './accept.ts'
import { formatHostPort } from './address.ts'
import type { ConnectionSet } from './connection-set.ts'
import type { Audience, Belonging } from './listener-info.ts'
import type { TlsAcceptor } from './tls-acceptor.ts'

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

const told = (
  { advertisedHost, advertisedPort }: AdvertisedAddress,
  ports: readonly number[],
): Told => ({
  host: advertisedHost,
  ports: advertisedPort === null ? ports : ports.map((_, index) => advertisedPort + index),
})

/** Nothing is read before somebody says where to. In a handshake an end is the end. */
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
      acceptAt(port, server)
      for (const socket of waiting) acceptSocket(port, socket)
      // What goes wrong after listening (out of descriptors) concerns connections that never came to be.
      server.on('error', () => {})
    })
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
