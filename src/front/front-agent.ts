import type { Clock } from '../base/clock.ts'
import { asBrokerId, asCellId, type BrokerId, type FrontId, type TenantId } from '../base/ids.ts'
import type { Logger } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { TimerQueue } from '../base/timer-queue.ts'
import type { BrokerProxy, MemberProxy } from '../cell/broker-proxy.ts'
import { BrokerQuestions } from '../cell/broker-questions.ts'
import { BufferPool } from '../cell/buffer-pool.ts'
import { ControllerClient } from '../cell/controller-client.ts'
import { Dispatcher } from '../cell/dispatcher.ts'
import type { SegmentFiles } from '../cell/segment-files.ts'
import {
  defaultSegmentReaderLimits,
  SegmentReader,
  type SegmentReaderLimits,
} from '../cell/segment-reader.ts'
import { TailReaders } from '../cell/tail-reader.ts'
import { applyMetadata } from '../image/apply-metadata.ts'
import type { MetadataImage } from '../image/image.ts'
import type { LeadersMessage, MetadataMessage } from '../link/control.ts'
import { FrontCounter } from '../link/counters.ts'
import { brokerPeer, type ControlEnvelope, type ControlPort, type PeerName } from '../link/ports.ts'
import { ToldHoldings } from '../link/tenant-holdings.ts'
import { TenantUse, type UseRows } from '../link/tenant-use.ts'
import { TopicCounts } from '../link/topic-counts.ts'
import { type ConnectionLimits, ConnectionSet, defaultLimits } from '../net/connection-set.ts'
import { InFlightBudget } from '../net/in-flight.ts'
import type { KafkaListener } from '../net/kafka-listener.ts'
import { Owners } from '../net/owner.ts'
import { RateLimitedLog } from '../net/rate-limited-log.ts'
import type { TurnOptions } from '../net/read-turns.ts'
import { ReplyBudget } from '../net/reply-budget.ts'
import { type Admission, admitAll } from '../tenant/admission.ts'
import type { SaslCrypto } from '../tenant/sasl-crypto.ts'
import { PinLedger } from './budget.ts'
import type { FrontServices, FrontSettings } from './context.ts'
import { Deadlines } from './deadlines.ts'
import { FetchSessions } from './fetch-sessions.ts'
import { type FrontCounterRows, FrontCounters } from './front-counters.ts'
import { servedApis } from './handlers.ts'
import { HeavyRequests } from './heavy-requests.ts'
import { HeldLooks } from './held-looks.ts'
import { InternalTopics } from './internal-topics.ts'
import { LeaderMoves } from './leader-moves.ts'
import { Logins } from './logins.ts'
import { ParkedFetches } from './parked-fetches.ts'
import { PendingProduces } from './pending-produce.ts'
import { ProduceFrames } from './produce-frames.ts'
import { ProducerIds } from './producer-ids.ts'
import { ReadAheads } from './read-ahead.ts'
import type { RecordPool } from './record-pool.ts'
import { ReplyGate } from './reply-gate.ts'
import { RequestRouter } from './request-router.ts'
import { makeTenancy, onEntries, onWholeImage } from './tenancy.ts'
import { TimestampReads } from './timestamp-lookup.ts'

