/** Three broker threads, a front and the server's part in their lives and deaths, on one thread under one clock. */
import { InvariantError } from '../../src/base/assert.ts'
import { asBrokerId, asFrontId, type BrokerId } from '../../src/base/ids.ts'
import type { LogFields, LogLevel } from '../../src/base/log.ts'
import { SeededRandom } from '../../src/base/random.ts'
import type { Region } from '../../src/base/region.ts'
import type { BrokerRings } from '../../src/broker/broker-link.ts'
import type { FrontRings } from '../../src/broker/front-link.ts'
import type { MetadataMessage } from '../../src/image/request.ts'
import type { LeaderChange } from '../../src/link/control.ts'
import { brokerPeer, type ControlPort, MemoryPorts } from '../../src/link/ports.ts'
import { DiskError } from '../../src/log/disk.ts'
import { BrokerLives, brokerBeatsBytes, formatBrokerBeats } from '../../src/shared/broker-beats.ts'
import { newRegion } from '../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../src/shared/ring-layout.ts'
import { RingReader } from '../../src/shared/ring-reader.ts'
import { RingWriter } from '../../src/shared/ring-writer.ts'
import { CELL } from '../broker/world.ts'
import { SimClock } from './sim-clock.ts'
import { SimDisk, ThreadDeath } from './sim-disk.ts'
import { SafetyError } from './sim-error.ts'
import { type FrontEnd, SimFront } from './sim-front.ts'
import type { NodeContext } from './sim-node.ts'
import { BROKERS, FRONT_PEER, SimNode } from './sim-node.ts'

export interface ClusterListener {
  onLine(level: LogLevel, message: string, fields: LogFields): void
  onTrace(event: string): void
  onPublish(message: MetadataMessage, broker: BrokerId): void
  onLeaders(changes: readonly LeaderChange[], from: string): void
  /** After each turn of a broker that lives. */
  onTurned(node: SimNode): void
  /** All clients have lost their connections. */
  onFrontGone(): void
}

export interface ClusterOptions {
  readonly seed: number
  readonly settings: NodeContext['settings']
  readonly listener: ClusterListener
}

/** How rings between brokers behave; 0: as they should. */
export interface RingTroubles {
  full: number
  late: number
}

export class SimCluster {
  readonly clock = new SimClock()
  readonly disk: SimDisk
  readonly random: SeededRandom
  readonly nodes: SimNode[] = []
  readonly rings: RingTroubles = { full: 0, late: 0 }
  front!: SimFront
  readonly #listener: ClusterListener
  readonly #ports = new MemoryPorts()
  readonly #frontPort: ControlPort
  readonly #beats: Region
  readonly #lives: BrokerLives
  readonly #fronts = new Map<BrokerId, FrontEnd>()
  readonly #restartAtMs = new Map<BrokerId, number>()
  readonly #cuts: [SimNode, SimNode][] = []
  /** So long after its start a thread takes its first turn: what the others tell it may be there by then. */
  firstTurnAfterMs = 0
  readonly #firstTurnAtMs = new Map<BrokerId, number>()
  #later: { readonly dueMs: number; readonly what: () => void }[] = []

