/** A broker's worker: the broker agent, and where it keeps the metadata a controller, in a blocking duty cycle. */
import { BrokerState } from '../base/broker-beat.ts'
import { asBrokerId, asCellId, asFrontId } from '../base/ids.ts'
import type { Logger } from '../base/log.ts'
import { brokerPath } from '../base/paths.ts'
import { BrokerAgent } from '../broker/broker-agent.ts'
import type { CounterRows } from '../broker/broker-counters.ts'
import { coordinatorKinds } from '../broker/coordinator-kinds.ts'
import { openDirectoryIdentity } from '../broker/directory-identity.ts'
import { openBrokerEnvironment } from '../broker/environment.ts'
import { FlushClient } from '../broker/flush-client.ts'
import type { FrontRings } from '../broker/front-link.ts'
import { TopicNamingLogger } from '../broker/topic-naming-logger.ts'
import type { ControllerAgent, ControllerAgentOptions } from '../controller/agent.ts'
import type { BrokerBack, ControllerResponse, ControlMessage } from '../link/control.ts'
import { BrokerGauge } from '../link/counters.ts'
import {
  brokerPeer,
  type ControlEnvelope,
  frontPeer,
  type PolledPorts,
  SERVER_PEER,
} from '../link/ports.ts'
import type { LogEnvironment } from '../log/environment.ts'
import { Arena } from '../shared/arena.ts'
import { BeatReader, BeatWriter } from '../shared/broker-beats.ts'
import { CounterWriter } from '../shared/counter-table.ts'
import { DoorbellRinger } from '../shared/doorbell.ts'
import { RingReader } from '../shared/ring-reader.ts'
import { RingWriter } from '../shared/ring-writer.ts'
import { ThreadState } from '../shared/thread-status.ts'
import { UseTableWriter } from '../shared/use-table.ts'
import { brokerDisk, isFullOnDemand, onChaos } from './broker-chaos.ts'
import { brokerConfigValues } from './broker-configs.ts'
import { brokerRings, connectSuccessor } from './broker-peers.ts'
import { askController, OWN_THREAD, type Registering, registers } from './broker-registration.ts'
import { KEEP_AFTER_MS } from './code-cache.ts'
import { brokerRow, defaultTenantRow } from './counter-rows.ts'
import { diskMarkBytes, isAloneOnDisk, reserveFileBytes } from './disk-mark.ts'
import { type Agent, runDutyCycle } from './duty-cycle.ts'
import { HeapTrim } from './heap-trim.ts'
import {
  metadataFiles,
  refuseForeignDirectory,
  refuseKnownDirectory,
  snapshotSettings,
} from './metadata-files.ts'
import { traceStart } from './start-trace.ts'
import { SystemRandom } from './system-random.ts'
import {
  brokerBells,
  failed,
  openPolledPorts,
  type ThreadContext,
  type ThreadData,
  threadContext,
  threadIndex,
  threadLogger,
  waitForGate,
} from './thread.ts'
import { brokerIds, CELL, FLUSHER_PEER, FRONTS, KAFKA_FRONT, quorumOf } from './wiring.ts'

/** The reserve of a full disk is written this long after the broker's start, not during it. */
const RESERVE_AFTER_MS = 1_000

type ControllerModule = typeof import('../controller/agent.ts')

/**
 * Resolves when the thread may end: after a stop, or, having said so, after a failure. `keepCode` is called once the start
 * is over.
 */
export async function runBroker(data: ThreadData, keepCode: () => void): Promise<void> {
  // the last await: from here on this thread has no event loop
  const controller = keepsMetadata(data) ? await import('../controller/agent.ts') : null
  if (waitForGate(data) === null) return
  const context = threadContext(data)
  const control = openPolledPorts(data.channels)
  for (const name of data.gone) control.disconnect(name)
  // who rang for a predecessor's sleep must ring for ours
  context.waiter.wake()
  context.status.setState(ThreadState.STARTING)
  const beats = new BeatWriter(data.wiring.beats, data.thread.brokerId - 1)
  try {
    const thread = buildAgents(context, control, controller, { keepCode, beats })
    context.status.setState(ThreadState.RUNNING)
    say(beats, BrokerState.JOINING, data)
    runDutyCycle({
      ...context,
      agents: [
        beating(beats),
        ...thread.agents,
        announceReady(thread, control, data, beats),
        ...thread.afterStart,
        new HeapTrim(thread.broker),
      ],
      isStopping: () => thread.broker.isStopped,
    })
    beats.setState(BrokerState.STOPPED)
    context.status.setState(ThreadState.STOPPED)
  } catch (error) {
    context.status.setState(ThreadState.FAILED)
    control.post(SERVER_PEER, failed(error))
  }
  control.close()
}

