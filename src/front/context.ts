import type { Clock } from '../base/clock.ts'
import type { BrokerId, CellId, TenantId } from '../base/ids.ts'
import type { Logger } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { TimerQueue } from '../base/timer-queue.ts'
import type { BrokerProxy } from '../cell/broker-proxy.ts'
import type { BrokerQuestions } from '../cell/broker-questions.ts'
import type { BufferPool } from '../cell/buffer-pool.ts'
import type { ControllerClient } from '../cell/controller-client.ts'
import type { Dispatcher } from '../cell/dispatcher.ts'
import type { SegmentReader } from '../cell/segment-reader.ts'
import type { TailReaders } from '../cell/tail-reader.ts'
import { type BrokerConfigLayers, fixedLayers } from '../image/config-layers.ts'
import type { ConfigValues } from '../image/topic-config.ts'
import type { MetadataView } from '../image/view.ts'
import type { DescribedLog, DescribedProducer, QuorumView } from '../link/control.ts'
import type { ToldHoldings } from '../link/tenant-holdings.ts'
import type { TopicCounts } from '../link/topic-counts.ts'
import type { KafkaConnection } from '../net/connection.ts'
import type { InFlightBudget } from '../net/in-flight.ts'
import { OwnerCount } from '../net/owner-counts.ts'
import type { ReplySlot } from '../net/reply-slot.ts'
import type { Api, RequestOf, ResponseInputOf } from '../protocol/api.ts'
import { encodeResponse } from '../protocol/codec.ts'
import type { Entity } from '../protocol/entity.ts'
import type { EncodedFrame } from '../protocol/frame-writer.ts'
import type { Authorizers } from '../tenant/authorizers.ts'
import { ClientRights } from '../tenant/client-rights.ts'
import type { RequiredAcl } from '../tenant/required-acls.ts'
import type { SaslCrypto } from '../tenant/sasl-crypto.ts'
import type { Session, Sessions } from '../tenant/session.ts'
import type { UserShapes } from '../tenant/user-shapes.ts'
import type { PinLedger } from './budget.ts'
import type { Deadlines } from './deadlines.ts'
import type { FetchSessions } from './fetch-sessions.ts'
import type { FrontCounters, TenantCounts } from './front-counters.ts'
import type { HeavyRequests } from './heavy-requests.ts'
import type { HeldLooks } from './held-looks.ts'
import type { InternalTopics } from './internal-topics.ts'
import type { LeaderMoves } from './leader-moves.ts'
import type { Logins } from './logins.ts'
import type { ParkedFetches } from './parked-fetches.ts'
import type { PendingProduces } from './pending-produce.ts'
import type { ProducerIds } from './producer-ids.ts'
import type { ReadAheads, Reading } from './read-ahead.ts'
import type { RecordPool } from './record-pool.ts'
import type { ReplyGate } from './reply-gate.ts'
import type { SaslGate, SaslProgress } from './sasl-gate.ts'
import type { SlowLanes } from './slow-lanes.ts'
import type { TenantConnections } from './tenant-connections.ts'
import type { TimestampReads } from './timestamp-lookup.ts'

export interface FrontSettings {
  /** The engine's data directory: segment files are found below it. */
  readonly dataRoot: string
  /** `auto.create.topics.enable`. */
  readonly autoCreateTopics: boolean
  /** Broker configs that the engine was started with. */
  readonly brokerConfigs: ConfigValues
  /** Tail reads from this size on go out of shared memory without a copy. */
  readonly zeroCopyBytesMin: number
  /** Fetch sessions kept per tenant (`max.incremental.fetch.session.cache.slots`). */
  readonly fetchSessionsMax: number
}

export const defaultFrontSettings: Omit<FrontSettings, 'dataRoot'> = {
  autoCreateTopics: true,
  brokerConfigs: {},
  zeroCopyBytesMin: 4 * 1024,
  fetchSessionsMax: 1000,
}