export interface FrontAgentOptions {
  readonly frontId: FrontId
  /** This thread's image: the agent applies what the controller publishes. */
  readonly image: MetadataImage
  readonly proxies: readonly MemberProxy[]
  /** The buffer of a broker's ring logs; null where it is not in this process. */
  readonly arenaOf: (proxy: BrokerProxy) => SharedArrayBuffer | null
  readonly control: ControlPort
  readonly clock: Clock
  readonly crypto: SaslCrypto
  /** Passwords that are hashed at a time, each on a thread of its own: 2 unless given. */
  readonly loginsAtOnce?: number
  readonly turns?: TurnOptions
  /** Ids that clients see are drawn per tenant, each from a stream of its own or from one that nobody can follow. */
  readonly randomFor: (tenantId: TenantId) => Random
  readonly logger: Logger
  readonly files: SegmentFiles
  readonly segmentLimits?: SegmentReaderLimits
  readonly records: RecordPool
  readonly settings: FrontSettings
  readonly limits?: ConnectionLimits
  readonly admission?: Admission
  /** Cap of bytes in flight over all connections: half for requests, half for replies. */
  readonly inFlightBytes: number
  /** Memory for frames of large produce requests, which the brokers of `proxies` see; null: all are copied. */
  readonly frames?: SharedArrayBuffer | null
  /** Cap of buffers for file reads and copies of large tail reads. */
  readonly fileReadBytes: number
  /** Where this front counts; null: nowhere. */
  readonly counters?: FrontCounterRows | null
  /** Where it counts what each tenant uses; null: nowhere. */
  readonly use?: UseRows | null
  /** Has this thread's garbage collected, at once; without it that is left to the engine. */
  readonly collectGarbage?: () => void
  /** Asks for a turn: something became due outside of one. */
  readonly kick: () => void
  /** Asks for a turn that looks for the answers that {@link FrontAgent.isAnswerDue} tells of, where that is worth it. */
  readonly kickForAnswer?: () => void
  /** Control messages that are none of the front's own. */
  readonly onControl?: (envelope: ControlEnvelope) => void
}

const CONTROL_PER_TURN = 256
/** Each may answer or close a connection; requests come in between. */
const TIMERS_PER_TURN = 32
const SWEEP_MS = 30_000
/** With commands that wait for room and no reply due, the rings are looked at again after this. */
const RETRY_MS = 1

const FEW_ANSWERS = 2

/** The Kafka front: everything between sockets and brokers, as one agent. Runs on its thread's event loop. */
export class FrontAgent {
  readonly connections: ConnectionSet
  readonly services: FrontServices
  readonly frames: ProduceFrames | null
  readonly #options: FrontAgentOptions
  readonly #listeners = new Set<KafkaListener>()
  #stopping = false
  #parkedSinceMs = Number.POSITIVE_INFINITY
  /** The next timer as the last turn left it: what drives this agent knows of none that is earlier. */
  #knownTimerAtMs = Number.POSITIVE_INFINITY

  constructor(options: FrontAgentOptions) {
    this.#options = options
    const { clock, logger, frames = null } = options
    this.frames = frames === null ? null : new ProduceFrames(frames)
    const budget = new InFlightBudget(Math.floor(options.inFlightBytes / 2))
    const replies = new ReplyBudget(Math.floor(options.inFlightBytes / 2))
    const limits = options.limits ?? defaultLimits
    const owners = new Owners(() => options.image.tenantCount > 1, options.use?.shared[0])
    this.services = makeServices(
      options,
      { budget, replies, limits, owners },
      {
        afterCallback: () => this.#afterCallback(),
        elsewhere: ({ owner }, ms) => this.connections.turns.elsewhere(owner, ms),
      },
    )
    const router = new RequestRouter({
      services: this.services,
      admission: options.admission ?? admitAll,
      onReadEnd: () => this.#sendOn(),
    })
    this.connections = new ConnectionSet({
      sink: router,
      clock,
      logger,
      ...{ budget, replies, limits, owners },
      ownerOf: (tenantId) => this.services.tenantConnections.ownerOf(tenantId),
      counts: this.services.counters.net,
      turns: options.turns,
      sharedFrames: this.frames,
    })
    this.#scheduleSweep(clock.monotonicMs())
  }

  /** Goes by this from the next request on. */
  changeSettings(change: Pick<FrontSettings, 'autoCreateTopics' | 'brokerConfigs'>): void {
    Object.assign(this.services.settings, change)
  }