interface BrokerThread {
  readonly broker: BrokerAgent
  readonly directoryId: string
  readonly agents: readonly Agent[]
  /** What nobody should wait for while it starts. */
  readonly afterStart: readonly Agent[]
}

function buildAgents(
  context: ThreadContext,
  control: PolledPorts,
  controllerModule: ControllerModule | null,
  { keepCode, beats }: { readonly keepCode: () => void; readonly beats: BeatWriter },
): BrokerThread {
  const { data } = context
  const brokerId = asBrokerId(data.thread.brokerId)
  const root = brokerPath(data.settings.dataDir, CELL, brokerId)
  const counters = counterRows(context)
  const flush = createFlushClient(context, counters)
  const logger = new TopicNamingLogger(threadLogger(data, control))
  const environment = openEnvironment(context, root, flush, control, logger)
  const nowMs = context.clock.monotonicMs()
  const afterStart = [
    later(nowMs + RESERVE_AFTER_MS, () => environment.space?.prepareReserve()),
    // one for all: broker 1 mostly leads the controllers, so it has called the most
    ...(data.thread.brokerId === 1 ? [later(nowMs + KEEP_AFTER_MS, keepCode)] : []),
  ]
  refuseForeignDirectory(data, environment)
  let controller: ControllerAgent | null = null
  const { isNew: isNewDirectory, directoryId } = openDirectoryIdentity({ ...environment, root })
  const broker = new BrokerAgent({
    cellId: CELL,
    brokerId,
    root,
    environment,
    flush,
    fronts: frontRings(data),
    peers: brokerRings(data, control),
    rootOf: (id) => brokerPath(data.settings.dataDir, CELL, id),
    beats: new BeatReader(data.wiring.beats),
    ...{ directoryId, isNewDirectory },
    control,
    counters,
    use: new UseTableWriter(data.wiring.use, context.index),
    brokerConfigs: brokerConfigValues(data.settings),
    newCoordinator: coordinatorKinds({
      brokerConfigs: brokerConfigValues(data.settings),
      randomFor: () => environment.random,
      logger,
    }),
    metadata: controllerModule === null ? null : metadataFiles(data, environment, controllerModule),
    onOtherMessage: (envelope) =>
      onOtherMessage(envelope, { data, control, broker, controller, environment, registering }),
    askController: (tenantId, request) =>
      askController({ broker, control, controller: () => controller }, request, tenantId),
    onStopping: () => {
      beats.setState(BrokerState.STOPPING)
      controller?.stop()
    },
  })
  logger.image = broker.image
  const registering = registers({
    ...{ brokerId, directoryId, broker, control },
    rack: data.settings.racks[brokerId] ?? null,
    controller: () => controller,
  })
  if (controllerModule === null) {
    return { broker, directoryId, agents: [broker, registering], afterStart }
  }
  const { ControllerAgent } = controllerModule
  const onResponse = (response: ControllerResponse | null) => registering.onResponse(response)
  controller = new ControllerAgent(
    controllerOptions({ data, environment, control, broker, onResponse }),
  )
  return { broker, directoryId, agents: [broker, controller, registering], afterStart }
}

const keepsMetadata = ({ thread, settings }: ThreadData): boolean =>
  quorumOf(settings.brokers).includes(asBrokerId(thread.brokerId))

