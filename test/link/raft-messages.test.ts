import { describe, expect, it } from 'vitest'
import { InvariantError } from '../../src/base/assert.ts'
import { asPartitionNumber } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { RaftMessageReader, type ReceivedMessage } from '../../src/link/raft-message-reader.ts'
import {
  type Append,
  type AppendPlace,
  appendBytes,
  HEAD_BYTES,
  HOST_PAYLOAD_BYTES_MAX,
  MEMBERS_MAX,
  NO_PLACE,
  type PlainMessage,
  plainShape,
  RAFT_RECORD_BYTES_MIN,
  RaftType,
  type Snapshot,
  type SnapshotBase,
  snapshotBytes,
  writeAppend,
  writePlain,
  writeSnapshot,
} from '../../src/link/raft-messages.ts'
import { splitAppend } from '../../src/link/split-append.ts'
import type { Configuration, ControlEntry, Message, TermLine } from '../../src/raft/types.ts'
import { newRegion } from '../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../src/shared/ring-layout.ts'
import { RingReader } from '../../src/shared/ring-reader.ts'
import { RingWriter } from '../../src/shared/ring-writer.ts'

/** A message as a host would send it. */
type Sent =
  | { readonly kind: 'plain'; readonly message: PlainMessage }
  | { readonly kind: 'append'; readonly message: Append; readonly place: AppendPlace }
  | { readonly kind: 'snapshot'; readonly message: Snapshot; readonly base: SnapshotBase }

function openRing(capacity = 256 * 1024) {
  const region = formatRing(newRegion(ringBytes(capacity)))
  return { writer: new RingWriter(region), reader: new RingReader(region) }
}

function write(ring: RingWriter, partition: number, sent: Sent): boolean {
  const number = asPartitionNumber(partition)
  const shape = shapeOf(sent)
  const at = ring.claim(shape.type, shape.bytes)
  if (at < 0) return false
  if (sent.kind === 'plain') writePlain(ring.view, at, number, sent.message)
  else if (sent.kind === 'append') {
    writeAppend(ring.bytes, ring.view, at, number, sent.message, sent.place)
  } else writeSnapshot(ring.bytes, ring.view, at, number, sent.message, sent.base, 0)
  ring.commit()
  return true
}

function shapeOf(sent: Sent): { type: number; bytes: number } {
  if (sent.kind === 'plain') return plainShape(sent.message)
  if (sent.kind === 'append') return { type: RaftType.APPEND, bytes: appendBytes(sent.message) }
  const bytes = snapshotBytes(sent.message, sent.base.producers.length)
  return { type: RaftType.SNAPSHOT, bytes }
}

/** Reads everything; each message is copied before the next is read. */
function readAll(ring: RingReader, reader = new RaftMessageReader()): ReceivedMessage[] {
  const got: ReceivedMessage[] = []
  const onRecord = (type: number, from: RingReader, at: number, length: number) =>
    got.push(structuredClone(reader.read(type, from.bytes, from.view, at, length)))
  ring.poll({ onRecord: (...args) => void onRecord(...args) }, Number.POSITIVE_INFINITY)
  return got
}