export interface ProducersAnswer {
  readonly error: number
  readonly producers: readonly DescribedProducer[]
}

/** What handlers work with: all of one front's, on its thread. */
export interface FrontServices {
  readonly image: MetadataView
  readonly dispatcher: Dispatcher
  readonly controller: ControllerClient
  /** What tenants hold, as brokers have told. */
  readonly holdings: ToldHoldings
  readonly producers: BrokerQuestions<ProducersAnswer>
  readonly logSizes: BrokerQuestions<readonly DescribedLog[]>
  /** Up to where brokers have the metadata log, and who keeps it. */
  readonly quorumViews: BrokerQuestions<QuorumView>
  readonly leaderMoves: LeaderMoves
  readonly tails: TailReaders
  readonly segments: SegmentReader
  readonly fileBuffers: BufferPool
  readonly readAheads: ReadAheads
  /** The buffer that a broker's ring logs lie in; null where it is not in this process. */
  readonly arenaOf: (proxy: BrokerProxy) => SharedArrayBuffer | null
  readonly requests: InFlightBudget
  readonly heavy: HeavyRequests
  readonly pins: PinLedger
  readonly replyGate: ReplyGate
  readonly fetches: ParkedFetches
  readonly heldLooks: HeldLooks
  readonly fetchSessions: FetchSessions
  readonly produces: PendingProduces
  readonly producerIds: ProducerIds
  readonly sessions: Sessions
  readonly authorizers: Authorizers
  readonly crypto: SaslCrypto
  readonly userShapes: UserShapes
  readonly sasl: SaslGate
  readonly logins: Logins
  readonly tenantConnections: TenantConnections
  readonly internalTopics: InternalTopics
  readonly records: RecordPool
  readonly timestampReads: TimestampReads
  readonly clock: Clock
  /** What ids of a tenant are drawn from. */
  readonly randomFor: (tenantId: TenantId) => Random
  readonly logger: Logger
  readonly timers: TimerQueue
  readonly deadlines: Deadlines
  readonly settings: FrontSettings
  readonly counters: FrontCounters
  /** Fetches by topic: partitions and bytes in answers. */
  readonly topicCounts: TopicCounts
  /** Sends replies that have become ready outside of a turn (a file was read, the pool has answered). */
  readonly afterCallback: () => void
  /** Other threads will work for about `ms` for this client: see `work-elsewhere.ts`. */
  readonly elsewhere: (client: KafkaConnection, ms: number) => void
  /** APIs that have a handler. */
  readonly served: readonly Api[]
}

/** A request that waits. */
export interface OpenRequest {
  onConnectionClosed(): void
  answerNow(): void
}

/** What a front keeps per connection. */
export interface ConnectionState {
  session: Session
  /** `new`: it has said nothing that would tell whose it is; `sasl`: it is about to prove that; `known`: the session is its own. */
  phase: 'new' | 'sasl' | 'known'
  /** An authentication that is under way. */
  sasl: SaslProgress | null
  /** Of the session; null until it is asked for. */
  rights: ClientRights | null
  /** Of the session's tenant. */
  counts: TenantCounts
  /** Requests that must be told when the connection goes, or waits for nothing more. */
  readonly open: Set<OpenRequest>
  /** Those of them that are still to be told that they hold up their own connection; null when none are. */
  relieving: Iterator<OpenRequest> | null
  /** Null until segment files are read. */
  reading: Reading | null
  /** Null until a produce needs it. */
  slowLanes: SlowLanes | null
}

/** One request on its way to its reply. */
export class RequestContext<A extends Api = Api> {
  readonly services: FrontServices
  readonly connection: KafkaConnection
  readonly state: ConnectionState
  readonly slot: ReplySlot
  readonly api: A
  readonly version: number
  readonly correlationId: number
  readonly clientId: string
  readonly frameBytes: number
  /** Monotonic microseconds, an int32 that wraps. */
  readonly #arrivedUs: number