function openEnvironment(
  { data, clock }: ThreadContext,
  root: string,
  flush: FlushClient,
  control: PolledPorts,
  logger: Logger,
): LogEnvironment {
  const { plan, settings, wiring, thread } = data
  const disk = brokerDisk(settings)
  const { isAlone, directory } = fileSystemOf(data)
  return openBrokerEnvironment({
    disk,
    root,
    flush,
    clock,
    random: new SystemRandom(),
    logger,
    control,
    arena: new Arena({
      capacityBytes: plan.arenaBytes,
      sab: wiring.arenas[thread.brokerId - 1]!,
    }),
    fronts: FRONTS.length,
    diskMarkBytes: diskMarkBytes(settings.diskReserve, directory),
    diskReserveBytes: data.isTemporary ? 0 : reserveFileBytes(directory),
    diskReserveLater: true,
    // one that is full on demand is this broker's alone
    diskIsAlone: () => isAlone || isFullOnDemand(disk),
  })
}

/** Which file system this broker's files are on, by a directory of it that is there, and whether no other broker's are. */
function fileSystemOf({ settings, thread }: ThreadData) {
  const rootOf = (id: number) => brokerPath(settings.dataDir, CELL, asBrokerId(id))
  const own = rootOf(thread.brokerId)
  const others = brokerIds(settings.brokers).filter((id) => id !== thread.brokerId)
  const isAlone = others.length > 0 && isAloneOnDisk(own, others.map(rootOf))
  return { isAlone, directory: isAlone ? own : settings.dataDir }
}

function createFlushClient(
  { data, clock }: ThreadContext,
  { writer, brokerRow }: CounterRows,
): FlushClient {
  const { wiring, thread } = data
  const rings = wiring.flush[thread.brokerId - 1]!
  return new FlushClient({
    requests: new RingWriter(rings.requests),
    completions: new RingReader(rings.replies),
    bell: new DoorbellRinger(wiring.bells[threadIndex(wiring, FLUSHER_PEER)]!),
    clock,
    onFlushed: (durationMs, isFailed) => {
      writer.add(brokerRow, BrokerGauge.FLUSHES, 1)
      writer.add(brokerRow, BrokerGauge.FLUSH_US, durationMs * 1_000)
      if (isFailed) writer.add(brokerRow, BrokerGauge.FLUSHES_FAILED, 1)
    },
  })
}

function frontRings({ wiring, thread }: ThreadData): FrontRings[] {
  return FRONTS.filter((front) => hasThread(wiring, frontPeer(front))).map((front) => {
    const rings = wiring.fronts[front]![thread.brokerId - 1]!
    return {
      front: asFrontId(front),
      commands: new RingReader(rings.requests),
      replies: new RingWriter(rings.replies),
      bell: new DoorbellRinger(wiring.bells[threadIndex(wiring, frontPeer(front))]!),
      frames: front === KAFKA_FRONT ? wiring.frames : null,
    }
  })
}

function counterRows({ data, index }: ThreadContext): CounterRows {
  const { brokerId } = data.thread
  return {
    writer: new CounterWriter(data.wiring.counters, index),
    // the default tenant is the only one yet
    rowOf: () => defaultTenantRow(brokerId),
    brokerRow: brokerRow(brokerId),
  }
}

function controllerOptions({
  data,
  environment: { clock, random, logger },
  control,
  broker,
  onResponse,
}: {
  readonly data: ThreadData
  readonly environment: LogEnvironment
  readonly control: PolledPorts
  readonly broker: BrokerAgent
  /** To what this thread itself has asked. */
  readonly onResponse: (response: ControllerResponse | null) => void
}): ControllerAgentOptions {
  const { brokers, cells, defaultPartitions } = data.settings
  const brokerConfigs = brokerConfigValues(data.settings)
  const others = brokerIds(brokers)
    .filter((id) => id !== data.thread.brokerId)
    .map((id) => brokerPeer(CELL, id))
  const fronts = FRONTS.map(frontPeer).filter((name) => hasThread(data.wiring, name))
  return {
    log: broker.metadata!,
    clock,
    random,
    logger,
    settings: {
      cells,
      brokersPerCell: brokers,
      defaultPartitions,
      brokerConfigs,
    },
    snapshots: {
      ...snapshotSettings(brokerConfigs),
      store: broker.metadata!.snapshots,
      isOnlyCopy: quorumOf(brokers).length === 1,
    },
    onPartitionsChanged: (tenantId, partitions) =>
      broker.use.partitionsChanged(tenantId, partitions),
    publish: (message) => {
      broker.onControl(message)
      for (const peer of [...others, ...fronts]) control.post(peer, message)
    },
    respond: (asker, correlation, response) => {
      if (asker === OWN_THREAD) onResponse(response)
      else control.post(asker, { kind: 'controller-response', correlation, response })
    },
  }
}