/** Draws what a message may hold; numbers of every magnitude. */
class Drawer {
  readonly random: SeededRandom

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
  }

  number(): number {
    const bits = this.random.below(54)
    return Math.floor((this.random.uint32() / 2 ** 32) * 2 ** bits)
  }

  flag(): boolean {
    return this.random.chance(0.5)
  }

  between() {
    return { from: this.number(), to: this.number(), term: this.number() }
  }

  bytes(max: number): Uint8Array {
    return Uint8Array.from({ length: this.random.below(max + 1) }, () => this.random.below(256))
  }

  members(): Configuration {
    const count = this.random.below(MEMBERS_MAX)
    const voters = Array.from({ length: count }, () => this.number())
    const learners = Array.from({ length: this.random.below(MEMBERS_MAX - count + 1) }, () => 7)
    return { voters, learners }
  }

  lines(count: number, start: number): TermLine[] {
    return Array.from({ length: count }, (_, i) => ({ term: 3 + i, start: start + 10 * i }))
  }

  control(at: number): ControlEntry {
    const term = this.number()
    const kind = this.random.below(3)
    if (kind === 0) return { kind: 'term-start', at, term }
    if (kind === 1) return { kind: 'membership', at, term, configuration: this.members() }
    return { kind: 'host', at, term, payload: this.bytes(HOST_PAYLOAD_BYTES_MAX) }
  }

  append(lineCount: number, controlCount: number): Append {
    const start = this.number() % 2 ** 40
    const controls = Array.from({ length: controlCount }, (_, i) => this.control(start + 5 * i))
    const length = 1 + Math.max(10 * lineCount, 5 * controlCount)
    return {
      type: 'append',
      ...this.between(),
      ...{ start, previousTerm: 2, end: start + length, commit: this.number() },
      ...{ lines: this.lines(lineCount, start), controls },
    }
  }

  place(): AppendPlace {
    return {
      segmentBaseOffset: this.number(),
      filePosition: this.number(),
      batchBaseOffset: this.number(),
      gapsTo: this.number(),
    }
  }

  plain(): PlainMessage {
    const between = this.between()
    const end = this.number()
    const lastTerm = this.number()
    switch (this.random.below(7)) {
      case 0:
        return { type: 'pre-vote', ...between, lastTerm, end, isTransfer: this.flag() }
      case 1:
        return { type: 'vote', ...between, lastTerm, end, isTransfer: this.flag() }
      case 2:
        return { type: 'pre-vote-reply', ...between, isGranted: this.flag() }
      case 3:
        return { type: 'vote-reply', ...between, isGranted: this.flag() }
      case 4:
        return { type: 'resign', ...between }
      case 5:
        return { type: 'timeout-now', ...between }
      default: {
        const commit = this.number()
        return { type: 'append-reply', ...between, end, lastTerm, commit, isRefused: this.flag() }
      }
    }
  }

  snapshot(): Sent {
    const start = this.number()
    const message: Snapshot = {
      ...{ type: 'snapshot', ...this.between(), start },
      ...{ lines: this.lines(this.random.below(3), start), configuration: this.members() },
    }
    const base = {
      offset: this.number(),
      controlsBefore: this.number(),
      producers: this.bytes(900),
    }
    return { kind: 'snapshot', message, base }
  }

  sent(): Sent {
    const kind = this.random.below(3)
    if (kind === 0) return { kind: 'plain', message: this.plain() }
    if (kind === 1) return this.snapshot()
    const message = this.append(this.random.below(4), this.random.below(4))
    return { kind: 'append', message, place: this.place() }
  }
}

const someAppend = (over: Partial<Append> = {}): Append => ({
  type: 'append',
  ...{ from: 2 ** 53 - 1, to: 2, term: 5, start: 100, previousTerm: 4, end: 200, commit: 90 },
  ...{ lines: [{ term: 5, start: 100 }], controls: [] },
  ...over,
})

