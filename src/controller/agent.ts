/**
 * The controller's agent (one voter): requests in, decisions into the log, and, once they are durable, deltas to every agent and
 * then the responses. Runs on a broker's thread; it never blocks, and has no timer.
 */

import type { Clock } from '../base/clock.ts'
import { ErrorCode } from '../base/error-code.ts'
import type { TenantId } from '../base/ids.ts'
import type { Logger } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { MetadataEntry } from '../image/entry.ts'
import { applyMetadata, MetadataImage } from '../image/image.ts'
import type { ControllerRequest, ControllerResponse, MetadataMessage } from '../image/request.ts'
import { snapshotMessages } from '../image/snapshot.ts'
import type { MetadataView } from '../image/view.ts'
import { CommitQueue } from '../machine/commit-queue.ts'
import type { EntryLog } from '../machine/entry-log.ts'
import type { Decision } from '../machine/replicated-machine.ts'
import type { SnapshotStore } from '../machine/snapshot-store.ts'
import { TimelineRegistry } from '../machine/timeline.ts'
import { decodeEntry, encodeEntry } from './entry-codec.ts'
import { ControllerMachine, type ControllerSettings } from './machine.ts'
import { NOT_CONTROLLER, type Refusal, refuseAll, STORAGE_FAILED } from './results.ts'
import { MetadataSnapshots, type SnapshotSettings } from './snapshots.ts'

/** Requests decided in one turn: what one append and one flush then cover. */
const REQUESTS_PER_TURN = 32

export interface ControllerAgentOptions {
  readonly log: EntryLog
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly settings: ControllerSettings
  /** Sends to brokers first, then to fronts. */
  readonly publish: (message: MetadataMessage) => void
  /** Kept in place of the log's beginning; without, the log is kept whole. */
  readonly snapshots?: SnapshotSettings & { readonly store: SnapshotStore }
  /** Comes after `publish` of what the response tells. */
  readonly respond: (front: string, correlation: number, response: ControllerResponse) => void
}

const ANOTHER_DIRECTORY =
  'a broker has come with another directory than before: its replicas are filled again by the others'
const FEW_REPLICAS =
  'topics have fewer replicas than new ones get: kafka-reassign-partitions gives them more'

interface Incoming {
  readonly front: string
  readonly tenantId: TenantId
  readonly correlation: number
  readonly request: ControllerRequest
}

interface Parked extends Incoming {
  readonly response: ControllerResponse
}

export class ControllerAgent {
  readonly #options: ControllerAgentOptions
  readonly #log: EntryLog
  readonly #registry = new TimelineRegistry()
  readonly #machine: ControllerMachine
  readonly #image: MetadataImage
  readonly #parked = new CommitQueue<Parked>()
  readonly #snapshots: MetadataSnapshots | null
  #incoming: Incoming[] = []
  /** Appended and not yet committed. */
  #uncommitted: MetadataEntry[] = []
  /** Directories that brokers have come with in vain. */
  readonly #refused = new Map<number, string>()
  #flushAskedTo = 0
  #published = false
  #stopped = false

  constructor(options: ControllerAgentOptions) {
    this.#options = options
    this.#log = options.log
    this.#machine = new ControllerMachine(this.#registry, options.settings, options.random)
    this.#image = new MetadataImage(options.settings.brokerConfigs)
    const { snapshots, log } = options
    this.#snapshots =
      snapshots === undefined ? null : new MetadataSnapshots(snapshots.store, log, snapshots)
  }

  /** Only snapshots wait for a time. */
  get nextTimerAtMs(): number {
    return this.#stopped || this.#snapshots === null
      ? Number.POSITIVE_INFINITY
      : this.#snapshots.nextTimerAtMs
  }

  /** The committed image. Agents on the same thread may read this one instead of keeping their own. */
  get image(): MetadataView {
    return this.#image
  }

  /** True once the image has been published and requests are answered. */
  get ready(): boolean {
    return this.#published
  }

  /** Changes that wait for their flush. */
  get uncommittedChanges(): number {
    return this.#registry.uncommittedChanges
  }

