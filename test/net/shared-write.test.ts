import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ConnectionSet } from '../../src/net/connection-set.ts'
import { FrameBuffers } from '../../src/net/frame-buffers.ts'
import { FrameSplitter } from '../../src/net/frame-splitter.ts'
import { InFlightBudget } from '../../src/net/in-flight.ts'
import { KafkaListener } from '../../src/net/kafka-listener.ts'
import { EVERYBODY } from '../../src/net/listener-info.ts'
import { ReplyBudget } from '../../src/net/reply-budget.ts'
import type { ReplySlot } from '../../src/net/reply-slot.ts'
import { FrameWriter } from '../../src/protocol/frame-writer.ts'
import { filledFrame } from '../protocol/filled-frame.ts'

const MIB = 2 ** 20
const REQUESTS = 200

/** A request names the byte that its reply is full of, and how long that is to be. */
const requestOf = (value: number, bytes: number): Buffer => {
  const request = Buffer.alloc(12)
  request.writeInt32BE(8)
  request.writeInt32BE(value, 4)
  request.writeInt32BE(bytes, 8)
  return request
}

function reply(writer: FrameWriter, slot: ReplySlot, frame: Uint8Array): void {
  const asked = Buffer.from(frame)
  const [value, bytes] = [asked.readInt32BE(0), asked.readInt32BE(4)]
  slot.send(filledFrame(writer, bytes, value))
}

/** Asks for replies of all sizes and reads them now and then; returns how many came as asked. One that goes away stops half-way. */
async function ask(port: number, random: SeededRandom, own: number, goes: boolean) {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  const sizes = [4, 40, 400, 4_000, 40_000, 400_000]
  const asked = Array.from({ length: REQUESTS }, () => 4 + random.below(sizes[random.below(6)]!))
  for (const bytes of asked) socket.write(requestOf(own, bytes))
  const splitter = new FrameSplitter(100 * MIB, new FrameBuffers(MIB))
  let good = 0
  let bad = 0
  for await (const chunk of socket) {
    splitter.feed(chunk as Buffer)
    for (let frame = splitter.next(); frame !== null; frame = splitter.next()) {
      const isAsAsked = frame.length === asked[good + bad] && frame.every((byte) => byte === own)
      if (isAsAsked) good++
      else bad++
    }
    if (goes && good > REQUESTS / 2) break
    if (good + bad === REQUESTS || bad > 0 || splitter.fault !== null) break
    if (random.below(3) === 0) await new Promise((done) => setTimeout(done, random.below(10)))
  }
  socket.destroy()
  return { good, bad: splitter.fault ?? bad }
}

test('replies that wait for slow readers stay as they are while others are answered from the same memory', async () => {
  const random = new SeededRandom(11)
  const writer = new FrameWriter()
  const set: ConnectionSet = new ConnectionSet({
    sink: {
      ...{ onOpen: () => {}, onDrained: () => {}, onFull: () => false },
      ...{ onEnd: () => {}, onClose: () => {} },
      onReadEnd: () =>
        void setImmediate(() => {
          set.resumeYielded()
          set.flush()
        }),
      onFrame: (_, slot, frame) => {
        if (random.below(3) > 0) reply(writer, slot, frame)
        else {
          const later = () => {
            reply(writer, slot, frame)
            set.flush()
          }
          setTimeout(later, random.below(5))
        }
      },
    },
    clock: systemClock,
    logger: silentLogger,
    budget: new InFlightBudget(12 * MIB),
    replies: new ReplyBudget(64 * MIB),
  })
  const listener = await KafkaListener.listen(
    {
      ...{ ...EVERYBODY, optionName: '--kafka-listen', host: '127.0.0.1', port: 0, nodes: 1 },
      ...{ advertisedHost: null, advertisedPort: null },
    },
    set,
  )
  const clients = Array.from({ length: 20 }, (_, i) =>
    ask(listener.ports[0]!, random, i + 1, i % 4 === 3),
  )
  const all = await Promise.all(clients)
  listener.stopAccepting()
  set.closeAll()
  expect(all.map(({ bad }) => bad)).toEqual(all.map(() => 0))
  for (const [i, { good }] of all.entries())
    expect(good).toBeGreaterThanOrEqual(i % 4 === 3 ? REQUESTS / 2 : REQUESTS)
}, 60_000)
