import { describe, expect, it } from 'vitest'
import { asBrokerId, asPartitionNumber } from '../../src/base/ids.ts'
import { BrokerLink, type RaftSink } from '../../src/broker/broker-link.ts'
import { type Append, NO_PLACE, type Snapshot } from '../../src/link/raft-messages.ts'
import type { Message } from '../../src/raft/types.ts'
import { newRegion } from '../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../src/shared/ring-layout.ts'
import { RingReader } from '../../src/shared/ring-reader.ts'
import { RingWriter } from '../../src/shared/ring-writer.ts'

const P = asPartitionNumber(9)

/** Two brokers, each with its end of both rings. */
function pair(capacity = 16 * 1024) {
  const [there, back] = [0, 1].map(() => formatRing(newRegion(ringBytes(capacity))))
  const rung: string[] = []
  const buffers: Uint8Array[] = []
  const link = (own: number, to: typeof there, from: typeof there) =>
    new BrokerLink({
      broker: asBrokerId(3 - own),
      to: new RingWriter(to!),
      from: new RingReader(from!),
      bell: { ring: () => rung.push(`broker ${3 - own}`) },
      sendBuffer: (bytes) => buffers.push(bytes),
    })
  return { one: link(1, there, back), two: link(2, back, there), rung, buffers }
}

class Collected implements RaftSink {
  readonly messages: Message[] = []
  readonly bufferIds: number[] = []
  readonly producers: (Uint8Array | null)[] = []

  onRaft(_from: BrokerLink, { partition, message, base }: Parameters<RaftSink['onRaft']>[1]): void {
    expect(partition).toBe(P)
    this.messages.push(structuredClone(message))
    if (base === null) return
    this.bufferIds.push(base.bufferId)
    this.producers.push(base.producers)
  }
}

const reply = (end: number): Extract<Message, { type: 'append-reply' }> => ({
  ...{ type: 'append-reply', from: 2, to: 1, term: 4 },
  ...{ end, isRefused: false, lastTerm: 4, commit: end - 1 },
})

const append: Append = {
  ...{ type: 'append', from: 1, to: 2, term: 4, start: 10, previousTerm: 3, end: 20, commit: 9 },
  ...{ lines: [{ term: 4, start: 10 }], controls: [] },
}

const snapshot: Snapshot = {
  ...{ type: 'snapshot', from: 1, to: 2, term: 4, start: 1_000 },
  ...{ lines: [{ term: 3, start: 999 }], configuration: { voters: [1, 2], learners: [] } },
}

describe('a link between two brokers', () => {
  it('carries messages both ways, and rings once a turn', () => {
    const { one, two, rung } = pair()
    expect(one.append(P, append, NO_PLACE)).toBe(true)
    expect(one.send(P, { type: 'resign', from: 1, to: 2, term: 4 })).toBe(true)
    one.ring()
    one.ring()
    expect(rung).toEqual(['broker 2'])
    const atTwo = new Collected()
    expect(two.poll(atTwo, 10)).toBe(2)
    expect(atTwo.messages).toEqual([append, { type: 'resign', from: 1, to: 2, term: 4 }])
    two.send(P, reply(20))
    two.ring()
    const atOne = new Collected()
    one.poll(atOne, 10)
    expect(atOne.messages).toEqual([reply(20)])
    expect(rung).toEqual(['broker 2', 'broker 1'])
    one.probe()
    expect(rung.at(-1)).toBe('broker 2')
  })

  it('drops what finds no room, tells its sender, and goes on once the peer reads', () => {
    const { one, two } = pair()
    let sent = 0
    while (one.send(P, reply(sent))) sent++
    expect(one.dropped).toBe(1)
    expect(one.append(P, append, NO_PLACE)).toBe(false)
    expect(one.snapshot(P, snapshot, base(0))).toBe(false)
    expect(one.dropped).toBe(3)
    const got = new Collected()
    expect(two.poll(got, 10_000)).toBe(sent)
    expect(got.messages.at(-1)).toEqual(reply(sent - 1))
    expect(one.append(P, append, NO_PLACE)).toBe(true)
    two.poll(got, 10)
    expect(got.messages.at(-1)).toEqual(append)
  })

  it('sends the producers of a snapshot in the ring, or before it in a buffer', () => {
    const { one, two, buffers } = pair()
    const got = new Collected()
    one.snapshot(P, snapshot, base(100))
    one.snapshot(P, snapshot, base(100_000))
    two.poll(got, 10)
    expect(got.messages).toEqual([snapshot, snapshot])
    expect(got.bufferIds).toEqual([0, 1])
    expect(got.producers).toEqual([base(100).producers, null])
    expect(buffers).toEqual([base(100_000).producers])
  })

  it('posts no buffer for a snapshot that finds no room', () => {
    const { one, buffers } = pair()
    while (one.send(P, reply(1)));
    expect(one.snapshot(P, snapshot, base(100_000))).toBe(false)
    expect(buffers).toEqual([])
  })

  it('splits an append for its ring', () => {
    const { one, two } = pair()
    const controls = Array.from({ length: 200 }, (_, i) => ({
      ...({ kind: 'term-start', at: 10 + 10 * i, term: 4 + i } as const),
    }))
    const lines = controls.map(({ at, term }) => ({ start: at, term }))
    const long: Append = { ...append, end: 2_010, lines, controls }
    const pieces = one.split(long)
    expect(pieces.length).toBeGreaterThan(1)
    const got = new Collected()
    for (const piece of pieces) {
      expect(one.append(P, piece, NO_PLACE)).toBe(true)
      two.poll(got, 1)
    }
    expect(got.messages).toEqual(pieces)
    expect(() => one.append(P, long, NO_PLACE)).toThrow('maxRecordBytes')
  })

  it('needs a ring in which every message has room', () => {
    expect(() => pair(8 * 1024)).toThrow('too small')
  })
})

const base = (bytes: number) => ({
  ...{ offset: 990, controlsBefore: 10 },
  producers: new Uint8Array(bytes).fill(5),
})
