import { ManualClock } from '../../src/base/clock.ts'
import type { KafkaConnection } from '../../src/net/connection.ts'
import { ConnectionSet, defaultLimits, type RequestSink } from '../../src/net/connection-set.ts'
import { InFlightBudget } from '../../src/net/in-flight.ts'
import { Owners } from '../../src/net/owner.ts'
import { ReplyBudget } from '../../src/net/reply-budget.ts'
import type { ReplySlot } from '../../src/net/reply-slot.ts'
import { FakeSocket } from '../front/fake-socket.ts'

/** A sink that only collects, and connections over fake sockets. */
export class World {
  readonly clock = new ManualClock()
  readonly lines: string[] = []
  readonly slots: { connection: KafkaConnection; slot: ReplySlot; frame: Uint8Array }[] = []
  readonly set: ConnectionSet
  readonly budget: InFlightBudget
  readonly replies: ReplyBudget
  readonly ended: number[] = []
  readonly closed: number[] = []
  /** How often a turn may have to be asked for. */
  readEnds = 0
  /** What handling a request does besides. */
  onFrame: () => void = () => {}

  constructor(capacityBytes = 1 << 20, limits = defaultLimits, owners = new Owners()) {
    this.budget = new InFlightBudget(capacityBytes)
    this.replies = new ReplyBudget(capacityBytes)
    const sink: RequestSink = {
      onOpen: () => {},
      onReadEnd: () => void this.readEnds++,
      onDrained: () => {},
      onFull: () => false,
      onEnd: (connection) => void this.ended.push(connection.id),
      onClose: (connection) => void this.closed.push(connection.id),
      onFrame: (connection, slot, frame) => {
        this.slots.push({ connection, slot, frame })
        this.onFrame()
      },
    }
    this.set = new ConnectionSet({
      sink,
      clock: this.clock,
      logger: {
        log: (_level, message, fields) => this.lines.push(`${message}: ${fields?.reason}`),
      },
      budget: this.budget,
      replies: this.replies,
      limits,
      owners,
    })
  }

  connect() {
    const received: string[] = []
    const listener = {
      name: 'test',
      nodeId: 1,
      advertisedHost: null,
      advertisedPorts: [1],
      tenantId: null,
      ...{ allowsAnonymous: true, allowsSasl: true, principal: null },
    }
    const socket = new FakeSocket(
      (bytes) => void received.push(Buffer.from(bytes).toString()),
      () => connection.onClosed(),
    )
    const addresses = { remote: 'client', local: '127.0.0.1' }
    const connection: KafkaConnection = this.set.open(socket, listener, addresses)
    return { socket, connection, received }
  }

  reply(index: number, text: string, onDrained: (() => void) | null = null): void {
    const bytes = Buffer.from(text)
    this.slots[index]!.slot.send({ chunks: [bytes], byteLength: bytes.length }, onDrained)
  }
}

export const frames = (...bodies: (string | number)[]): Buffer =>
  Buffer.concat(
    bodies.map((body) => {
      const bytes = typeof body === 'number' ? Buffer.alloc(body) : Buffer.from(body)
      const size = Buffer.alloc(4)
      size.writeInt32BE(bytes.length)
      return Buffer.concat([size, bytes])
    }),
  )
