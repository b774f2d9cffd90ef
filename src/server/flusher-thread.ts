/** The flusher's worker: makes files durable for all brokers, and keeps the directory lock's beat. */

import { FlushFiles } from '../broker/flush-file.ts'
import { type FlushedBroker, FlusherAgent, OPEN_FILES_MAX } from '../broker/flusher-agent.ts'
import type { BrokerBack } from '../link/control.ts'
import { type EventPorts, SERVER_PEER } from '../link/ports.ts'
import { DoorbellRinger } from '../shared/doorbell.ts'
import { RingReader } from '../shared/ring-reader.ts'
import { RingWriter } from '../shared/ring-writer.ts'
import { ThreadState } from '../shared/thread-status.ts'
import { EventLoopDriver } from './event-loop-driver.ts'
import { FaultyFlushFiles } from './flusher-chaos.ts'
import { BEAT_MS, beat, type LockBeat } from './lock-beat.ts'
import {
  brokerBells,
  failed,
  openEventPorts,
  type ThreadContext,
  type ThreadData,
  threadContext,
  threadLogger,
  waitForGate,
} from './thread.ts'

export function runFlusher(data: ThreadData): void {
  const lock = waitForGate(data)
  if (lock === null) return
  const context = threadContext(data)
  const control = openEventPorts(data.channels, () => drain())
  const logger = threadLogger(data, control)
  const files = faultyFiles(data)
  const agent = new FlusherAgent({
    brokers: flushedBrokers(data),
    logger,
    kick: () => driver.kick(),
    ...(files === null ? {} : { files }),
  })
  const driver = createDriver(context, agent, control)
  const beating = keepBeat(lock, control)
  const drain = () => {
    for (let envelope = control.poll(); envelope !== undefined; envelope = control.poll()) {
      const { message } = envelope
      if (message.kind === 'broker-gone') dropBroker(agent, control, message.brokerId)
      else if (message.kind === 'broker-back') {
        agent.replace(message.brokerId - 1, flushedBroker(data, message.brokerId - 1, message))
        driver.kick()
      } else if (message.kind === 'chaos') files?.onChaos(message.brokerId, message.chaos)
      if (message.kind !== 'stop') continue
      clearInterval(beating)
      // the brokers have stopped: what they asked for was answered before
      driver.stop()
      agent.close()
      context.status.setState(ThreadState.STOPPED)
      control.post(SERVER_PEER, { kind: 'stopped' })
      control.close()
    }
  }
  context.status.setState(ThreadState.RUNNING)
  driver.start()
  control.post(SERVER_PEER, { kind: 'ready', detail: {} })
}

/** null unless the engine was started with `--chaos`. */
const faultyFiles = ({ settings }: ThreadData): FaultyFlushFiles | null =>
  settings.chaos
    ? new FaultyFlushFiles(new FlushFiles(OPEN_FILES_MAX), settings.dataDir, settings.brokers)
    : null

const flushedBrokers = (data: ThreadData): FlushedBroker[] =>
  data.wiring.flush.map(({ requests, replies }, index) =>
    flushedBroker(data, index, { reads: requests, writes: replies }),
  )

function flushedBroker(
  { wiring }: ThreadData,
  index: number,
  { reads, writes }: Pick<BrokerBack, 'reads' | 'writes'>,
): FlushedBroker {
  return {
    requests: new RingReader(reads),
    completions: new RingWriter(writes),
    bell: new DoorbellRinger(brokerBells(wiring)[index]!),
  }
}

/** Its successor begins only when nothing that it asked for is being done: it may remove or make the same files. */
function dropBroker(agent: FlusherAgent, control: EventPorts, brokerId: number): void {
  agent.drop(brokerId - 1, () => control.post(SERVER_PEER, { kind: 'broker-dropped', brokerId }))
}

function createDriver(
  { waiter, clock, status }: ThreadContext,
  agent: FlusherAgent,
  control: EventPorts,
): EventLoopDriver {
  return new EventLoopDriver({
    agent,
    waiter,
    clock,
    status,
    onFailure: (error) => control.post(SERVER_PEER, failed(error)),
  })
}

function keepBeat(lock: LockBeat, control: EventPorts): NodeJS.Timeout {
  let count = 0
  return setInterval(() => {
    try {
      if (beat(lock, ++count)) return
      control.post(SERVER_PEER, {
        kind: 'failed',
        message: 'the data directory was taken over by another process',
      })
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      control.post(SERVER_PEER, {
        kind: 'log',
        level: 'warn',
        message: 'the beat of the directory lock failed',
        fields: { reason },
      })
    }
  }, BEAT_MS)
}
