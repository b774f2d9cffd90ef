/**
 * Starts a broker anew whose thread has died. On the server's thread.
 *
 * Nothing that two threads share has a second life: the successor shares rings, a channel and an arena with the others that nobody has used before, so nobody who
 * is late can write into what is its own, read it for what was his, or send a client bytes that it has written over. In order:
 *
 *   1. as soon as it runs no more, fronts, other brokers and the flusher are told that it is gone: they fail what they had asked of it, let go of its channel, and read its rings no more;
 *   2. its thread has exited, which closes its files, and the flusher has said that nothing of its is being flushed or removed;
 *   3. after a while (250 ms, twice as long each time up to 30 s, from the beginning again once one has lived for a minute) the next
 *      incarnation is started, on its data directory, which it recovers as after the death of a process;
 *   4. brokers and flusher are told as it starts: the controller sends it the image, or, where it was the controller's, others take theirs from it;
 *   5. fronts are told when it is ready. Until then their clients get errors after which they try again.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { asBrokerId, type BrokerId } from '../base/ids.ts'
import type { Region } from '../base/region.ts'
import type { BrokerBack, ControlMessage } from '../link/control.ts'
import { brokerPeer, frontPeer, type PeerName, SERVER_PEER } from '../link/ports.ts'
import { hostMonotonicMs, hostTimer } from './host-time.ts'
import { CELL, type ChannelEnd, type EngineWiring, FLUSHER_PEER, FRONTS } from './wiring.ts'

export const RESTART_AFTER_MS = 250
export const RESTART_AFTER_MAX_MS = 30_000
/** A thread that has lived for so long was started for good. */
const LIVED_MS = 60_000

export interface BrokerRestartsOptions {
  /** As the threads that live have it. */
  readonly wiring: () => EngineWiring
  readonly isAlive: (name: PeerName) => boolean
  /** To a thread that lives; ports go with the message. */
  readonly tell: (
    name: PeerName,
    message: ControlMessage,
    transfer?: readonly MessagePort[],
  ) => void
  /** Takes the broker's part of the wiring anew, and starts its thread; resolves when that is ready, rejects when it has ended before. */
  readonly start: (broker: BrokerId, ends: StartEnds) => Promise<void>
  /** Its partitions are served again. */
  readonly onBack: (broker: BrokerId) => void
}

/** Channels of a thread that is to be started. */
export interface StartEnds {
  readonly channels: readonly ChannelEnd[]
  readonly gone: readonly PeerName[]
  /** The server's own end. */
  readonly server: MessagePort
}

interface Life {
  startedAtMs: number
  /** Ends in a row that came soon. */
  failures: number
  /** They were told that it is gone: resolves when the flusher has let go of it. */
  dropped: Promise<void> | null
  onDropped: (() => void) | null
  cancelTimer: (() => void) | null
}

export class BrokerRestarts {
  readonly #options: BrokerRestartsOptions
  readonly #lives = new Map<BrokerId, Life>()
  #isStopped = false

  constructor(options: BrokerRestartsOptions) {
    this.#options = options
  }

  /** The thread of `broker` runs no more, and is about to exit: {@link onGone} follows. */
  announce(broker: BrokerId): void {
    this.#announce(broker, this.#lifeOf(broker))
  }

