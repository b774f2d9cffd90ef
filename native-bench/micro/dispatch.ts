import { systemClock } from '../../src/base/clock.ts'
import { asBrokerId, asCellId, asFrontId, asPartitionNumber } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { RingBrokerProxy } from '../../src/cell/ring-broker-proxy.ts'
import { defaultFrontSettings } from '../../src/front/context.ts'
import { FrontAgent } from '../../src/front/front-agent.ts'
import {
  CommandType,
  PRODUCE_HEADER_BYTES,
  PRODUCED_BYTES,
  type ProduceCommand,
  ReplyType,
  readProduce,
  writeProduce,
} from '../../src/link/commands.ts'
import { writeProduced } from '../../src/link/replies.ts'
import type { SocketLike } from '../../src/net/socket-like.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { encodeRequest, joinFrame } from '../../src/protocol/codec.ts'
import { nodeSaslCrypto } from '../../src/server/node-sasl-crypto.ts'
import { newRegion } from '../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../src/shared/ring-layout.ts'
import { type RingHandler, RingReader } from '../../src/shared/ring-reader.ts'
import { RingWriter } from '../../src/shared/ring-writer.ts'
import { Harness } from '../../test/front/harness.ts'
import { sharedBatch } from './batch.ts'
import type { Case, Subject } from './case.ts'

const TOPIC = 'orders.created.v2'

/**
 * A front with everything but a kernel below it and a broker behind it: a frame comes in, a command goes out through the
 * ring, the reply comes back, the answer leaves. The clock is the real one, as in a front.
 */
export function dispatchSubject(): Subject {
  const world = frontAlone()
  return {
    cases: [
      produceCase(world, '100 B', sharedBatch(1, 100)),
      produceCase(world, '16 KB', sharedBatch(16)),
      metadataCase(world),
      commandCase(),
    ],
  }
}

interface World {
  readonly front: FrontAgent
  /** Answers that have left. */
  readonly sent: { count: number; bytes: number }
  /** Hands a frame with its size to the front, as the socket does. */
  readonly receive: (frame: Buffer) => void
  /** Takes commands out of the ring, and replies to each. */
  readonly answer: () => number
}

function frontAlone(): World {
  // its image has the topic; its own front and broker do nothing from here on
  const harness = new Harness()
  harness.createTopic(TOPIC)
  const commands = formatRing(newRegion(ringBytes(1 << 20)))
  const replies = formatRing(newRegion(ringBytes(1 << 18)))
  const control = { poll: () => undefined, post: () => {} }
  const proxy = new RingBrokerProxy({
    ...{ cellId: asCellId(1), brokerId: asBrokerId(1), clock: systemClock },
    ...{ commands: new RingWriter(commands), replies: new RingReader(replies) },
    ...{ bell: { ring: () => {} }, control, peer: 'broker-1-1' },
  })
  const front = new FrontAgent({
    ...{
      crypto: nodeSaslCrypto,
      frontId: asFrontId(0),
      image: harness.image,
      proxies: [proxy],
      arenaOf: () => null,
    },
    ...{ control, controllerPeer: 'broker-1-1', clock: systemClock },
    randomFor: () => new SeededRandom(4),
    logger: { log: () => {} },
    files: harness.files,
    records: { run: () => {} },
    settings: { ...defaultFrontSettings, dataRoot: '/data', brokerConfigs: {} },
    ...{ inFlightBytes: 64 << 20, fileReadBytes: 32 << 20, kick: () => {} },
  })
  const sent = { count: 0, bytes: 0 }
  const connection = front.connections.open(new Sink(sent), harness.listener, {
    ...{ remote: '127.0.0.1:50000', local: '127.0.0.1' },
  })
  const broker = new StubBroker(new RingWriter(replies))
  const reader = new RingReader(commands)
  return {
    ...{ front, sent },
    receive: (frame) => connection.onData(frame),
    answer: () => reader.poll(broker, 64),
  }
}

/** A socket whose kernel takes everything. */
class Sink implements SocketLike {
  readonly writableLength = 0
  readonly destroyed = false
  readonly #sent: { count: number; bytes: number }

  constructor(sent: { count: number; bytes: number }) {
    this.#sent = sent
  }

  write(bytes: Uint8Array, done?: () => void): boolean {
    this.#sent.count++
    this.#sent.bytes += bytes.length
    done?.()
    return true
  }

  cork(): void {}
  uncork(): void {}
  pause(): void {}
  resume(): void {}
  destroy(): void {}
}

/** Acknowledges every batch, and looks at none. */
class StubBroker implements RingHandler {
  readonly #replies: RingWriter
  readonly #command: ProduceCommand = emptyCommand()
  #offset = 0

  constructor(replies: RingWriter) {
    this.#replies = replies
  }

  onRecord(type: number, reader: RingReader, offset: number): void {
    if (type !== CommandType.PRODUCE) throw new Error(`a command of type ${type}`)
    readProduce(reader.view, offset, this.#command)
    const at = this.#replies.claim(ReplyType.PRODUCED, PRODUCED_BYTES)
    writeProduced(this.#replies.view, at, {
      ...{ correlation: this.#command.correlation, error: 0, reason: 0 },
      ...{ baseOffset: this.#offset++, logAppendTimeMs: -1, logStartOffset: 0 },
    })
    this.#replies.commit()
  }
}

const emptyCommand = (): ProduceCommand => ({
  ...{ correlation: 0, partition: asPartitionNumber(0), nowMs: 0, acks: 0 },
  ...{ batchIn: 0, bufferId: 0, byteLength: 0 },
})

/** Far more turns than an answer takes. */
const TURNS_MAX = 1000

/** One request and its answer. A front that was held up puts off what it reads: then there is another turn. */
function roundOf(world: World, frame: Buffer, commands: number): () => void {
  return () => {
    const before = world.sent.count
    world.receive(frame)
    let taken = world.answer()
    for (let turns = 0; world.sent.count === before; turns++) {
      if (turns === TURNS_MAX) throw new Error('no answer left')
      world.front.doWork(systemClock.monotonicMs())
      taken += world.answer()
    }
    if (taken !== commands) throw new Error(`${taken} commands, not ${commands}`)
  }
}

function produceCase(world: World, name: string, batch: Uint8Array): Case {
  const request = {
    ...{ transactionalId: null, acks: -1, timeoutMs: 30_000 },
    topicData: [{ name: TOPIC, topicId: '', partitionData: [{ index: 0, records: batch }] }],
  }
  const frame = joinFrame(encodeRequest(produce, 9, 1, 'bench', request as never))
  return { name: `front: produce ${name}`, bytes: batch.length, run: roundOf(world, frame, 1) }
}

function metadataCase(world: World): Case {
  const request = {
    topics: [{ name: TOPIC }],
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  }
  const frame = joinFrame(encodeRequest(metadata, 9, 1, 'bench', request as never))
  return { name: 'front: metadata of one topic', run: roundOf(world, frame, 0) }
}

/** The command alone, written and read in place. */
function commandCase(): Case {
  const view = new DataView(new SharedArrayBuffer(PRODUCE_HEADER_BYTES))
  const command: ProduceCommand = { ...emptyCommand(), nowMs: 1_700_000_000_000, byteLength: 168 }
  const into = emptyCommand()
  return {
    name: 'link: produce command, written and read',
    run: () => {
      command.correlation++
      writeProduce(view, 0, command)
      readProduce(view, 0, into)
      if (into.correlation !== command.correlation) throw new Error('not what was written')
    },
  }
}
