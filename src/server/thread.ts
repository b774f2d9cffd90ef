/** What a thread is started with, and what every role does with it first. On the started thread. */
import type { MessagePort } from 'node:worker_threads'
import { invariant } from '../base/assert.ts'
import { systemClock } from '../base/clock.ts'
import type { Logger, LogLevel } from '../base/log.ts'
import type { Region } from '../base/region.ts'
import type { ControlMessage } from '../link/control.ts'
import {
  type ControlPort,
  EventPorts,
  type PeerChannel,
  type PeerName,
  PolledPorts,
} from '../link/ports.ts'
import { DoorbellRinger, DoorbellWaiter } from '../shared/doorbell.ts'
import { ThreadStatusWriter } from '../shared/thread-status.ts'
import type { LockBeat } from './lock-beat.ts'
import { ForwardingLogger } from './logger.ts'
import type { MemoryPlan } from './memory-plan.ts'
import { type EngineSettings, LOG_LEVELS } from './options.ts'
import { type ChannelEnd, type EngineWiring, Gate, type ThreadInfo } from './wiring.ts'

/** `workerData` of every worker; structured-cloneable, its ports are transferred. */
export interface ThreadData {
  readonly thread: ThreadInfo
  readonly wiring: EngineWiring
  readonly channels: readonly ChannelEnd[]
  /** Peers that are gone as it starts: what is said to them is swallowed. */
  readonly gone: readonly PeerName[]
  readonly settings: EngineSettings
  readonly plan: MemoryPlan
  readonly lockDirectory: string
  readonly lockNonce: string
  readonly version: string
  /** The data directory goes away with the engine. */
  readonly isTemporary: boolean
  /** The process is `griot` itself, which puts into place the compiled code that its threads keep. */
  readonly keepsCode: boolean
  /** Wall clock. */
  readonly startedAtMs: number
  /** When the process, or the call of the embedded engine, began: where the trace of the start counts from. */
  readonly traceOriginMs: number
}

/** The line of `name` in the shared tables. */
export function threadIndex(wiring: EngineWiring, name: string): number {
  const index = wiring.threads.findIndex((thread) => thread.name === name)
  invariant(index >= 0, 'a thread that is not in the wiring')
  return index
}

/** Doorbells of the brokers, from index 0. */
export const brokerBells = ({
  bells,
  threads,
}: Pick<EngineWiring, 'bells' | 'threads'>): Region[] =>
  bells.filter((_, index) => threads[index]!.role === 'broker')

export const transferList = (channels: readonly ChannelEnd[]): MessagePort[] =>
  channels.map(({ port }) => port)

const peerChannels = (channels: readonly ChannelEnd[]): PeerChannel[] =>
  channels.map(({ peer, port, bell }) => ({
    name: peer,
    port,
    bell: bell === null ? null : new DoorbellRinger(bell),
  }))

export const openPolledPorts = (channels: readonly ChannelEnd[]): PolledPorts =>
  new PolledPorts(peerChannels(channels))

export const openEventPorts = (
  channels: readonly ChannelEnd[],
  onArrival: () => void,
  more: Pick<ConstructorParameters<typeof EventPorts>[0], 'unref' | 'onClosed'> = {},
): EventPorts => new EventPorts({ channels: peerChannels(channels), onArrival, ...more })

/** What all roles need of their place in the wiring. */
export interface ThreadContext {
  readonly data: ThreadData
  readonly index: number
  readonly clock: typeof systemClock
  readonly waiter: DoorbellWaiter
  readonly status: ThreadStatusWriter
}

export function threadContext(data: ThreadData): ThreadContext {
  const index = threadIndex(data.wiring, data.thread.name)
  return {
    data,
    index,
    clock: systemClock,
    waiter: new DoorbellWaiter(data.wiring.bells[index]!),
    status: new ThreadStatusWriter(data.wiring.status, index),
  }
}

export function threadLogger(data: ThreadData, control: ControlPort): Logger {
  const words = gateWords(data.wiring)
  return new ForwardingLogger(
    data.thread.name,
    () => Atomics.load(words, LOG_LEVEL_WORD),
    (to, message) => control.post(to, message),
  )
}

/** Stored by the server alone. */
export const setThreadLogLevel = (wiring: EngineWiring, level: LogLevel): void =>
  void Atomics.store(gateWords(wiring), LOG_LEVEL_WORD, LOG_LEVELS.indexOf(level))

/** Blocks until the server has the directory's lock; the lock's claim, or null when the start was given up. */
export function waitForGate({ wiring, lockDirectory, lockNonce }: ThreadData): LockBeat | null {
  const words = gateWords(wiring)
  Atomics.wait(words, 0, Gate.CLOSED)
  if (Atomics.load(words, 0) !== Gate.OPEN) return null
  return { directory: lockDirectory, nonce: lockNonce, number: words[1]! }
}

/** Lets the threads go on under `lock`, or tells them to give up. */
export function openGate(wiring: EngineWiring, lock: LockBeat | null): void {
  const words = gateWords(wiring)
  words[1] = lock?.number ?? 0
  Atomics.store(words, 0, lock === null ? Gate.ABANDONED : Gate.OPEN)
  Atomics.notify(words, 0)
}

const LOG_LEVEL_WORD = 2

const gateWords = ({ gate }: EngineWiring): Int32Array =>
  new Int32Array(gate.sab, gate.byteOffset, 3)

/** What a thread tells the server when it cannot go on: one sentence where an operator can act, a stack for a bug of ours. */
export function failed(error: unknown): ControlMessage {
  if (!(error instanceof Error)) return { kind: 'failed', message: String(error) }
  const isExpected = OPERATIONAL.includes(error.name)
  return { kind: 'failed', message: isExpected ? error.message : (error.stack ?? error.message) }
}

/** Errors that are no bugs, by name: a class would have to be imported from every layer. */
const OPERATIONAL = ['DiskError', 'StartRefusedError', 'ListenError']
