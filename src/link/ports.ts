/**
 * How control messages get from thread to thread: one MessagePort per pair of threads. An agent sees only
 * {@link ControlPort}; whether its thread has an event loop is the wiring's affair.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { invariant } from '../base/assert.ts'
import type { BrokerId, CellId, FrontId } from '../base/ids.ts'
import type { ControlMessage } from './control.ts'

/** A thread as its peers call it. */
export type PeerName = string

export const SERVER_PEER: PeerName = 'server'
export const frontPeer = (front: FrontId): PeerName => `front-${front}`
export const brokerPeer = (cell: CellId, broker: BrokerId): PeerName => `broker-${cell}-${broker}`

export interface ControlEnvelope {
  readonly from: PeerName
  readonly message: ControlMessage
}

/** An agent's end of its control channels; belongs to one thread. */
export interface ControlPort {
  /** The next message, oldest first per sender and round robin over senders; never blocks. */
  poll(): ControlEnvelope | undefined
  /** Sends to a peer and wakes it. A peer that is gone swallows what is sent; one never connected is a bug. */
  post(to: PeerName, message: ControlMessage): void
}

/** What wakes a thread that has no event loop. */
export interface Bell {
  ring(): void
}

export interface PeerChannel {
  readonly name: PeerName
  readonly port: MessagePort
  /** The peer's doorbell, rung after each post; null where the peer's event loop is woken by the port itself. */
  readonly bell: Bell | null
}

class Channels {
  readonly list: PeerChannel[] = []
  /** null: was connected, and is gone. */
  readonly #byName = new Map<PeerName, PeerChannel | null>()

  add(channel: PeerChannel): void {
    invariant(!this.#byName.get(channel.name), 'a peer has one channel')
    this.list.push(channel)
    this.#byName.set(channel.name, channel)
  }

  disconnect(name: PeerName): void {
    const channel = this.#byName.get(name)
    this.#byName.set(name, null)
    if (!channel) return
    this.list.splice(this.list.indexOf(channel), 1)
    channel.port.close()
  }

  isConnected(channel: PeerChannel): boolean {
    return this.#byName.get(channel.name) === channel
  }

  post(to: PeerName, message: ControlMessage, transfer: readonly MessagePort[] = []): void {
    const channel = this.#byName.get(to)
    invariant(channel !== undefined, 'control message to a peer that was never connected')
    if (channel === null) return
    if (transfer.length === 0) channel.port.postMessage(message)
    else channel.port.postMessage(message, transfer)
    channel.bell?.ring()
  }

  close(): void {
    for (const channel of this.list) channel.port.close()
  }
}

/** For threads without an event loop (brokers): messages are taken from the ports when the duty cycle asks. */
export class PolledPorts implements ControlPort {
  readonly #channels = new Channels()
  #next = 0

  constructor(channels: readonly PeerChannel[] = []) {
    for (const channel of channels) this.connect(channel)
  }

  connect(channel: PeerChannel): void {
    this.#channels.add(channel)
  }

  /** Closes the channel of a thread that died; what it sent and was not polled yet is lost. What is posted to it is swallowed, also if it was never connected. */
  disconnect(name: PeerName): void {
    this.#channels.disconnect(name)
  }

  poll(): ControlEnvelope | undefined {
    const list = this.#channels.list
    for (let tried = 0; tried < list.length; tried++) {
      const channel = list[this.#next++ % list.length]!
      const received = receiveMessageOnPort(channel.port)
      if (received !== undefined) return { from: channel.name, message: received.message }
    }
    this.#next %= list.length || 1
    return undefined
  }

  post(to: PeerName, message: ControlMessage): void {
    this.#channels.post(to, message)
  }

  close(): void {
    this.#channels.close()
  }
}

/**
 * For threads with an event loop (fronts, flusher, server): messages wait in an inbox, and `onArrival` says that the
 * agent should take a turn. Connected ports keep the event loop alive until closed, unless `unref` is asked for.
 */
export class EventPorts implements ControlPort {
  readonly #channels = new Channels()
  readonly #inbox: ControlEnvelope[] = []
  readonly #onArrival: () => void
  readonly #onClosed: (name: PeerName) => void
  readonly #unref: boolean
  #head = 0

  constructor(options: {
    readonly onArrival: () => void
    readonly channels?: readonly PeerChannel[]
    readonly unref?: boolean
    /** A peer has closed its end, or its thread runs no more, which shows here long before its exit; all that it has sent has arrived. */
    readonly onClosed?: (name: PeerName) => void
  }) {
    this.#onArrival = options.onArrival
    this.#onClosed = options.onClosed ?? (() => {})
    this.#unref = options.unref ?? false
    for (const channel of options.channels ?? []) this.connect(channel)
  }

  connect(channel: PeerChannel): void {
    this.#channels.add(channel)
    channel.port.on('message', (message: ControlMessage) => {
      this.#inbox.push({ from: channel.name, message })
      this.#onArrival()
    })
    channel.port.once('close', () => {
      if (this.#channels.isConnected(channel)) this.#onClosed(channel.name)
    })
    if (this.#unref) channel.port.unref()
  }

  /** Closes the channel of a thread that died; what it sent before stays in the inbox. */
  disconnect(name: PeerName): void {
    this.#channels.disconnect(name)
  }

  poll(): ControlEnvelope | undefined {
    const envelope = this.#inbox[this.#head]
    if (envelope === undefined) return undefined
    if (++this.#head === this.#inbox.length) {
      this.#inbox.length = 0
      this.#head = 0
    }
    return envelope
  }

  /** Ports in `transfer` go with the message. */
  post(to: PeerName, message: ControlMessage, transfer: readonly MessagePort[] = []): void {
    this.#channels.post(to, message, transfer)
  }

  close(): void {
    this.#channels.close()
  }
}

/** Ports of agents that share one thread (tests, the simulator): messages are cloned as a real port would. */
export class MemoryPorts {
  readonly #inboxes = new Map<PeerName, { queue: ControlEnvelope[]; bell: Bell | null }>()

  /** The end of the agent called `name`; `bell` is rung when something arrives for it. */
  port(name: PeerName, bell: Bell | null = null): ControlPort {
    invariant(!this.#inboxes.has(name), 'a peer has one port')
    const queue: ControlEnvelope[] = []
    this.#inboxes.set(name, { queue, bell })
    return {
      poll: () => queue.shift(),
      post: (to, message) => {
        const inbox = this.#inboxes.get(to)
        invariant(inbox !== undefined, 'control message to a peer that was never connected')
        inbox.queue.push({ from: name, message: structuredClone(message) })
        inbox.bell?.ring()
      },
    }
  }

  /** Messages that wait for `name`. */
  pending(name: PeerName): number {
    return this.#inboxes.get(name)?.queue.length ?? 0
  }
}