  /** Has the listener closed when the front stops; at once where it has. */
  addListener(listener: KafkaListener): void {
    if (this.#stopping) listener.stopAccepting()
    else this.#listeners.add(listener)
  }

  /** Its connections stay. */
  dropListener(listener: KafkaListener): void {
    this.#listeners.delete(listener)
    listener.stopAccepting()
  }

  /** One turn: control messages, replies, timers, woken fetches; returns how much was done. */
  doWork(nowMs: number): number {
    const { services, connections } = this
    services.counters.beginTurn(nowMs)
    let work = this.#drainControl()
    work += services.dispatcher.doWork(nowMs)
    work += services.timers.fireDue(nowMs, TIMERS_PER_TURN)
    work += services.deadlines.fireDue(nowMs)
    work += services.fetches.resumeReady()
    work += connections.resumeYielded()
    if (connections.nextLogAtMs <= nowMs) connections.flushLog(nowMs)
    if (connections.nextIdleAtMs <= nowMs) work += connections.closeIdle(nowMs)
    if (services.segments.nextIdleAtMs <= nowMs) services.segments.closeIdle(nowMs)
    work += this.#relieve(nowMs)
    connections.flush()
    services.dispatcher.flush()
    this.#parkedSinceMs = services.dispatcher.parkedCommands > 0 ? nowMs : Number.POSITIVE_INFINITY
    this.#knownTimerAtMs = this.nextTimerAtMs
    services.counters.endTurn()
    return work + (this.#hasWork ? 1 : 0)
  }

  /** Brokers are at work on a command or two: with more, one wake-up serves many answers, and requests come meanwhile. */
  get isAnswerDue(): boolean {
    const due = this.services.dispatcher.answersDue
    return due > 0 && due <= FEW_ANSWERS
  }

  /** Whether the next turn finds an answer of a broker. */
  hasAnswer(): boolean {
    return this.services.dispatcher.hasReplies
  }

  /** Monotonic milliseconds of the next turn that is due even if nothing comes. */
  get nextTimerAtMs(): number {
    const { timers, deadlines, segments, replyGate, dispatcher } = this.services
    return Math.min(
      timers.nextAtMs,
      dispatcher.nextTimerAtMs,
      deadlines.nextAtMs,
      this.connections.nextIdleAtMs,
      this.connections.nextLogAtMs,
      segments.nextIdleAtMs,
      this.connections.budget.nextReliefAtMs,
      replyGate.isShort ? this.connections.nextStuckAtMs : Number.POSITIVE_INFINITY,
      this.#parkedSinceMs + RETRY_MS,
      this.connections.nextTurnAtMs,
    )
  }

  /**
   * Accepts no more, answers long polls with what there is, and closes every connection once what it has asked for is
   * answered and sent; {@link stopped} tells when. Go on calling `doWork` until then.
   */
  stop(): void {
    if (this.#stopping) return
    this.#stopping = true
    for (const listener of this.#listeners) listener.stopAccepting()
    this.services.fetches.answerAll()
    this.connections.finishAll()
    this.#afterCallback()
  }

  get stopped(): boolean {
    return this.#stopping && this.connections.size === 0 && this.services.produces.size === 0
  }

  /** Cuts what is left: the time to stop is up, or {@link stopped}. */
  close(): void {
    this.stop()
    this.connections.closeAll()
    this.services.segments.close()
  }

  /** Stores what is looked up now and then rather than counted as it happens: call it now and then. */
  sampleGauges(): void {
    const { services, connections } = this
    const { own } = services.counters
    own[FrontCounter.IN_FLIGHT_BYTES_NOW] =
      connections.budget.usedBytes + connections.replies.usedBytes
    own[FrontCounter.CONNECTIONS_WAITING_NOW] = connections.budget.waiting
    own[FrontCounter.FETCHES_PARKED_NOW] = services.fetches.size
    own[FrontCounter.FETCH_SESSIONS_NOW] = services.fetchSessions.size
    own[FrontCounter.PRODUCES_PENDING_NOW] = services.produces.size
    own[FrontCounter.PINNED_BYTES_NOW] = services.pins.ringBytes
    own[FrontCounter.FILE_BUFFER_BYTES_NOW] = services.fileBuffers.outBytes
    own[FrontCounter.COMMANDS_PARKED_NOW] = services.dispatcher.parkedCommands
    const { produces, fetches, others } = services.dispatcher.heldCounts
    own[FrontCounter.HELD_PRODUCES] = produces
    own[FrontCounter.HELD_FETCHES] = fetches
    own[FrontCounter.HELD_OTHERS] = others
  }

  /** Long polls hold memory that others wait for: a poll can as well be answered before its time. */
  get #mustAnswerFetches(): boolean {
    const { budget } = this.connections
    return budget.waiting > 0 && this.services.fetches.heldBytes * 4 > budget.capacityBytes
  }

  /** Memory that clients hold and do nothing with is given to those who wait for it. */
  #relieve(nowMs: number): number {
    const { connections, services } = this
    let closed = connections.budget.relieve(nowMs) + connections.relieveFull()
    if (this.#mustAnswerFetches) {
      closed += services.fetches.answerOldest(connections.budget.capacityBytes >> 2)
    }
    if (!services.replyGate.isShort) return closed
    if (services.readAheads.dropAll() > 0) services.replyGate.onRoom()
    return closed + connections.closeStuck(nowMs)
  }

  get #hasWork(): boolean {
    const { fetches, dispatcher } = this.services
    const { hasFull, nextTurnAtMs, turns } = this.connections
    if (hasFull || turns.isBusy || nextTurnAtMs <= this.services.clock.monotonicMs()) return true
    return fetches.hasReady || dispatcher.hasWork || this.#mustAnswerFetches
  }

  /** What requests have asked for goes out; what became due on the spot gets a turn. */
  #sendOn(): void {
    this.services.dispatcher.flush()
    const isSooner = this.nextTimerAtMs < this.#knownTimerAtMs
    // a turn sets the time at which they are looked at again: each with one of its own would leave no core to who makes room
    const isNewlyParked =
      this.services.dispatcher.parkedCommands > 0 &&
      this.#parkedSinceMs === Number.POSITIVE_INFINITY
    if (isSooner || isNewlyParked || this.#hasWork) this.#options.kick()
    if (this.isAnswerDue) this.#options.kickForAnswer?.()
  }

  #afterCallback(): void {
    this.connections.flush()
    this.#sendOn()
  }

