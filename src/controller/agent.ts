/**
 * The controller's agent (one voter): requests in, decisions into the log, and, once they are durable, deltas to every agent and
 * then the responses. Runs on a broker's thread; it never blocks, and has no timer.
 */

import { invariant } from '../base/assert.ts'
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
import { TimelineRegistry } from '../machine/timeline.ts'
import { decodeEntry, encodeEntry } from './entry-codec.ts'
import { ControllerMachine, type ControllerSettings } from './machine.ts'
import { NOT_CONTROLLER, type Refusal, refuseAll, STORAGE_FAILED } from './results.ts'

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
  /** Nothing here waits for a time. */
  readonly nextTimerAtMs = Number.POSITIVE_INFINITY
  readonly #options: ControllerAgentOptions
  readonly #log: EntryLog
  readonly #registry = new TimelineRegistry()
  readonly #machine: ControllerMachine
  readonly #image: MetadataImage
  readonly #parked = new CommitQueue<Parked>()
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
   * Replays the log and, at first start, forms the cluster. The image goes out as soon as all of it is durable: now, or in a
   * later turn. Throws {@link StartRefusedError} on another number of brokers or cells or a newer format, and what the log throws.
   */
  start(): void {
    const { endOffset } = this.#log
    const replayed: MetadataEntry[] = []
    this.#registry.commit(this.#log.durableOffset)
    this.#log.read(0, (offset, bytes) => {
      const entry = decodeEntry(bytes, offset)
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
  doWork(_nowMs: number): number {
    if (this.#stopped) return 0
    const committed = this.#commit()
    if (this.#log.failure !== null) return committed + this.#refuseAll(STORAGE_FAILED)
    if (!this.#published) return committed
    const decided = this.#decide()
    if (decided > 0) {
      this.#askForFlush()
      return decided + committed + this.#commit()
    }
    this.#askForFlush()
    return committed
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
    this.#log.append(entries.map(encodeEntry))
    for (const entry of entries) {
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
    const offset = Math.min(this.#log.durableOffset, first + this.#uncommitted.length)
    // The first image is the whole log's, so that nobody ever serves from half of it.
    if (!this.#published && offset < this.#log.endOffset) return 0
    invariant(offset >= first, 'what is durable stays durable')
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