describe('raft messages in a ring', () => {
  it('come out as they went in, whatever they hold', () => {
    const { writer, reader } = openRing()
    const draw = new Drawer(20_261_125)
    for (let i = 0; i < 2_000; i++) {
      const sent = draw.sent()
      const partition = draw.random.uint32()
      expect(write(writer, partition, sent)).toBe(true)
      const [got, ...more] = readAll(reader)
      expect(more).toEqual([])
      expect(got!.partition).toBe(partition)
      expect(got!.message).toEqual(sent.message)
      if (sent.kind === 'append') expect(got!.place).toEqual(sent.place)
      if (sent.kind !== 'snapshot') expect(got!.base).toBeNull()
      else expect(got!.base).toEqual({ ...sent.base, bufferId: 0 })
    }
  })

  it('come out in order when many wait in the ring, each on its own', () => {
    const { writer, reader } = openRing()
    const draw = new Drawer(7)
    const sent = Array.from({ length: 50 }, () => draw.sent())
    for (const [i, one] of sent.entries()) expect(write(writer, i, one)).toBe(true)
    const got = readAll(reader)
    expect(got.map(({ message }) => message)).toEqual(sent.map(({ message }) => message))
    expect(got.map(({ partition }) => partition)).toEqual(sent.map((_, i) => i))
  })

  it('name a buffer where the producers of a snapshot are not in the record', () => {
    const { writer, reader } = openRing()
    const sent = new Drawer(1).snapshot() as Extract<Sent, { kind: 'snapshot' }>
    const at = writer.claim(RaftType.SNAPSHOT, snapshotBytes(sent.message, 0))
    const base = { ...sent.base, producers: new Uint8Array(5_000_000) }
    writeSnapshot(writer.bytes, writer.view, at, asPartitionNumber(1), sent.message, base, 77)
    writer.commit()
    const [got] = readAll(reader)
    const { offset, controlsBefore } = base
    expect(got!.base).toEqual({ offset, controlsBefore, producers: null, bufferId: 77 })
    expect(got!.message).toEqual(sent.message)
  })

  it('may be kept where they are appends or snapshots: the ring goes on without them', () => {
    const { writer, reader } = openRing(16 * 1024)
    const payload = Uint8Array.of(1, 2, 3)
    const host: ControlEntry = { kind: 'host', at: 120, term: 5, payload }
    const message = someAppend({ controls: [host] })
    const raft = new RaftMessageReader()
    const kept: Message[] = []
    const keep = (type: number, from: RingReader, at: number, length: number) =>
      void kept.push(raft.read(type, from.bytes, from.view, at, length).message)
    write(writer, 1, { kind: 'append', message, place: NO_PLACE })
    reader.poll({ onRecord: keep }, 1)
    for (let i = 0; i < 500; i++) {
      write(writer, 1, { kind: 'append', message: someAppend({ end: 300 + i }), place: NO_PLACE })
      reader.poll({ onRecord: keep }, 1)
    }
    expect(kept[0]).toEqual(message)
    expect(kept).toHaveLength(501)
  })

  it('are refused by a reader that does not know their version or type', () => {
    const { writer, reader } = openRing()
    const at = writer.claim(RaftType.RESIGN, HEAD_BYTES)
    const between = { from: 1, to: 2, term: 3 }
    writePlain(writer.view, at, asPartitionNumber(1), { type: 'resign', ...between })
    writer.view.setUint8(at, 2)
    writer.commit()
    expect(() => readAll(reader)).toThrow('layout version 2, this build reads version 1')
    const next = writer.claim(255, HEAD_BYTES)
    writePlain(writer.view, next, asPartitionNumber(1), { type: 'resign', ...between })
    writer.commit()
    expect(() => readAll(reader)).toThrow('raft message of unknown type 255')
  })

  it('are refused by their writer beyond their bounds', () => {
    const voters = Array.from({ length: MEMBERS_MAX + 1 }, (_, i) => i + 1)
    const configuration = { voters, learners: [] }
    const tooMany: ControlEntry = { kind: 'membership', at: 100, term: 5, configuration }
    const payload = new Uint8Array(HOST_PAYLOAD_BYTES_MAX + 1)
    const tooLong: ControlEntry = { kind: 'host', at: 100, term: 5, payload }
    const noBytes: ControlEntry = { kind: 'host', at: 100, term: 5, payload: { start: 1 } }
    for (const control of [tooMany, tooLong, noBytes]) {
      expect(() => appendBytes(someAppend({ controls: [control] }))).toThrow(InvariantError)
    }
    const lines = new Drawer(1).lines(17, 0)
    const snapshot = { ...someAppend(), type: 'snapshot', configuration, lines } as const
    expect(() => snapshotBytes(snapshot, 0)).toThrow('lines of one entry')
    expect(() => snapshotBytes({ ...snapshot, lines: [] }, 0)).toThrow('64 members at most')
  })

  it('fit into the smallest ring between brokers', () => {
    const draw = new Drawer(3)
    for (let i = 0; i < 500; i++) {
      const { message, base } = draw.snapshot() as Extract<Sent, { kind: 'snapshot' }>
      expect(base.producers.length).toBeLessThan(901)
      expect(snapshotBytes(message, 0)).toBeLessThanOrEqual(RAFT_RECORD_BYTES_MIN)
      const append = draw.append(draw.random.below(60), draw.random.below(60))
      for (const piece of splitAppend(append, RAFT_RECORD_BYTES_MIN)) {
        expect(appendBytes(piece)).toBeLessThanOrEqual(RAFT_RECORD_BYTES_MIN)
      }
    }
  })
})

describe('an append that is too long', () => {
  it('is itself where it fits', () => {
    const append = someAppend()
    expect(splitAppend(append, 4_096)).toEqual([append])
    expect(splitAppend(append, 4_096)[0]).toBe(append)
  })

  it('is cut where terms begin and control entries lie; the pieces follow on each other and say the same', () => {
    const draw = new Drawer(11)
    for (let i = 0; i < 300; i++) {
      const append = draw.append(1 + draw.random.below(80), draw.random.below(80))
      const pieces = splitAppend(append, RAFT_RECORD_BYTES_MIN)
      expect(pieces[0]!.start).toBe(append.start)
      expect(pieces.at(-1)!.end).toBe(append.end)
      expect(pieces.flatMap(({ controls }) => controls)).toEqual(append.controls)
      const places = [
        ...append.lines.map(({ start }) => start),
        ...append.controls.map(({ at }) => at),
      ]
      for (const [p, piece] of pieces.entries()) {
        const before = pieces[p - 1]
        expect(piece.end).toBeGreaterThan(piece.start)
        expect(piece.lines[0]!.start).toBe(piece.start)
        for (const { at } of piece.controls) {
          expect(at >= piece.start && at < piece.end).toBe(true)
        }
        for (let at = piece.start; at < piece.end; at++) {
          expect(termAt(piece.lines, at)).toBe(termAt(append.lines, at))
        }
        if (before === undefined) continue
        expect(piece.start).toBe(before.end)
        expect(places).toContain(piece.start)
        expect(piece.previousTerm).toBe(termAt(append.lines, piece.start - 1))
      }
    }
  })

  it('is refused where one entry alone has no room', () => {
    const payload = new Uint8Array(1_000)
    const controls: ControlEntry[] = [{ kind: 'host', at: 150, term: 5, payload }]
    expect(() => splitAppend(someAppend({ controls }), 512)).toThrow('fits into a message')
  })
})

const termAt = (lines: readonly TermLine[], position: number) =>
  lines.findLast(({ start }) => start <= position)?.term
