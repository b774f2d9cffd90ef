/**
 * The controller's agent, one on each broker of the quorum. Who leads the metadata log's group decides: requests in, decisions into the log, and, once a majority holds
 * them, deltas to every agent and then the responses. The others apply what is committed, and stand by. Runs on a broker's thread; it never blocks, and has no timer.
 */

import { invariant } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId, CellId, TenantId } from '../base/ids.ts'
import type { MetadataEntry } from '../image/entry.ts'
import type { ControllerRequest, ControllerResponse, MetadataMessage } from '../image/request.ts'
import { NOT_CONTROLLER, type Refusal, refuseAll, STORAGE_FAILED } from '../image/results.ts'
import { messagesOf } from '../image/snapshot.ts'
import { CommitQueue } from '../machine/commit-queue.ts'
import type { EntryLog } from '../machine/entry-log.ts'
import type { Decision } from '../machine/replicated-machine.ts'
import type { SnapshotStore } from '../machine/snapshot-store.ts'
import { TimelineRegistry } from '../machine/timeline.ts'
import { Announcements } from './announcements.ts'
import { decodeEntry, encodeEntry } from './entry-codec.ts'
import { ControllerMachine, type ControllerSettings } from './machine.ts'
import type { IdSources } from './new-ids.ts'
import { type CommitObserver, noteCommitted } from './note-committed.ts'
import { StartRefusedError } from './refused.ts'
import { MetadataSnapshots, type SnapshotSettings } from './snapshots.ts'
import { logTenantMade } from './tenant-log.ts'

/** Requests decided in one turn: what a flush or two then cover. */
const REQUESTS_PER_TURN = 32
/** Committed entries that one that follows, or has just been elected, applies in a turn. */
const APPLIED_PER_TURN = 4_096

/** With more changes that wait for their commit, nothing more goes of tenants that are deleted. */
const UNCOMMITTED_MAX = 10_000

export interface ControllerAgentOptions extends IdSources, CommitObserver {
  readonly log: EntryLog
  readonly clock: Clock
  readonly settings: ControllerSettings
  /** Sends to brokers first, then to fronts. */
  readonly publish: (message: MetadataMessage) => void
  /** Kept in place of the log's beginning; without, the log is kept whole. */
  readonly snapshots?: SnapshotSettings & { readonly store: SnapshotStore }
  /** Comes after `publish` of what the response tells. null: this is not the controller, and nothing was done. */
  readonly respond: (
    front: string,
    correlation: number,
    response: ControllerResponse | null,
  ) => void
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

/** `forms`: it leads, and what the cluster cannot be without is not committed yet. `publishes`: its image goes out, and stays as it is meanwhile. */
type Phase = 'follows' | 'forms' | 'publishes' | 'serves'

/** To whom an image goes that is published. */
const EVERYBODY = ''

export class ControllerAgent {
  readonly #options: ControllerAgentOptions
  readonly #log: EntryLog
  readonly #snapshots: MetadataSnapshots | null
  #settings: ControllerSettings
  #registry = new TimelineRegistry()
  #machine: ControllerMachine
  /** Up to which committed entries are applied. */
  #offset = 0
  readonly #announcements = new Announcements()
  readonly #parked = new CommitQueue<Parked>()
  #incoming: Incoming[] = []
  /** Appended in this term and not yet committed. */
  #uncommitted: MetadataEntry[] = []
  /** Directories that brokers have come with in vain. */
  readonly #refused = new Map<number, string>()
  #phase: Phase = 'follows'
  /** In which it leads; 0: it does not. */
  #term = 0
  #hasToldFew = false
  #stopped = false