  constructor(
    services: FrontServices,
    state: ConnectionState,
    slot: ReplySlot,
    api: A,
    header: {
      readonly apiVersion: number
      readonly correlationId: number
      readonly clientId: string
    },
    frameBytes: number,
  ) {
    this.services = services
    this.connection = slot.connection
    this.state = state
    this.slot = slot
    this.api = api
    this.version = header.apiVersion
    this.correlationId = header.correlationId
    this.clientId = header.clientId
    this.frameBytes = frameBytes
    this.#arrivedUs = slot.connection.arrivedUs
  }

  get session(): Session {
    return this.state.session
  }

  /** What the client may do. */
  get rights(): ClientRights {
    const { state, services, connection } = this
    state.rights ??= new ClientRights(services.authorizers, state.session, connection.remoteAddress)
    return state.rights
  }

  /** Whether the client has the right `required` on `name`; without a name, on the cluster. */
  may(required: RequiredAcl, name?: string): boolean {
    return this.rights.may(required, name)
  }

  /** The cell that the session's tenant lives in. */
  get cellId(): CellId {
    return (this.services.image.tenant(this.session.tenantId)?.cellId ?? 1) as CellId
  }

  /** What the node that was asked goes by for the session's tenant. */
  get brokerConfigs(): BrokerConfigLayers {
    const { image, settings } = this.services
    const { nodeId } = this.connection.listener
    const tenant = image.tenant(this.session.tenantId)
    const fixed = settings.brokerConfigs
    // those of the image are as they were at the start; the front's follow what is read again
    return tenant === undefined
      ? fixedLayers(fixed)
      : { ...tenant.brokerConfigs(nodeId as BrokerId), fixed }
  }

  /** Sends the answer; `onDrained` is called once memory that it refers to is no longer needed. */
  reply(response: ResponseInputOf<A>, onDrained: (() => void) | null = null): void {
    if (this.connection.closed) {
      onDrained?.()
      return
    }
    const frame = this.#encode(response)
    if (frame !== null) {
      this.#count(frame.byteLength, response)
      this.slot.send(frame, onDrained)
    } else onDrained?.()
  }

  /** The client wants no answer (acks=0). */
  replyNothing(): void {
    this.#count(0, null)
    this.slot.skip()
  }

  /** Cannot be answered: the connection is closed when this request's turn comes. Throws nothing. */
  fail(error: number, reason: string): void {
    const { counters } = this.services
    this.#count(0, null)
    counters.failed(this.state.counts, this.api.key, error)
    this.connection.owner.counts[OwnerCount.ERRORS]!++
    this.slot.closeConnection(reason)
  }

  #count(responseBytes: number, response: unknown): void {
    const { counters } = this.services
    const timeUs = counters.since(this.#arrivedUs)
    const { counts } = this.state
    const { key } = this.api
    const errors = counters.answered(counts, key, timeUs, this.frameBytes, responseBytes, response)
    if (errors > 0) this.connection.owner.counts[OwnerCount.ERRORS]! += errors
  }

  /** null for a bug of ours, outside of the router's reach: this client loses its connection, everybody else goes on. */
  #encode(response: ResponseInputOf<A>): EncodedFrame | null {
    try {
      return encodeResponse(this.api, this.version, this.correlationId, response)
    } catch (error) {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.services.logger.log('error', 'a reply could not be encoded', { error: message })
      this.slot.closeConnection('its reply could not be encoded')
      return null
    }
  }
}

export interface Handler<A extends Api> {
  readonly api: A
  /** What its requests name and this handler looks up within the session's tenant, or has no use for. */
  readonly scopes: readonly Entity[]
  /** `frame`, the request as it came, lives as long as the request's own views. */
  handle(request: RequestOf<A>, context: RequestContext<A>, frame: Uint8Array): void
}

export type AnyHandler = Handler<Api>

/** Forgets which API a handler is for, so that handlers fit in one table. */
export const handler = <A extends Api>(definition: Handler<A>): AnyHandler =>
  definition as unknown as AnyHandler