  #drainControl(): number {
    let count = 0
    for (; count < CONTROL_PER_TURN; count++) {
      const envelope = this.#options.control.poll()
      if (envelope === undefined) break
      this.#onControl(envelope)
    }
    return count
  }

  #onControl(envelope: ControlEnvelope): void {
    const { message } = envelope
    const { dispatcher, controller } = this.services
    switch (message.kind) {
      case 'metadata':
        // what comes from one that leads no more is ignored
        this.#onMetadata(envelope.from, message)
        break
      case 'controller-response':
        controller.onResponse(message.correlation, message.response)
        break
      case 'coordinated':
        proxyOf(dispatcher, message)?.onCoordinated(message.heads, message.bytes)
        break
      case 'producers':
        this.services.producers.onAnswer(message.correlation, message)
        break
      case 'log-sizes':
        this.services.logSizes.onAnswer(message.correlation, message.logs)
        break
      case 'quorum':
        this.services.quorumViews.onAnswer(message.correlation, message.quorum)
        break
      case 'leadership-moved':
        this.services.leaderMoves.onAnswer(message.correlation, message.error)
        break
      case 'leaders':
        this.#onLeaders(message)
        break
      case 'tenant-holdings':
        this.services.holdings.onTold(message)
        break
      case 'broker-hung':
        dispatcher.setHung(asCellId(message.cellId), asBrokerId(message.brokerId), message.isHung)
        break
      case 'broker-gone': {
        proxyOf(dispatcher, message)?.markGone()
        this.services.tails.forget(asBrokerId(message.brokerId))
        this.services.producers.failDead()
        this.services.logSizes.failDead()
        this.services.quorumViews.failDead()
        this.services.leaderMoves.failDead()
        controller.markGone(brokerPeer(asCellId(message.cellId), asBrokerId(message.brokerId)))
        break
      }
      default:
        this.#options.onControl?.(envelope)
    }
  }

  #onMetadata(from: PeerName, message: MetadataMessage): void {
    const { controller } = this.services
    const { image } = this.#options
    let isWhole = false
    const isNews = applyMetadata(image, message, () => {
      isWhole = true
    })
    // what comes from one that leads no more is ignored
    if (!isNews) return
    controller.onController(from, message.epoch)
    this.services.holdings.onEntries(message.entries)
    if (isWhole) {
      this.services.holdings.prune()
      onWholeImage(this.services, image)
    } else if (!image.isBegunAnew) onEntries(this.services, message.entries)
  }

  #onLeaders({ cellId, leaders }: LeadersMessage): void {
    const { dispatcher } = this.services
    for (const { partition, leader, leaderEpoch, isr, isLost } of leaders) {
      const told = { leader: leader as BrokerId, leaderEpoch, isr: isr as BrokerId[], isLost }
      if (!this.#options.image.noteLeader(partition, told)) continue
      dispatcher.onLeader(asCellId(cellId), partition)
    }
  }

  /** What is kept of a tenant goes with it. */
  #forgetGone(): void {
    const { counters, fetchSessions, producerIds } = this.services
    const { image } = this.#options
    for (const kept of [counters, fetchSessions, producerIds]) {
      kept.forgetTenants((tenantId) => image.tenant(tenantId) === undefined)
    }
  }

  #scheduleSweep(nowMs: number): void {
    this.services.timers.schedule(nowMs + SWEEP_MS, (firedAtMs) => {
      this.services.readAheads.dropAll()
      this.services.tenantConnections.sweep()
      this.#forgetGone()
      this.services.tails.sweep(firedAtMs - 2 * SWEEP_MS)
      this.services.authorizers.sweep()
      this.#scheduleSweep(firedAtMs)
    })
  }
}

