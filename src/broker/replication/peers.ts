import type { BrokerId, CellId } from '../../base/ids.ts'
import type { MetadataView } from '../../image/view.ts'
import { type BeatSource, BrokerLiveness, LIVENESS_TIMEOUT_MS } from '../../link/broker-liveness.ts'
import type { BrokerLink } from '../broker-link.ts'
import type { RaftHost } from './raft-host.ts'

export interface PeersOptions {
  readonly cellId: CellId
  readonly brokerId: BrokerId
  readonly image: MetadataView
  readonly links: readonly BrokerLink[]
  /** Which peers live; null: all of them, for ever. */
  readonly beats: BeatSource | null
  readonly host: RaftHost
  /** What was begun with that one is over. */
  readonly onGone: (broker: BrokerId) => void
  /** A peer's directory is another. */
  readonly onLife: () => void
  /** Who keeps up may be others. */
  readonly onChange: () => void
}

/** Which of the other brokers this one hears, since when, and in which lives: by their beats, what the server says, drills, and the image. The host is told. On the broker's thread. */
export class Peers {
  readonly #options: PeersOptions
  readonly #liveness: BrokerLiveness | null
  /** Since when each peer can be reached. */
  readonly #reachableSinceMs = new Map<BrokerId, number>()
  /** Peers that somebody has cut off on purpose. */
  readonly #cut = new Set<BrokerId>()
  /** Of their directories, as of that offset of the image. */
  readonly #lives = new Map<BrokerId, number>()
  #seenOffset = -1
  #nowMs = 0

  constructor(options: PeersOptions) {
    this.#options = options
    const { links, brokerId, beats, host } = options
    this.#liveness =
      beats === null || links.length === 0
        ? null
        : new BrokerLiveness({
            brokers: links.length + 1,
            self: brokerId - 1,
            listener: {
              onJoining: (index) => this.#onJoining((index + 1) as BrokerId),
              onReachable: (index) => this.#onReachable((index + 1) as BrokerId),
              onUnreachable: (index) => this.#onGone((index + 1) as BrokerId),
              probe: (index) => host.linkTo((index + 1) as BrokerId)?.probe(),
            },
          })
    for (const { broker } of links) {
      // until it says that it serves
      if (this.#liveness !== null) host.setReachable(broker, false)
      else this.#reachableSinceMs.set(broker, 0)
    }
  }

  get nextLookAtMs(): number {
    return this.#liveness?.nextLookAtMs ?? Number.POSITIVE_INFINITY
  }

  isReachable(broker: BrokerId): boolean {
    return this.#reachableSinceMs.has(broker)
  }

  /** So long it can be reached without a break; 0 where it cannot. */
  reachableForMs(broker: BrokerId): number {
    const sinceMs = this.#reachableSinceMs.get(broker)
    return sinceMs === undefined ? 0 : this.#nowMs - sinceMs
  }

  /** In every turn. Returns how much has changed. */
  look(nowMs: number): number {
    this.#nowMs = nowMs
    this.#lookAtDirectories()
    return this.#liveness === null ? 0 : this.#liveness.look(nowMs, this.#options.beats!)
  }

  /** One whose directory is another now is not the replica any more that a group knew, which nobody will hear of again. */
  #lookAtDirectories(): void {
    const { image, cellId, links, host } = this.#options
    if (image.offset === this.#seenOffset) return
    this.#seenOffset = image.offset
    for (const { broker } of links) {
      const life = image.brokerDirectory(cellId, broker)?.life
      if (life === undefined || life === this.#lives.get(broker)) continue
      const isFirst = !this.#lives.has(broker)
      this.#lives.set(broker, life)
      host.lifeChanged(broker)
      if (!isFirst) this.#options.onLife()
    }
  }

  /** The server says that its thread has ended. A next life that was seen before that is told of again. */
  ended(broker: BrokerId): void {
    this.#liveness?.noteGone(broker - 1)
    this.#onGone(broker, true)
  }

  /** Nothing that the two brokers say to each other arrives, as long as `isCut`. */
  cut(broker: BrokerId, isCut: boolean): void {
    if (isCut) {
      this.#cut.add(broker)
      this.#onGone(broker)
      return
    }
    this.#cut.delete(broker)
    const status = this.#liveness?.statusOf(broker - 1) ?? 'reachable'
    if (status === 'reachable') this.#onReachable(broker)
    else if (status === 'joining') this.#onJoining(broker)
  }

  #onJoining(broker: BrokerId): void {
    if (!this.#cut.has(broker)) this.#options.host.setJoining(broker)
  }

  #onReachable(broker: BrokerId): void {
    if (this.#cut.has(broker)) return
    this.#reachableSinceMs.set(broker, this.#nowMs)
    this.#options.host.setReachable(broker, true)
    this.#options.onChange()
  }

  /** Its thread has ended, or does not turn: it is not waited for. */
  #onGone(broker: BrokerId, isDead = false): void {
    this.#reachableSinceMs.delete(broker)
    this.#options.host.setReachable(broker, false, isDead)
    this.#options.onGone(broker)
    this.#options.onChange()
  }
}

/** A thread that took no turn for so long was taken by the others for one that hangs. */
export const STOOD_STILL_MS = LIVENESS_TIMEOUT_MS