  constructor(options: ControllerAgentOptions) {
    this.#options = options
    this.#log = options.log
    this.#settings = options.settings
    this.#machine = new ControllerMachine(this.#registry, options.settings, options)
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

  /** Position in the metadata log up to which committed entries are applied. */
  get offset(): number {
    return this.#offset
  }

  /** It leads, its image has been published, and requests are answered. */
  get serves(): boolean {
    return this.#phase === 'serves' && !this.#stopped
  }

  /** The term in which it serves; 0 where it does not. */
  get epoch(): number {
    return this.serves ? this.#term : 0
  }

  /** Changes that wait for their commit. */
  get uncommittedChanges(): number {
    return this.#registry.uncommittedChanges
  }

  /** What requests are decided by from the next turn on. */
  changeSettings(change: Pick<ControllerSettings, 'defaultPartitions' | 'brokerConfigs'>): void {
    this.#settings = { ...this.#settings, ...change }
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

  /**
   * One bounded turn; returns how much was done. Throws {@link StartRefusedError} on another number of brokers or cells or a newer format, and what the log
   * throws that is not the disk's.
   */
  doWork(nowMs: number): number {
    if (this.#stopped) return 0
    return this.#turn(nowMs) + this.#snapshot(nowMs)
  }

  #turn(nowMs: number): number {
    const { term } = this.#log
    const wasDeposed = term !== this.#term && this.#term !== 0 ? this.#depose() : 0
    this.#term = term
    if (this.#log.failure !== null)
      return wasDeposed + this.#onFailure() + this.#announcements.sendOne()
    const applied = this.#phase === 'follows' ? this.#follow(nowMs) : 0
    if (term === 0) return wasDeposed + applied + this.#handBack()
    // what is here and not applied was committed in an earlier term
    if (this.#phase === 'follows' && this.#isWhole) this.#form()
    if (this.#phase === 'follows') return wasDeposed + applied
    const committed = this.#announcements.areUnderWay ? 0 : this.#commit()
    if (this.#phase === 'forms' && this.#uncommitted.length === 0) this.#publishAll()
    const told = this.#announcements.sendOne()
    if (this.#announcements.areUnderWay) return wasDeposed + applied + committed + told
    if (this.#phase === 'publishes') this.#serve()
    const decided = this.#phase === 'serves' ? this.#decide() + this.#deleteMore() : 0
    return wasDeposed + applied + committed + told + decided
  }

  /**
   * The image, a message a turn, to an agent that joins later, `to`; deltas follow on it, and nothing is decided or answered before it is out. Of one that does not
   * lead, nothing: who is elected next tells everybody.
   */
  bringUpToDate(to: string, send: (message: MetadataMessage) => void): void {
    // it may have missed the beginning
    if (this.#phase === 'publishes') this.#publishAll()
    else if (this.serves) this.#announcements.begin(to, this.#messages(), send)
  }

  /** The same in one go: an agent that takes all of it before the next turn. */
  snapshot(): readonly MetadataMessage[] {
    return [...this.#messages()]
  }

  #messages(): IterableIterator<MetadataMessage> {
    return messagesOf(this.#machine.restate(), { epoch: this.#term, offset: this.#offset })
  }

  /** Fails what waits with NOT_CONTROLLER. What was appended and not committed may be there at the next start. */
  stop(): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#refuseAll(NOT_CONTROLLER)
    this.#registry.revert()
  }

  /** Whoever leads has all that was ever committed: it is applied here. */
  get #isWhole(): boolean {
    if (this.#snapshots?.isLoading) return false
    const offset = this.#offset
    const { endOffset } = this.#log
    if (offset <= endOffset) return offset === endOffset
    throw new StartRefusedError(
      `metadata log: the replica that leads ends at offset ${endOffset}, but its snapshot says what was before ${offset}: all logs have lost entries; restore one, or begin with another --data-dir`,
    )
  }

  /** A bounded bit of the snapshot that comes before the log, or of the log. */
  #follow(nowMs: number): number {
    const snapshots = this.#snapshots
    if (snapshots === null) return this.#apply()
    if (!snapshots.isLoading) {
      const offset = this.#offset
      if (!snapshots.precede(offset)) return this.#apply()
      if (!snapshots.begin(nowMs)) return offset < this.#log.startOffset ? 0 : this.#apply()
      this.#beginAnew()
    }
    const from = snapshots.load(APPLIED_PER_TURN, (entry) => this.#machine.replay(entry))
    if (from === null) return APPLIED_PER_TURN
    this.#offset = from
    this.#registry.commit(from)
    return 1
  }

  #beginAnew(): void {
    this.#registry = new TimelineRegistry()
    // what is replayed first is in both views at once: there was nothing before
    this.#registry.commit(1)
    this.#machine = new ControllerMachine(this.#registry, this.#settings, this.#options)
    this.#offset = 0
  }

  #snapshot(nowMs: number): number {
    const snapshots = this.#snapshots
    if (snapshots === null || snapshots.isLoading || this.#log.failure !== null) return 0
    return snapshots.doWork(nowMs, this.#offset, () => this.#machine.restate())
  }

  /** Takes over what is committed and not applied, a bounded bit of it. */
  #apply(): number {
    const first = this.#offset
    const offset = Math.min(this.#log.committedOffset, first + APPLIED_PER_TURN)
    if (offset <= first) return 0
    let applied = 0
    // committed before they are replayed: there is nothing to be undone
    this.#registry.commit(offset)
    this.#log.read(first, offset, (at, bytes) => {
      const entry = decodeEntry(bytes, at)
      this.#snapshots?.noted(at, bytes, entry)
      this.#registry.replaying(at)
      this.#machine.replay(entry)
      applied++
    })
    invariant(applied === offset - first, 'the metadata log has all that is committed')
    this.#offset = offset
    return applied
  }

  /** It leads, and has applied all there is: the cluster and the tenant `default` are made where they are not there. */
  #form(): void {
    const isFirst = this.#offset === 0
    const formed = this.#machine.form()
    if (formed.length > 0) {
      if (!this.#log.takesEntries) return
      try {
        this.#append(formed)
      } catch (error) {
        // nobody else will: the start fails
        if (!this.#onRefusedAppend(error)) throw error
        return
      }
    }
    this.#phase = 'forms'
    if (isFirst) this.#options.logger.log('info', 'cluster formed', this.#formed())
    for (const entry of formed)
      if (entry.kind === 'tenant-created') logTenantMade(this.#options.logger, entry)
  }

  #publishAll(): void {
    this.#phase = 'publishes'
    this.#announcements.begin(EVERYBODY, this.#messages(), this.#options.publish)
  }

  #serve(): void {
    this.#phase = 'serves'
    this.#logFewReplicas()
  }

  /** Its term is over: what it has appended may be committed by another, or not. */
  #depose(): number {
    this.#phase = 'follows'
    this.#announcements.drop()
    this.#uncommitted = []
    this.#registry.revert()
    return this.#failParked(NOT_CONTROLLER) + this.#handBack()
  }

  /** To who has asked one that does not lead. */
  #handBack(): number {
    const incoming = this.#incoming
    if (incoming.length === 0) return 0
    this.#incoming = []
    for (const { front, correlation } of incoming) this.#options.respond(front, correlation, null)
    return incoming.length
  }

  /** The log takes nothing more for now. */
  #onFailure(): number {
    const isFollowed = this.#log.giveUp()
    return (
      this.#failParked(STORAGE_FAILED) +
      (isFollowed ? this.#handBack() : this.#refuseIncoming(STORAGE_FAILED))
    )
  }

  #decide(): number {
    let decided = 0
    while (decided < REQUESTS_PER_TURN && this.#incoming.length > 0 && this.#log.takesEntries) {
      const incoming = this.#incoming.shift()!
      decided++
      const decision = this.#machine.decide(incoming)
      this.#logRegistration(incoming.request, decision)
      if (decision.entries.length > 0 && !this.#tryAppend(decision.entries, incoming)) continue
      this.#parked.park(this.#log.endOffset, { ...incoming, response: decision.response })
    }
    // what looked and changed nothing need not wait where nothing else does
    return decided > 0 ? decided + this.#commit() : 0
  }

  /** Tenants that are being deleted, bit by bit, whatever else is under way: no more than a majority keeps up with. */
  #deleteMore(): number {
    const { uncommittedChanges } = this.#registry
    if (uncommittedChanges > UNCOMMITTED_MAX || !this.#log.takesEntries) return 0
    const entries = this.#machine.deleteMore()
    if (entries.length === 0) return 0
    try {
      this.#append(entries)
    } catch (error) {
      this.#onRefusedAppend(error)
      return 0
    }
    return entries.length + this.#commit()
  }

  /** False when the disk refused: the log and the state are as before, and the request is answered, or is for the next controller. */
  #tryAppend(entries: readonly MetadataEntry[], incoming: Incoming): boolean {
    try {
      this.#append(entries)
      return true
    } catch (error) {
      const isFollowed = this.#onRefusedAppend(error)
      const { front, correlation, request } = incoming
      const response = isFollowed ? null : refuseAll(request, STORAGE_FAILED)
      this.#options.respond(front, correlation, response)
      return false
    }
  }

  /** Whether another is going to lead. */
  #onRefusedAppend(error: unknown): boolean {
    const reason = error instanceof Error ? error.message : String(error)
    this.#options.logger.log('error', 'metadata log: append failed', { reason })
    return this.#log.giveUp()
  }

  /** Append first, then replay: an append that throws leaves no trace. */
  #append(entries: readonly MetadataEntry[]): void {
    let offset = this.#log.endOffset
    const encoded = entries.map(encodeEntry)
    this.#log.append(encoded)
    for (const [at, entry] of entries.entries()) {
      this.#snapshots?.noted(offset, encoded[at]!, entry)
      this.#registry.replaying(offset++)
      this.#machine.replay(entry)
      this.#uncommitted.push(entry)
    }
  }

  /** Takes over what has been committed of this term: state, deltas, then responses. */
  #commit(): number {
    const first = this.#offset
    const offset = Math.min(this.#log.committedOffset, first + this.#uncommitted.length)
    invariant(offset >= first, 'what is committed stays committed')
    const entries = this.#uncommitted.splice(0, offset - first)
    if (entries.length > 0) {
      const { publish } = this.#options
      if (this.#phase === 'serves') noteCommitted(this.#options, this.#machine.state, entries)
      this.#offset = offset
      this.#registry.commit(offset)
      const epoch = this.#term
      if (this.#phase === 'serves') publish({ kind: 'metadata', epoch, first, offset, entries })
    }
    const responses = this.#parked.commit(offset, ({ front, correlation, response }) => {
      this.#options.respond(front, correlation, response)
    })
    return entries.length + responses
  }

  /** Answers everything that waits with `refusal`; whether what was appended survives is then unknown. */
  #refuseAll(refusal: Refusal): number {
    return this.#failParked(refusal) + this.#refuseIncoming(refusal)
  }

  #failParked(refusal: Refusal): number {
    return this.#parked.fail((parked) => this.#refuse(parked, refusal))
  }

  #refuseIncoming(refusal: Refusal): number {
    const incoming = this.#incoming
    this.#incoming = []
    for (const one of incoming) this.#refuse(one, refusal)
    return incoming.length
  }

  #refuse({ front, correlation, request }: Incoming, refusal: Refusal): void {
    this.#options.respond(front, correlation, refuseAll(request, refusal))
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
    if (this.#hasToldFew) return
    this.#hasToldFew = true
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
}

/**
 * In which life a broker is, as entries tell that were written by a controller without others; 0: they do not tell. `visit` calls for each of them, in order: an old log is larger
 * than what fits into memory.
 */
export function lifeIn(
  visit: (each: (offset: number, bytes: Uint8Array) => void) => void,
  cellId: CellId,
  brokerId: BrokerId,
): number {
  let life = 0
  visit((offset, bytes) => {
    const entry = decodeEntry(bytes, offset)
    if (entry.kind !== 'broker-directory') return
    if (entry.cellId === cellId && entry.brokerId === brokerId) life = entry.life
  })
  return life
}