const proxyOf = (
  { proxies }: Dispatcher,
  of: { readonly cellId: number; readonly brokerId: number },
): BrokerProxy | undefined =>
  proxies.find(({ cellId, brokerId }) => cellId === of.cellId && brokerId === of.brokerId)

/** What connections share. */
interface Shared {
  readonly budget: InFlightBudget
  readonly replies: ReplyBudget
  readonly limits: ConnectionLimits
  readonly owners: Owners
}

function makeServices(
  options: FrontAgentOptions,
  { budget: requests, replies, limits, owners }: Shared,
  callbacks: Pick<FrontServices, 'afterCallback' | 'elsewhere'>,
): FrontServices {
  const { image, clock, randomFor, logger, settings, records, arenaOf } = options
  const segmentLimits = options.segmentLimits ?? defaultSegmentReaderLimits
  const segments = new SegmentReader(options.files, segmentLimits)
  const fileBuffers = new BufferPool(options.fileReadBytes)
  const replyGate = new ReplyGate(replies, fileBuffers, limits.connectionBytesMax)
  replies.onRoom = () => replyGate.onRoom()
  const timers = new TimerQueue()
  const controller = new ControllerClient({ control: options.control, clock, timers })
  const collectGarbage = options.collectGarbage ?? (() => {})
  const brokersMax = options.proxies.reduce((max, { brokerId }) => Math.max(max, brokerId), 0)
  return {
    image,
    dispatcher: new Dispatcher(image, options.proxies, clock),
    controller,
    holdings: new ToldHoldings((tenantId) => image.tenant(tenantId) !== undefined),
    producers: new BrokerQuestions(options.control),
    logSizes: new BrokerQuestions(options.control),
    quorumViews: new BrokerQuestions(options.control),
    leaderMoves: new LeaderMoves(options.control),
    tails: new TailReaders(options.frontId),
    segments,
    fileBuffers,
    readAheads: new ReadAheads(fileBuffers, segments),
    arenaOf,
    requests,
    heavy: new HeavyRequests({ budget: requests, timers, clock, collectGarbage }),
    pins: new PinLedger(Math.floor(options.inFlightBytes / 2)),
    replyGate,
    fetches: new ParkedFetches(),
    heldLooks: new HeldLooks(),
    fetchSessions: new FetchSessions(settings.fetchSessionsMax, randomFor),
    produces: new PendingProduces(),
    producerIds: new ProducerIds(controller),
    ...makeTenancy(
      { ...options, shares: { owners, use: new TenantUse(options.use ?? null) } },
      timers,
    ),
    logins: new Logins({ clock, timers, connectionsMax: limits.connectionsMax ?? 1e9 }),
    internalTopics: new InternalTopics(
      image,
      controller,
      settings.brokerConfigs,
      new RateLimitedLog(logger, clock),
    ),
    records,
    timestampReads: new TimestampReads(),
    clock,
    randomFor,
    logger,
    timers,
    deadlines: new Deadlines(),
    // of its own: it may change
    settings: { ...settings },
    topicCounts: new TopicCounts(image),
    counters: new FrontCounters(options.counters ?? null, servedApis, brokersMax, clock),
    ...callbacks,
    served: servedApis,
  }
}
