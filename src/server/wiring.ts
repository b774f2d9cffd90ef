/** The shared memory and message channels of one engine: allocated here, once, on the thread that starts it. */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { asBrokerId, asCellId, asFrontId, type BrokerId, type CellId } from '../base/ids.ts'
import type { Region } from '../base/region.ts'
import { COUNTER_KINDS } from '../link/counters.ts'
import { brokerPeer, frontPeer, type PeerName, SERVER_PEER } from '../link/ports.ts'
import { USE_KINDS } from '../link/use-kinds.ts'
import { brokerBeatsBytes, formatBrokerBeats } from '../shared/broker-beats.ts'
import { counterTableBytes, formatCounterTable } from '../shared/counter-table.ts'
import { DOORBELL_BYTES, formatDoorbell } from '../shared/doorbell.ts'
import { carveRegions, newRegion } from '../shared/region.ts'
import { formatRing, ringBytes } from '../shared/ring-layout.ts'
import { formatThreadStatus, threadStatusBytes } from '../shared/thread-status.ts'
import { formatUseTable, useTableBytes } from '../shared/use-table.ts'
import { COUNTER_ROWS, USE_ROWS } from './counter-rows.ts'
import type { MemoryPlan } from './memory-plan.ts'

export const CELL: CellId = asCellId(1)
export const KAFKA_FRONT = asFrontId(0)
export const HTTP_FRONT = asFrontId(1)
export const FRONTS = [KAFKA_FRONT, HTTP_FRONT] as const
/** The brokers that keep the metadata, each with a controller on its thread that may lead; the first is preferred. */
export const quorumOf = (brokers: number): BrokerId[] => brokerIds(brokers >= 3 ? 3 : 1)
export const FLUSHER_PEER: PeerName = 'flusher'

export type ThreadRole = 'kafka-front' | 'http-front' | 'broker' | 'flusher'

/** A thread of the engine; its place in {@link EngineWiring.threads} is its line in the shared tables. */
export interface ThreadInfo {
  readonly name: PeerName
  readonly role: ThreadRole
  /** 0 for threads that are no broker. */
  readonly brokerId: number
}

export interface RingPair {
  /** Front → broker, or broker → flusher. */
  readonly requests: Region
  /** Broker → front, or flusher → broker. */
  readonly replies: Region
}

/** Everything that threads share; plain, posted to each of them as it starts. */
export interface EngineWiring {
  readonly threads: readonly ThreadInfo[]
  readonly bells: readonly Region[]
  readonly status: Region
  readonly counters: Region
  /** What each tenant uses, in rows of each thread's own. */
  readonly use: Region
  /** By front, then by broker from index 0. */
  readonly fronts: readonly (readonly RingPair[])[]
  /** By broker from index 0. */
  readonly flush: readonly RingPair[]
  /** Rings between brokers, by sender, then by receiver, from index 0; null from a broker to itself. */
  readonly peers: readonly (readonly (Region | null)[])[]
  /** Beats of the brokers, by index from 0. */
  readonly beats: Region
  /** The Kafka front's memory for frames of large produce requests, which brokers read. */
  readonly frames: SharedArrayBuffer
  /** Memory of each broker's ring logs; the Kafka front puts a successor's in its place, in its own copy. */
  readonly arenas: SharedArrayBuffer[]
  /** {@link Gate}: threads load while the directory's lock is being taken, and go on when it opens. */
  readonly gate: Region
}

/** One end of a channel, to be posted to the thread that owns it. */
export interface ChannelEnd {
  readonly peer: PeerName
  readonly port: MessagePort
  /** The peer's doorbell where it has no event loop. */
  readonly bell: Region | null
}

/**
 * The first word of the gate: every other thread waits on it before it touches the data directory. The second is the
 * number of the lock's claim, the third the lowest level that is logged. All are stored by the server.
 */
export const Gate = { CLOSED: 0, OPEN: 1, ABANDONED: 2 } as const

export const brokerIds = (brokers: number): BrokerId[] =>
  Array.from({ length: brokers }, (_, i) => asBrokerId(i + 1))

/** Threads in the order of their lines; brokers come last but for the flusher. */
export function listThreads(brokers: number, http: boolean): ThreadInfo[] {
  const threads: ThreadInfo[] = [
    { name: frontPeer(KAFKA_FRONT), role: 'kafka-front', brokerId: 0 },
    { name: FLUSHER_PEER, role: 'flusher', brokerId: 0 },
  ]
  for (const id of brokerIds(brokers)) {
    threads.push({ name: brokerPeer(CELL, id), role: 'broker', brokerId: id })
  }
  if (http) threads.push({ name: frontPeer(HTTP_FRONT), role: 'http-front', brokerId: 0 })
  return threads
}

