/** A front without sockets: the production dispatcher and broker proxies, fed by control messages as `src/front/front-agent.ts` does it. */
import { asBrokerId, asCellId, type BrokerId } from '../../src/base/ids.ts'
import type { Region } from '../../src/base/region.ts'
import { TimerQueue } from '../../src/base/timer-queue.ts'
import { ControllerClient } from '../../src/cell/controller-client.ts'
import { Dispatcher } from '../../src/cell/dispatcher.ts'
import { RingBrokerProxy } from '../../src/cell/ring-broker-proxy.ts'
import { applyMetadata } from '../../src/image/apply-metadata.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type { ControllerRequest, ControllerResponse } from '../../src/image/request.ts'
import { BrokerLiveness } from '../../src/link/broker-liveness.ts'
import type { ControlMessage, LeaderChange } from '../../src/link/control.ts'
import { brokerPeer, type ControlPort } from '../../src/link/ports.ts'
import { BeatReader } from '../../src/shared/broker-beats.ts'
import type { RingReader } from '../../src/shared/ring-reader.ts'
import type { RingWriter } from '../../src/shared/ring-writer.ts'
import { CELL } from '../broker/world.ts'
import type { SimClock } from './sim-clock.ts'
import { BROKERS } from './sim-node.ts'

type Answered = (response: ControllerResponse) => void

/** The front's end of the rings with one broker. */
export interface FrontEnd {
  readonly commands: RingWriter
  readonly replies: RingReader
}

export interface FrontContext {
  readonly clock: SimClock
  readonly beats: Region
  readonly port: ControlPort
  readonly onLeaders: (changes: readonly LeaderChange[], from: string) => void
}

export class SimFront {
  readonly image = new MetadataImage()
  readonly dispatcher: Dispatcher
  /** What it is told by the server, with its next turn. */
  tasks: (() => void)[] = []
  readonly #context: FrontContext
  readonly #gone = new Set<string>()
  readonly #control: ControlPort
  readonly #liveness: BrokerLiveness
  readonly #beats: BeatReader
  readonly #hung = new Set<number>()
  readonly #timers = new TimerQueue()
  readonly controller: ControllerClient

  constructor(context: FrontContext, ends: readonly { id: BrokerId; end: FrontEnd | null }[]) {
    this.#context = context
    const { port, clock } = context
    this.#control = {
      poll: () => port.poll(),
      post: (to, message) => {
        if (!this.#gone.has(to)) port.post(to, message)
      },
    }
    this.dispatcher = new Dispatcher(this.image, [], clock)
    this.controller = new ControllerClient({ control: this.#control, clock, timers: this.#timers })
    for (const { id, end } of ends) {
      if (end === null) this.#gone.add(brokerPeer(CELL, id))
      else this.#add(id, end)
    }
    this.#beats = new BeatReader(context.beats)
    this.#liveness = new BrokerLiveness({
      brokers: BROKERS,
      self: -1,
      listener: { onReachable: () => {}, onUnreachable: () => {}, probe: () => {} },
    })
  }

  /** To the controller, wherever it is; nothing happens before there is a tenant. */
  request(request: ControllerRequest, answered: Answered): void {
    const tenant = this.image.defaultTenant
    if (tenant !== undefined) this.controller.request(tenant.tenantId, request, answered)
  }

  post(broker: BrokerId, message: ControlMessage): void {
    this.#control.post(brokerPeer(CELL, broker), message)
  }

  brokerGone(id: BrokerId): void {
    this.tasks.push(() => {
      this.#gone.add(brokerPeer(CELL, id))
      this.dispatcher.proxy(CELL, id)?.markGone()
      this.controller.markGone(brokerPeer(CELL, id))
    })
  }

  brokerBack(id: BrokerId, end: FrontEnd): void {
    this.tasks.push(() => this.#add(id, end))
  }

  turn(nowMs: number): void {
    for (let next = this.#control.poll(); next !== undefined; next = this.#control.poll()) {
      this.#onControl(next.from, next.message)
    }
    const { tasks } = this
    this.tasks = []
    for (const task of tasks) task()
    this.#timers.fireDue(nowMs)
    this.#lookWhoHangs(nowMs)
    this.dispatcher.doWork(nowMs)
    this.dispatcher.flush()
  }

  #add(id: BrokerId, { commands, replies }: FrontEnd): void {
    const peer = brokerPeer(CELL, id)
    this.#gone.delete(peer)
    const { clock } = this.#context
    const of = { cellId: CELL, brokerId: id, commands, replies, peer, clock }
    const bell = { ring: () => {} }
    this.dispatcher.add(new RingBrokerProxy({ ...of, bell, control: this.#control, frames: null }))
  }

  #lookWhoHangs(nowMs: number): void {
    if (this.#liveness.look(nowMs, this.#beats) === 0) return
    for (let broker = 0; broker < BROKERS; broker++) {
      const isHung = this.#liveness.statusOf(broker) === 'hung'
      if (isHung === this.#hung.has(broker)) continue
      if (isHung) this.#hung.add(broker)
      else this.#hung.delete(broker)
      this.dispatcher.setHung(CELL, asBrokerId(broker + 1), isHung)
    }
  }

  #onControl(from: string, message: ControlMessage): void {
    switch (message.kind) {
      case 'metadata':
        if (applyMetadata(this.image, message)) this.controller.onController(from, message.epoch)
        break
      case 'controller-response':
        this.controller.onResponse(message.correlation, message.response)
        break
      case 'coordinated':
        this.dispatcher
          .proxy(asCellId(message.cellId), asBrokerId(message.brokerId))
          ?.onCoordinated(message.heads, message.bytes)
        break
      case 'leaders':
        this.#context.onLeaders(message.leaders, from)
        for (const { partition, leader, leaderEpoch, isr } of message.leaders) {
          const told = { leader: leader as BrokerId, leaderEpoch, isr: isr as BrokerId[] }
          if (this.image.noteLeader(partition, told)) this.dispatcher.onLeader(CELL, partition)
        }
        break
      default:
    }
  }
}
