import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ProduceFrames } from '../../src/front/produce-frames.ts'
import { ConnectionCount } from '../../src/net/connection-counts.ts'
import { ConnectionSet } from '../../src/net/connection-set.ts'
import { InFlightBudget } from '../../src/net/in-flight.ts'
import { KafkaListener } from '../../src/net/kafka-listener.ts'
import { EVERYBODY } from '../../src/net/listener-info.ts'
import { ReplyBudget } from '../../src/net/reply-budget.ts'
import type { ReplySlot } from '../../src/net/reply-slot.ts'

const MIB = 2 ** 20

/** Bytes 2 to 34 are the SHA-256 of what follows. */
const frameOf = (random: SeededRandom, apiKey: number, size: number): Buffer => {
  const frame = Buffer.alloc(4 + 34 + size)
  frame.writeInt32BE(34 + size)
  frame.writeInt16BE(apiKey, 4)
  const seed = random.uint32()
  for (let at = 38; at + 4 <= frame.length; at += 4) frame.writeInt32LE((seed * at) | 0, at)
  createHash('sha256').update(frame.subarray(38)).digest().copy(frame, 6)
  return frame
}

const isWhole = (frame: Uint8Array): boolean =>
  createHash('sha256').update(frame.subarray(34)).digest().equals(frame.subarray(2, 34))

/** Holds each frame for a while, as brokers do, and then looks whether it is as it was sent. */
class Holding {
  readonly frames = new ProduceFrames(new SharedArrayBuffer(4 * MIB))
  readonly held = new Set<() => void>()
  readonly set: ConnectionSet
  whole = 0
  broken = 0
  readonly #random: SeededRandom

  constructor(random: SeededRandom) {
    this.#random = random
    this.set = new ConnectionSet({
      sink: {
        ...{ onOpen: () => {}, onDrained: () => {}, onFull: () => false },
        ...{ onEnd: () => {}, onClose: () => {} },
        onReadEnd: () => void setImmediate(() => this.set.resumeYielded()),
        onFrame: (_, slot, frame) => this.#hold(slot, frame),
      },
      clock: systemClock,
      logger: silentLogger,
      budget: new InFlightBudget(12 * MIB),
      replies: new ReplyBudget(8 * MIB),
      limits: { frameBytesMax: 100 * MIB, connectionBytesMax: 300_000, idleMs: 600_000 },
      sharedFrames: this.frames,
    })
  }

  #hold(slot: ReplySlot, frame: Uint8Array): void {
    slot.holdFrame()
    slot.lingers = true
    // now and then slower than a turn, so that others have theirs
    if (this.#random.below(20) === 0) for (const until = Date.now() + 11; Date.now() < until; );
    const done = () => {
      this.held.delete(done)
      if (isWhole(frame)) this.whole++
      else this.broken++
      if (!slot.connection.closed) slot.skip()
      slot.abandon()
      slot.frameDone()
      this.set.flush()
    }
    this.held.add(done)
    setTimeout(done, this.#random.below(8))
  }
}

const CUT_OFF_AT = 20

/** Sends 40 frames in pieces of all sizes; one that is cut off goes in the middle of one. Returns how many went whole. */
async function send(port: number, random: SeededRandom, isCutOff: boolean): Promise<number> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('connect', resolve))
  for (let i = 0; i < 40; i++) {
    const sizes = [10, 3_000, 5_000, 20_000, 70_000, 300_000, 1_500_000]
    const size = random.below(sizes[random.below(sizes.length)]!) & ~3
    const frame = frameOf(random, random.below(2), size)
    for (let at = 0; at < frame.length; ) {
      const left = frame.length - at
      const part = Math.min(left, 1 + random.below(random.below(2) ? 300_000 : 60))
      // small steps through much would only be slow
      const take = part < 60 && left > 260 ? left - 100 : part
      if (!socket.write(frame.subarray(at, at + take))) {
        await Promise.race(['drain', 'close'].map((event) => once(socket, event)))
      }
      at += take
      if (isCutOff && i === CUT_OFF_AT && at > frame.length / 2) {
        socket.destroy()
        return 0
      }
      if (random.below(4) === 0) await new Promise((resolve) => setImmediate(resolve))
    }
  }
  socket.end()
  await once(socket, 'close')
  return 40
}

test('what many connections send at a time, held for a while, paused and cut off, comes whole', async () => {
  const random = new SeededRandom(5)
  const world = new Holding(random)
  const { set, held, frames } = world
  const listener = await KafkaListener.listen(
    {
      ...{ ...EVERYBODY, optionName: '--kafka-listen', host: '127.0.0.1', port: 0, nodes: 1 },
      ...{ advertisedHost: null, advertisedPort: null },
    },
    set,
  )
  const clients = Array.from({ length: 12 }, (_, i) =>
    send(listener.ports[0]!, random, i % 3 === 2),
  )
  const sent = (await Promise.all(clients)).reduce((sum, one) => sum + one, 0)
  while (held.size > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  listener.stopAccepting()
  set.closeAll()
  expect(world.broken).toBe(0)
  expect(world.whole).toBeGreaterThanOrEqual(sent)
  expect(set.counts[ConnectionCount.PAUSES]).toBeGreaterThan(0)
  expect([frames.usedBytes, set.budget.usedBytes]).toEqual([0, 0])
}, 60_000)
