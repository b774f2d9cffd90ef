/**
 * Which brokers of a cell can be reached, judged from their beats in shared memory: no message per partition, nor per pair.
 *
 * **Who beats when.** A broker's thread beats in turns that it takes anyway (`BeatWriter.beat`), and sleeps otherwise: a beat never wakes it. A thread
 * that sleeps on its doorbell is not one that hangs, so silence alone accuses nobody. Who has heard nothing of a peer for half of the time-out
 * *probes* it: rings its doorbell, which costs a load where it is awake. A thread that lives turns, and its turn beats; one that hangs in a turn, or
 * in a system call, does not. So idle brokers need no timer for this, on either side: readers look in their own turns, of which a duty cycle
 * has two a second for its own heartbeat, and a peer's turns are as many, so that a probe is rare. Only while a probe is out does a reader ask for
 * turns of its own ({@link BrokerLiveness.nextLookAtMs}), ten within the time-out.
 *
 * **Whose fault it is.** Where the reader itself was not scheduled (the process was stopped, the machine swaps), its peers were not either. Time
 * between two looks counts as silence only if the second came about when it was to come; after one that came late, every probe is sent again, and
 * nobody is accused before it has had a quarter of the time-out to answer. A reader that is always late accuses nobody: others will.
 *
 * A hung peer is found within the time-out and one interval between looks (1.0 to 1.5 s with the defaults), an ended thread with the next look: the
 * server says it, and rings.
 *
 * Deterministic: time and readings are arguments. One object per reading thread.
 */
import { type BrokerBeat, BrokerState, newBrokerBeat } from '../base/broker-beat.ts'

/**
 * `absent`: never started. `starting`: started, and does not turn yet. `joining`: it turns, and waits for the metadata before it serves. `reachable`: it turns, also while it stops. `hung`: it does not turn though it was
 * asked to. `gone`: its thread has exited, or it has stopped.
 */
export type PeerStatus = 'absent' | 'starting' | 'joining' | 'reachable' | 'hung' | 'gone'

/** What a reader is told, from within {@link BrokerLiveness.look}. Brokers are named by index, from 0. */
export interface LivenessListener {
  /** From now on what is said about the metadata may arrive there. */
  onJoining?(broker: number, incarnation: number): void
  /** From now on messages may arrive there; those of an earlier incarnation did not, or are forgotten. */
  onReachable(broker: number, incarnation: number): void
  /** Messages that are on their way may be lost. Of a new incarnation it is told before that one is reachable, too. */
  onUnreachable(broker: number, status: PeerStatus): void
  /** To ring the doorbell of that broker's thread. */
  probe(broker: number): void
}

export interface BrokerLivenessOptions {
  readonly brokers: number
  /** The index of the reader's own broker, which can reach itself and is not judged; −1 for a front or the server. */
  readonly self: number
  /** Milliseconds without a beat after which a probed peer counts as hung; 1,000 unless given. */
  readonly timeoutMs?: number
  readonly listener: LivenessListener
}

/** Where beats are read: `BeatReader` of `shared`, or a test's. */
export interface BeatSource {
  read(broker: number, out: BrokerBeat): BrokerBeat
}

export const LIVENESS_TIMEOUT_MS = 1_000
/** Readers look no more often than this, however many turns they take. */
const LOOK_EVERY_MS = 20
/** The longest between two looks that are on time. */
const IDLE_LOOK_MS = 500
/** A look that comes later than this after it was due did so because its thread was not scheduled. */
const LATE_MS = 100

interface Peer {
  status: PeerStatus
  incarnation: number
  beats: number
  /** Milliseconds that count as silence. */
  silentMs: number
  /** Milliseconds since it was probed, by looks that were on time; −1 while it is not. */
  probedMs: number
}

export class BrokerLiveness {
  readonly #options: BrokerLivenessOptions
  readonly #timeoutMs: number
  readonly #idleLookMs: number
  readonly #peers: Peer[]
  readonly #beat = newBrokerBeat()
  #lookedAtMs = Number.NaN
  #nextLookAtMs = Number.NEGATIVE_INFINITY