export function allocateWiring(threads: readonly ThreadInfo[], plan: MemoryPlan): EngineWiring {
  const brokers = threads.filter((thread) => thread.role === 'broker').length
  const counterShape = { threads: threads.length, rows: COUNTER_ROWS, kinds: COUNTER_KINDS }
  const useShape = { threads: threads.length, rows: USE_ROWS, kinds: USE_KINDS, brokers }
  const [status, counters, gate, beats, ...bells] = carveRegions([
    threadStatusBytes(threads.length),
    counterTableBytes(counterShape),
    64,
    brokerBeatsBytes(brokers),
    ...threads.map(() => DOORBELL_BYTES),
  ])
  for (const bell of bells) formatDoorbell(bell)
  const perBroker = <T>(make: () => T): T[] => Array.from({ length: brokers }, make)
  return {
    threads,
    bells,
    status: formatThreadStatus(status!, threads.length),
    counters: formatCounterTable(counters!, counterShape),
    // a buffer of its own: pages that nobody touches cost nothing
    use: formatUseTable(newRegion(useTableBytes(useShape)), useShape),
    fronts: FRONTS.map((front) => perBroker(() => frontRings(plan, front))),
    flush: perBroker(() => ringPair(plan.flushRingBytes, plan.flushRingBytes)),
    peers: peerRings(brokers, plan.peerRingBytes),
    beats: formatBrokerBeats(beats!, brokers),
    frames: new SharedArrayBuffer(plan.frameBytes),
    arenas: perBroker(() => new SharedArrayBuffer(plan.arenaBytes)),
    gate: gate!,
  }
}

/** The same with other memory for what the broker of `index` shares with others: its predecessor's may still be read, and is let go of by and by. */
export function renewBroker(wiring: EngineWiring, plan: MemoryPlan, index: number): EngineWiring {
  const put = <T>(list: readonly T[], value: T): T[] => list.with(index, value)
  const peer = () => formatRing(newRegion(ringBytes(plan.peerRingBytes)))
  return {
    ...wiring,
    fronts: wiring.fronts.map((pairs, front) => put(pairs, frontRings(plan, front))),
    flush: put(wiring.flush, ringPair(plan.flushRingBytes, plan.flushRingBytes)),
    peers: wiring.peers.map((row, from) =>
      row.map((ring, to) => (ring !== null && (from === index || to === index) ? peer() : ring)),
    ),
    arenas: put(wiring.arenas, new SharedArrayBuffer(plan.arenaBytes)),
  }
}

/** As `thread` is given it: an arena that it does not use would stay for as long as it lives, also when its broker has another. */
export function wiringFor(wiring: EngineWiring, { role, brokerId }: ThreadInfo): EngineWiring {
  const none = new SharedArrayBuffer(0)
  const arenas = wiring.arenas.map((arena, index) =>
    role === 'kafka-front' || index === brokerId - 1 ? arena : none,
  )
  return { ...wiring, arenas }
}

function frontRings(plan: MemoryPlan, front: number): RingPair {
  return front === KAFKA_FRONT
    ? ringPair(plan.commandRingBytes, plan.replyRingBytes)
    : ringPair(plan.smallRingBytes, plan.smallRingBytes)
}

function ringPair(requestCapacity: number, replyCapacity: number): RingPair {
  const regions = carveRegions([ringBytes(requestCapacity), ringBytes(replyCapacity)])
  return { requests: formatRing(regions[0]!), replies: formatRing(regions[1]!) }
}

/** A ring in one buffer from each broker to each other: pages that were never written cost nothing. */
function peerRings(brokers: number, capacity: number): (Region | null)[][] {
  const regions = carveRegions(
    Array.from({ length: brokers * (brokers - 1) }, () => ringBytes(capacity)),
  )
  return Array.from({ length: brokers }, (_, from) =>
    Array.from({ length: brokers }, (_, to) => (from === to ? null : formatRing(regions.pop()!))),
  )
}

/**
 * A channel between the server and every thread, the two fronts, every front and every broker, and every two brokers.
 * Returns each one's ends by its name.
 */
export function connectThreads(wiring: EngineWiring): Map<PeerName, ChannelEnd[]> {
  const ends = new Map<PeerName, ChannelEnd[]>([[SERVER_PEER, []]])
  for (const { name } of wiring.threads) ends.set(name, [])
  const bellOf = (name: PeerName): Region | null => {
    const index = wiring.threads.findIndex((thread) => thread.name === name)
    return wiring.threads[index]?.role === 'broker' ? wiring.bells[index]! : null
  }
  const connect = (a: PeerName, b: PeerName) => {
    const { port1, port2 } = new MessageChannel()
    ends.get(a)!.push({ peer: b, port: port1, bell: bellOf(b) })
    ends.get(b)!.push({ peer: a, port: port2, bell: bellOf(a) })
  }
  const ofRole = (...roles: ThreadRole[]) =>
    wiring.threads.filter((thread) => roles.includes(thread.role)).map((thread) => thread.name)
  const brokers = ofRole('broker')
  for (const { name } of wiring.threads) connect(SERVER_PEER, name)
  // the HTTP front asks for what the other has counted
  for (const http of ofRole('http-front')) connect(ofRole('kafka-front')[0]!, http)
  for (const front of ofRole('kafka-front', 'http-front')) {
    for (const broker of brokers) connect(front, broker)
  }
  brokers.forEach((broker, index) => {
    for (const other of brokers.slice(index + 1)) connect(broker, other)
  })
  return ends
}