  constructor({ seed, settings, listener }: ClusterOptions) {
    this.random = new SeededRandom(seed)
    this.#listener = listener
    this.disk = new SimDisk(() => this.clock.wallMs(), new SeededRandom(this.random.uint32()))
    this.disk.make(BROKERS)
    this.#beats = formatBrokerBeats(newRegion(brokerBeatsBytes(BROKERS)), BROKERS)
    this.#lives = new BrokerLives(this.#beats)
    this.#frontPort = this.#ports.port(FRONT_PEER)
    // who listens to the server is not simulated
    this.#ports.port('server')
    const context: NodeContext = {
      ...{ clock: this.clock, disk: this.disk, beats: this.#beats, settings },
      log: (level, message, fields) => listener.onLine(level, message, fields),
      onPublish: (message, broker) => listener.onPublish(message, broker),
    }
    for (let id = 1; id <= BROKERS; id++) {
      const broker = asBrokerId(id)
      const port = this.#ports.port(brokerPeer(CELL, broker))
      this.nodes.push(new SimNode(broker, port, context))
    }
    this.#startAll()
  }

  get nowMs(): number {
    return this.clock.monotonicMs()
  }

  get up(): SimNode[] {
    return this.nodes.filter(({ isUp }) => isUp)
  }

  node(id: number): SimNode {
    return this.nodes[id - 1]!
  }

  /** Everybody turns once, in an order of chance; then time passes. */
  step(stepMs: number): void {
    const { nowMs } = this
    const due = this.#later.filter(({ dueMs }) => dueMs <= nowMs)
    if (due.length > 0) this.#later = this.#later.filter(({ dueMs }) => dueMs > nowMs)
    for (const { what } of due) what()
    for (const node of this.nodes) this.#startIfDue(node)
    const first = this.random.below(BROKERS)
    for (let i = 0; i < BROKERS; i++) this.#turn(this.nodes[(first + i) % BROKERS]!)
    this.front.turn(nowMs)
    this.clock.advance(stepMs)
  }

  /** Its thread ends: nothing is closed, and what the system has of its files stays. */
  kill(node: SimNode, why: string): void {
    if (!node.isUp) return
    this.#trace(`broker ${node.id} dies: ${why}`)
    this.#ended(node)
    const { id } = node
    const peer = brokerPeer(CELL, id)
    for (const other of this.up) {
      const { life } = other
      this.#after(this.random.below(4), () => {
        if (!other.isUp || other.life !== life) return
        other.tasks.push(() => {
          other.gone.add(peer)
          other.agent.peerGone(id)
        })
      })
    }
    const { front } = this
    this.#after(this.random.below(4), () => front.brokerGone(id))
  }

  /** All end at once, with the process or with the machine, and begin anew. */
  killAll(powerCut: boolean): void {
    this.#trace(powerCut ? 'power cut' : 'the process dies')
    for (const node of this.up) this.#ended(node)
    this.#later = []
    this.#cuts.length = 0
    this.disk.killAll(powerCut, this.random.uint32())
    this.#listener.onFrontGone()
    this.#startAll()
  }

  /** It is started again no sooner than this. */
  restartAfter(node: SimNode, ms: number): void {
    this.#restartAtMs.set(node.id, this.nowMs + ms)
  }

  cut(a: SimNode, b: SimNode): void {
    if (this.#cuts.some(([x, y]) => (x === a && y === b) || (x === b && y === a))) return
    this.#trace(`cut ${a.id} ${b.id}`)
    this.#cuts.push([a, b])
    this.#setCut(a, b, true)
  }

  healCuts(): void {
    if (this.#cuts.length > 0) this.#trace('cuts heal')
    for (const [a, b] of this.#cuts.splice(0)) this.#setCut(a, b, false)
  }

  #setCut(a: SimNode, b: SimNode, isCut: boolean): void {
    if (a.isUp) a.agent.cut(b.id, isCut)
    if (b.isUp) b.agent.cut(a.id, isCut)
  }

  #startAll(): void {
    const ends: { id: BrokerId; end: FrontEnd | null }[] = []
    this.#restartAtMs.clear()
    while (this.#frontPort.poll() !== undefined);
    for (const node of this.nodes) {
      node.gone.clear()
      node.forgetMessages()
    }
    for (const node of this.nodes) {
      const end = this.#tryStart(node, true)
      if (end !== null) this.#fronts.set(node.id, end)
    }
    for (const { id, isUp } of this.nodes)
      ends.push({ id, end: isUp ? this.#fronts.get(id)! : null })
    // who did not come up is gone for the others
    for (const node of this.up) {
      for (const other of this.nodes) if (!other.isUp) node.gone.add(brokerPeer(CELL, other.id))
    }
    const { clock } = this
    const onLeaders = this.#listener.onLeaders.bind(this.#listener)
    const context = { clock, beats: this.#beats, port: this.#frontPort, onLeaders }
    this.front = new SimFront(context, ends)
  }

  #startIfDue(node: SimNode): void {
    if (node.isUp || this.nowMs < (this.#restartAtMs.get(node.id) ?? 0)) return
    node.forgetMessages()
    const end = this.#tryStart(node, false)
    if (end === null) return
    const { front } = this
    const { life, id } = node
    this.#after(this.random.below(4), () => {
      if (node.life === life && node.isUp) front.brokerBack(id, end)
    })
  }

  /** null: it failed, and is tried again later. `isFirst`: all start together. */
  #tryStart(node: SimNode, isFirst: boolean): FrontEnd | null {
    this.#trace(`broker ${node.id} starts`)
    this.#lives.spawning(node.id - 1)
    node.gone.clear()
    const commands = formatRing(newRegion(ringBytes(64 * 1024)))
    const replies = formatRing(newRegion(ringBytes(64 * 1024)))
    const rings: FrontRings = {
      front: asFrontId(0),
      commands: new RingReader(commands),
      replies: new RingWriter(replies),
      bell: { ring: () => {} },
      frames: null,
    }
    const peers: BrokerRings[] = []
    const handOvers: (() => void)[] = []
    for (const other of this.nodes) {
      if (other === node) continue
      const [own, theirs] = this.#link(node, other)
      peers.push(own)
      if (other.isUp) handOvers.push(() => this.#handOver(node, other, theirs, isFirst))
      else if (!isFirst) node.gone.add(brokerPeer(CELL, other.id))
    }
    try {
      node.start(rings, peers, this.random.uint32())
    } catch (error) {
      this.#onEnd(node, error)
      return null
    }
    this.#firstTurnAtMs.set(node.id, this.nowMs + this.firstTurnAfterMs)
    for (const handOver of handOvers) handOver()
    for (const [a, b] of this.#cuts) {
      if (a === node) node.agent.cut(b.id, true)
      if (b === node) node.agent.cut(a.id, true)
    }
    return { commands: new RingWriter(commands), replies: new RingReader(replies) }
  }

  /** `broker-back`, to one that lives. */
  #handOver(node: SimNode, other: SimNode, rings: BrokerRings, isFirst: boolean): void {
    const { life: otherLife } = other
    const { life, id } = node
    const tell = () => {
      if (!other.isUp || other.life !== otherLife) return
      other.tasks.push(() => {
        other.gone.delete(brokerPeer(CELL, id))
        other.agent.replacePeer(rings)
        if (node.life === life && !isFirst) other.bringUpToDate(id)
      })
    }
    if (isFirst) tell()
    else this.#after(this.random.below(4), tell)
  }

  #turn(node: SimNode): void {
    if (!node.isUp || node.isHung) return
    if (this.nowMs < (this.#firstTurnAtMs.get(node.id) ?? 0)) return
    try {
      node.turn(this.nowMs)
    } catch (error) {
      this.#onEnd(node, error)
      return
    }
    if (this.disk.isDying(node.id)) {
      this.kill(node, 'in the middle of its turn')
      return
    }
    this.#listener.onTurned(node)
  }

  /** Its thread has thrown. What only a bug can throw is one. */
  #onEnd(node: SimNode, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error)
    const isOfDisk = error instanceof DiskError || /cannot be kept any more/.test(message)
    if (!(error instanceof ThreadDeath) && !this.disk.isDying(node.id) && !isOfDisk) {
      const what =
        error instanceof InvariantError ? 'an invariant is broken' : 'a thread has thrown'
      throw new SafetyError(`broker ${node.id}: ${what}: ${message}`, { cause: error })
    }
    if (node.isUp) this.kill(node, message)
    else {
      this.#trace(`broker ${node.id} does not start: ${message}`)
      this.#ended(node)
    }
  }

  #ended(node: SimNode): void {
    node.isUp = false
    node.isHung = false
    node.flusher?.forget()
    this.disk.ended(node.id)
    this.#lives.ended(node.id - 1)
    this.restartAfter(node, 20 + this.random.below(500))
  }

  #after(ms: number, what: () => void): void {
    this.#later.push({ dueMs: this.nowMs + ms, what })
  }

  #trace(event: string): void {
    this.#listener.onTrace(event)
  }

  /** Fresh rings between two brokers, an end for each. */
  #link(node: SimNode, other: SimNode): [BrokerRings, BrokerRings] {
    const to = formatRing(newRegion(ringBytes(64 * 1024)))
    const from = formatRing(newRegion(ringBytes(64 * 1024)))
    return [this.#end(node, other, to, from), this.#end(other, node, from, to)]
  }

  #end(own: SimNode, peer: SimNode, writes: Region, reads: Region): BrokerRings {
    let bufferId = 0
    return {
      broker: peer.id,
      to: this.#sometimesFull(new RingWriter(writes)),
      from: this.#sometimesLate(new RingReader(reads)),
      bell: { ring: () => {} },
      sendBuffer: (bytes) => {
        const sab = new SharedArrayBuffer(bytes.length)
        new Uint8Array(sab).set(bytes)
        bufferId++
        own.control.post(brokerPeer(CELL, peer.id), { kind: 'batch-buffer', bufferId, sab })
        return bufferId
      },
    }
  }

  #sometimesFull(ring: RingWriter): RingWriter {
    const claim = ring.claim.bind(ring)
    ring.claim = (type, bytes) =>
      this.rings.full > 0 && this.random.chance(this.rings.full) ? -1 : claim(type, bytes)
    return ring
  }

  #sometimesLate(ring: RingReader): RingReader {
    const poll = ring.poll.bind(ring)
    ring.poll = (handler, limit) =>
      this.rings.late > 0 && this.random.chance(this.rings.late) ? 0 : poll(handler, limit)
    return ring
  }
}