  constructor(options: BrokerLivenessOptions) {
    this.#options = options
    this.#timeoutMs = options.timeoutMs ?? LIVENESS_TIMEOUT_MS
    this.#idleLookMs = Math.min(IDLE_LOOK_MS, this.#timeoutMs / 2)
    this.#peers = Array.from({ length: options.brokers }, (_, broker) => ({
      status: broker === options.self ? 'reachable' : 'absent',
      ...{ incarnation: 0, beats: 0, silentMs: 0, probedMs: -1 },
    }))
  }

  /** Monotonic milliseconds at which the next look is due; a later one makes the silence meanwhile not count. */
  get nextLookAtMs(): number {
    return this.#nextLookAtMs
  }

  isReachable(broker: number): boolean {
    return this.#peers[broker]!.status === 'reachable'
  }

  statusOf(broker: number): PeerStatus {
    return this.#peers[broker]!.status
  }

  /** Somebody else has said that its thread has ended: if another one lives, the next look tells of it. */
  noteGone(broker: number): void {
    this.#peers[broker]!.status = 'gone'
  }

  /** Of the thread that was judged last; 0 for never one. */
  incarnationOf(broker: number): number {
    return this.#peers[broker]!.incarnation
  }

  /** Reads every peer's beats and tells what has changed; call it in every turn: most calls are one comparison. Returns how much was told. */
  look(nowMs: number, source: BeatSource): number {
    if (nowMs < this.#lookedAtMs + LOOK_EVERY_MS) return 0
    const isOnTime = nowMs <= this.#nextLookAtMs + LATE_MS
    const passedMs = isOnTime ? nowMs - this.#lookedAtMs : 0
    this.#lookedAtMs = nowMs
    let told = 0
    let isWaiting = false
    let isAwaited = false
    for (const [broker, peer] of this.#peers.entries()) {
      if (broker === this.#options.self) continue
      if (this.#judge(broker, peer, source.read(broker, this.#beat), passedMs, isOnTime)) told++
      isWaiting ||= peer.probedMs >= 0 && isHeard(peer.status)
      isAwaited ||= peer.status === 'starting' || peer.status === 'joining'
    }
    const dueInMs = isWaiting ? this.#timeoutMs / 10 : this.#idleLookMs
    // whoever elects with it waits for it: soon
    const isSoon = isAwaited && this.#options.listener.onJoining !== undefined
    this.#nextLookAtMs = nowMs + (isSoon ? LOOK_EVERY_MS : dueInMs)
    return told
  }

  #judge(
    broker: number,
    peer: Peer,
    beat: Readonly<BrokerBeat>,
    passedMs: number,
    isOnTime: boolean,
  ): boolean {
    const isNew = beat.spawned !== peer.incarnation
    if (isNew || beat.beats !== peer.beats) {
      peer.beats = beat.beats
      peer.silentMs = 0
      peer.probedMs = -1
    } else this.#onSilence(broker, peer, passedMs, isOnTime)
    const before = peer.status
    const { listener } = this.#options
    // of another thread: nothing of what was told to the one before has arrived there
    if (isNew && isHeard(before)) listener.onUnreachable(broker, 'gone')
    peer.incarnation = beat.spawned
    peer.status = this.#statusOf(peer, beat)
    if (peer.status === before && !isNew) return false
    if (peer.status === 'reachable') listener.onReachable(broker, beat.spawned)
    else if (peer.status === 'joining') listener.onJoining?.(broker, beat.spawned)
    else if (isHeard(before) && !isNew) listener.onUnreachable(broker, peer.status)
    return true
  }

  #onSilence(broker: number, peer: Peer, passedMs: number, isOnTime: boolean): void {
    peer.silentMs += passedMs
    if (!isHeard(peer.status)) return
    if (isOnTime && peer.probedMs >= 0) peer.probedMs += passedMs
    else if (peer.silentMs >= this.#timeoutMs / 2 || peer.probedMs >= 0) {
      peer.probedMs = 0
      this.#options.listener.probe(broker)
    }
  }

  #statusOf(peer: Peer, beat: Readonly<BrokerBeat>): PeerStatus {
    const { spawned, ended, incarnation, state } = beat
    if (spawned === 0) return 'absent'
    if (spawned === ended) return 'gone'
    if (incarnation !== spawned) return 'starting'
    switch (state) {
      case BrokerState.JOINING:
        return this.#isHung(peer) ? 'hung' : 'joining'
      case BrokerState.SERVING:
      case BrokerState.STOPPING:
        return this.#isHung(peer) ? 'hung' : 'reachable'
      case BrokerState.STOPPED:
        return 'gone'
      default:
        return 'starting'
    }
  }

  #isHung(peer: Peer): boolean {
    // until it beats again
    if (peer.status === 'hung') return peer.silentMs > 0
    return peer.silentMs >= this.#timeoutMs && peer.probedMs >= this.#timeoutMs / 4
  }
}

/** Its thread turns. */
const isHeard = (status: PeerStatus): boolean => status === 'reachable' || status === 'joining'