  #announce(brokerId: BrokerId, life: Life): Promise<void> {
    if (life.dropped !== null) return life.dropped
    life.dropped = new Promise<void>((resolve) => {
      life.onDropped = resolve
    })
    const gone = { kind: 'broker-gone', cellId: CELL, brokerId } as const
    const own = brokerPeer(CELL, brokerId)
    for (const { name } of this.#options.wiring().threads) {
      if (name !== own) this.#options.tell(name, gone)
    }
    return life.dropped
  }

  /**
   * The thread of `broker` has died, or said that it cannot go on; `exited` resolves once it is no more. `isOnDemand`: somebody wanted
   * that, so it says nothing about how its next life will be.
   */
  onGone(broker: BrokerId, exited: Promise<void>, isOnDemand = false): void {
    const life = this.#lifeOf(broker)
    const nowMs = hostMonotonicMs()
    if (nowMs - life.startedAtMs >= LIVED_MS) life.failures = 0
    if (!isOnDemand) life.failures++
    const dropped = this.#announce(broker, life)
    life.dropped = null
    const waited = new Promise<void>((resolve) => {
      const waitMs = isOnDemand ? RESTART_AFTER_MS : delayMs(life.failures)
      life.cancelTimer = hostTimer(waitMs, resolve)
    })
    void Promise.all([exited, dropped, waited]).then(() => this.#start(broker, life))
  }

  /** From the flusher: nothing of that broker is being done any more. */
  onDropped(broker: BrokerId): void {
    this.#lives.get(broker)?.onDropped?.()
  }

  /** Nothing is started from now on. */
  stop(): void {
    this.#isStopped = true
    for (const life of this.#lives.values()) life.cancelTimer?.()
  }

  #lifeOf(broker: BrokerId): Life {
    const known = this.#lives.get(broker)
    if (known !== undefined) return known
    const never = { dropped: null, onDropped: null, cancelTimer: null }
    const life: Life = { startedAtMs: 0, failures: 0, ...never }
    this.#lives.set(broker, life)
    return life
  }

  #start(broker: BrokerId, life: Life): void {
    if (this.#isStopped) return
    const { isAlive, wiring, start, tell, onBack } = this.#options
    const own = brokerPeer(CELL, broker)
    const others = wiring().threads.filter(({ name, role }) => name !== own && role !== 'flusher')
    // one of which it was told that it runs no more has not exited yet
    const isThere = ({ name, brokerId }: (typeof others)[number]) =>
      isAlive(name) && (this.#lives.get(asBrokerId(brokerId))?.dropped ?? null) === null
    const living = others.filter(isThere)
    const gone = others.filter((thread) => !isThere(thread)).map(({ name }) => name)
    const server = new MessageChannel()
    const channels: ChannelEnd[] = [{ peer: SERVER_PEER, port: server.port2, bell: null }]
    const ports = new Map<PeerName, MessagePort>()
    for (const { name, role } of living) {
      const { port1, port2 } = new MessageChannel()
      channels.push({
        peer: name,
        port: port1,
        bell: role === 'broker' ? bellOf(wiring(), name) : null,
      })
      ports.set(name, port2)
    }
    life.startedAtMs = hostMonotonicMs()
    const ready = start(broker, { channels, gone, server: server.port1 })
    // after the start: that has renewed the wiring
    const back = (name: PeerName) => {
      const port = ports.get(name) ?? null
      tell(name, backMessage(wiring(), broker, name, port), port === null ? [] : [port])
    }
    back(FLUSHER_PEER)
    for (const { name, role } of living) if (role === 'broker') back(name)
    const fronts = living.filter(({ role }) => role !== 'broker').map(({ name }) => name)
    ready.then(
      () => {
        for (const name of fronts) back(name)
        onBack(broker)
      },
      // told as its end
      () => {
        for (const name of fronts) ports.get(name)!.close()
      },
    )
  }
}

/** How long to wait before the start that follows so many ends in a row. */
export const delayMs = (failures: number): number =>
  Math.min(RESTART_AFTER_MAX_MS, RESTART_AFTER_MS * 2 ** (failures - 1))

function bellOf(wiring: EngineWiring, name: PeerName): Region {
  return wiring.bells[wiring.threads.findIndex((thread) => thread.name === name)]!
}

/** What `name` shares with the new thread of `broker`. */
function backMessage(
  wiring: EngineWiring,
  broker: BrokerId,
  name: PeerName,
  port: MessagePort | null,
): BrokerBack {
  const index = broker - 1
  const base = { kind: 'broker-back', cellId: CELL, brokerId: broker, port } as const
  if (name === FLUSHER_PEER) {
    const { requests, replies } = wiring.flush[index]!
    return { ...base, reads: requests, writes: replies, arena: null }
  }
  const front = FRONTS.find((id) => frontPeer(id) === name)
  if (front !== undefined) {
    const { requests, replies } = wiring.fronts[front]![index]!
    return { ...base, writes: requests, reads: replies, arena: wiring.arenas[index]! }
  }
  const other = asBrokerId(wiring.threads.find((thread) => thread.name === name)!.brokerId) - 1
  const writes = wiring.peers[other]![index]!
  return { ...base, writes, reads: wiring.peers[index]![other]!, arena: null }
}