  /**
   * Replays the newest snapshot and the log from there, and, at first start, forms the cluster. The image goes out as soon as all of it is durable: now, or in a
   * later turn. Throws {@link StartRefusedError} on another number of brokers or cells or a newer format, and what the log throws.
   */
  start(): void {
    const { endOffset } = this.#log
    const replayed: MetadataEntry[] = []
    const from = this.#loadSnapshot()
    this.#registry.commit(this.#log.durableOffset)
    this.#log.read(from, (offset, bytes) => {
      const entry = decodeEntry(bytes, offset)
      this.#snapshots?.noted(offset, bytes)
      this.#registry.replaying(offset)
      this.#machine.replay(entry)
      replayed.push(entry)
    })
    this.#uncommitted = replayed
    const formed = this.#machine.form()
    if (formed.length > 0) this.#append(formed)
    if (endOffset === 0) this.#options.logger.log('info', 'cluster formed', this.#formed())
    for (const entry of formed) if (entry.kind === 'tenant-created') this.#logTenant(entry)
    this.#logFewReplicas()
    this.#askForFlush()
    this.#commit()
  }

  /** What requests are decided by from the next turn on. */
  changeSettings(change: Pick<ControllerSettings, 'defaultPartitions' | 'brokerConfigs'>): void {
    this.#machine.changeSettings(change)
  }

  /** Takes a request of a front; it is decided in the next turn. */
  onRequest(
    front: string,
    tenantId: TenantId,
    correlation: number,
    request: ControllerRequest,
  ): void {
    this.#incoming.push({ front, tenantId, correlation, request })
  }

  /** One bounded turn; returns how much was done. */
  doWork(nowMs: number): number {
    if (this.#stopped) return 0
    const committed = this.#commit()
    if (this.#log.failure !== null) return committed + this.#refuseAll(STORAGE_FAILED)
    if (!this.#published) return committed
    const decided = this.#decide()
    if (decided > 0) {
      this.#askForFlush()
      return decided + committed + this.#commit() + this.#snapshot(nowMs)
    }
    this.#askForFlush()
    return committed + this.#snapshot(nowMs)
  }

  /** The whole committed image, for an agent that joins later; deltas published after this call follow on it. */
  snapshot(): readonly MetadataMessage[] {
    return snapshotMessages(this.#image)
  }

  /** Fails what waits with NOT_CONTROLLER. What was appended and not durable may be there at the next start. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#refuseAll(NOT_CONTROLLER)
    this.#registry.revert()
  }

  /** Where the log goes on. */
  #loadSnapshot(): number {
    const from = this.#snapshots?.load((entry) => {
      // to both views at once: there was nothing before that could come back
      this.#registry.commit(1)
      this.#machine.replay(entry)
      this.#image.apply(entry)
    })
    if (from === undefined || from === 0) return 0
    this.#image.restatedAt(from)
    this.#registry.commit(from)
    return from
  }

  #snapshot(nowMs: number): number {
    const { offset } = this.#image
    return this.#snapshots?.doWork(nowMs, offset, () => this.#machine.restate()) ?? 0
  }

  #decide(): number {
    const requests = this.#incoming
    if (requests.length === 0) return 0
    const now = requests.splice(0, REQUESTS_PER_TURN)
    for (const incoming of now) {
      const decision = this.#machine.decide(incoming)
      this.#logRegistration(incoming.request, decision)
      if (decision.entries.length > 0 && !this.#tryAppend(decision.entries, incoming)) continue
      this.#parked.park(this.#log.endOffset, { ...incoming, response: decision.response })
    }
    return now.length
  }

  /** False when the disk refused: the log and the state are as before, and the request is answered. */
  #tryAppend(entries: readonly MetadataEntry[], incoming: Incoming): boolean {
    try {
      this.#append(entries)
      return true
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#options.logger.log('error', 'metadata log: append failed', { reason })
      const response = refuseAll(incoming.request, STORAGE_FAILED)
      this.#options.respond(incoming.front, incoming.correlation, response)
      return false
    }
  }

  /** Append first, then replay: an append that throws leaves no trace. */
  #append(entries: readonly MetadataEntry[]): void {
    let offset = this.#log.endOffset
    const encoded = entries.map(encodeEntry)
    this.#log.append(encoded)
    for (const [at, entry] of entries.entries()) {
      this.#snapshots?.noted(offset, encoded[at]!)
      this.#registry.replaying(offset++)
      this.#machine.replay(entry)
      this.#uncommitted.push(entry)
    }
  }

  /** One flush at a time: what is appended while it runs goes with the next, all together. */
  #askForFlush(): void {
    const { endOffset, durableOffset } = this.#log
    if (durableOffset >= endOffset || durableOffset < this.#flushAskedTo) return
    this.#flushAskedTo = endOffset
    this.#log.requestFlush()
  }

  /** Takes over what has become durable: image, deltas, then responses. */
  #commit(): number {
    const first = this.#image.offset
    // what a snapshot holds was committed, whatever the log knows of its flushes
    const durable = Math.max(first, this.#log.durableOffset)
    const offset = Math.min(durable, first + this.#uncommitted.length)
    // The first image is the whole log's, so that nobody ever serves from half of it.
    if (!this.#published && offset < this.#log.endOffset) return 0
    const entries = this.#uncommitted.splice(0, offset - first)
    if (entries.length > 0) {
      const delta: MetadataMessage = { kind: 'metadata', first, offset, entries }
      applyMetadata(this.#image, delta)
      this.#registry.commit(offset)
      if (this.#published) this.#options.publish(delta)
    }
    if (!this.#published) {
      this.#published = true
      for (const message of this.snapshot()) this.#options.publish(message)
    }
    const responses = this.#parked.commit(offset, ({ front, correlation, response }) => {
      this.#options.respond(front, correlation, response)
    })
    return entries.length + responses
  }

  /** Answers everything that waits with `refusal`; whether what was appended survives is then unknown. */
  #refuseAll(refusal: Refusal): number {
    const refuseOne = ({ front, correlation, request }: Incoming) =>
      this.#options.respond(front, correlation, refuseAll(request, refusal))
    const incoming = this.#incoming
    this.#incoming = []
    const parked = this.#parked.fail(refuseOne)
    incoming.forEach(refuseOne)
    return parked + incoming.length
  }

  /** A broker asks again and again: the same refusal is said once. */
  #logRegistration(
    request: ControllerRequest,
    { entries, response }: Decision<MetadataEntry, ControllerResponse>,
  ): void {
    if (request.kind !== 'register-broker' || response.kind !== request.kind) return
    const { brokerId, cellId, directoryId } = request
    const [entry] = entries
    if (response.error !== ErrorCode.NONE) {
      if (this.#refused.get(brokerId) === directoryId) return
      this.#refused.set(brokerId, directoryId)
      const reason = response.message ?? ''
      this.#options.logger.log('error', 'broker not registered', { cellId, brokerId, reason })
    } else if (entry?.kind === 'broker-directory' && entry.life > this.#machine.lifeOf(entry)) {
      const { life } = entry
      const fields = { cellId, brokerId, directoryId, life }
      this.#options.logger.log('warn', ANOTHER_DIRECTORY, fields)
    }
    if (response.error === ErrorCode.NONE) this.#refused.delete(brokerId)
  }

  /** What was made before there were replicas keeps its one until somebody changes it. */
  #logFewReplicas(): void {
    const { topics, replicas } = this.#machine.topicsBelowDefault()
    if (topics === 0) return
    const fields = { topics, defaultReplicationFactor: replicas }
    this.#options.logger.log('info', FEW_REPLICAS, fields)
  }

  #formed() {
    const { cells, brokersPerCell } = this.#options.settings
    const physicalClusterId = this.#machine.state.cluster.value?.clusterId ?? ''
    return { physicalClusterId, cells, brokersPerCell }
  }

  /** Which cluster id clients see, and what stands for the tenant in other lines and in the names of directories. */
  #logTenant({ tenantId, name, clusterId }: Extract<MetadataEntry, { kind: 'tenant-created' }>) {
    this.#options.logger.log('info', 'tenant made', { tenant: name, tenantId, clusterId })
  }
}