/** Blocks this thread, deaf to its doorbell: nobody knows the word that it waits on. */
function standStill(forMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs)
}

interface Receivers {
  readonly data: ThreadData
  readonly control: PolledPorts
  readonly broker: BrokerAgent
  readonly controller: ControllerAgent | null
  readonly environment: LogEnvironment
  readonly registering: Registering
}

/** What the broker agent leaves: news of peers, drills, options, and what is for the controller. */
function onOtherMessage(
  { from, message }: ControlEnvelope,
  { data, control, broker, controller, environment, registering }: Receivers,
): void {
  switch (message.kind) {
    case 'broker-gone':
      control.disconnect(brokerPeer(asCellId(message.cellId), asBrokerId(message.brokerId)))
      broker.peerGone(asBrokerId(message.brokerId))
      return
    case 'broker-back':
      broker.replacePeer(connectSuccessor(data.wiring, message, control))
      bringUpToDate(controller, message, control)
      return
    case 'chaos':
      if (message.chaos.fault === 'partition') {
        broker.cut(asBrokerId(message.chaos.brokerId), message.chaos.isCut)
      } else onChaos(environment.disk, message.chaos)
      return
    case 'settings':
      environment.space?.setMark(
        diskMarkBytes(message.settings.diskReserve, fileSystemOf(data).directory),
      )
      controller?.changeSettings(message.settings)
      return
    case 'pause':
      standStill(message.forMs)
      return
    case 'controller-request': {
      const { tenantId, correlation, request } = message
      if (controller !== null) controller.onRequest(from, tenantId, correlation, request)
      else control.post(from, { kind: 'controller-response', correlation, response: null })
      return
    }
    case 'controller-response':
      registering.onResponse(message.response)
      return
  }
  const { logger } = environment
  logger.log('error', 'a broker got a message that is not for it', { from, kind: message.kind })
}

/** A broker that begins anew has no image; deltas that are published from now on follow on this one. */
function bringUpToDate(
  controller: ControllerAgent | null,
  { cellId, brokerId }: BrokerBack,
  control: PolledPorts,
): void {
  const peer = brokerPeer(asCellId(cellId), asBrokerId(brokerId))
  controller?.bringUpToDate(peer, (message) => control.post(peer, message))
}

/** Tells the server once commands can be answered. */
function announceReady(
  { broker, directoryId }: BrokerThread,
  control: PolledPorts,
  data: ThreadData,
  beats: BeatWriter,
): Agent {
  let announced = false
  return {
    nextTimerAtMs: Number.POSITIVE_INFINITY,
    doWork() {
      if (announced || !broker.isReady) return 0
      refuseKnownDirectory(data, broker, directoryId)
      // else clients would be told of replicas that went with the directory before
      if (broker.isKnownByAnother) return 0
      announced = true
      say(beats, BrokerState.SERVING, data)
      const message: ControlMessage = { kind: 'ready', detail: {} }
      control.post(SERVER_PEER, message)
      traceStart(data.traceOriginMs, data.thread.name, 'ready')
      return 1
    },
  }
}

/** Says how far this thread is; its peers need not wait for their next look to see it. */
function say(beats: BeatWriter, state: BrokerState, { wiring }: ThreadData): void {
  beats.setState(state)
  for (const bell of brokerBells(wiring)) new DoorbellRinger(bell).ring()
}

/** Says in every turn that this thread takes them. */
const beating = (beats: BeatWriter): Agent => ({
  nextTimerAtMs: Number.POSITIVE_INFINITY,
  doWork(nowMs) {
    beats.beat(nowMs)
    return 0
  },
})

/** Does `what` once, at `dueMs`. */
function later(dueMs: number, what: () => void): Agent {
  let atMs = dueMs
  return {
    get nextTimerAtMs() {
      return atMs
    },
    doWork(turnMs) {
      if (turnMs < atMs) return 0
      atMs = Number.POSITIVE_INFINITY
      what()
      return 1
    },
  }
}

const hasThread = ({ threads }: ThreadData['wiring'], name: string): boolean =>
  threads.some((thread) => thread.name === name)
