import { stampOffsets } from '../../src/record/batch.ts'
import { newRegion } from '../../src/shared/region.ts'
import { RingLogReader, type RingLogSpan } from '../../src/shared/ring-log-reader.ts'
import { RingLogWriter } from '../../src/shared/ring-log-writer.ts'
import { sharedBatch } from './batch.ts'
import type { Case, Subject } from './case.ts'

/** A partition's newest batches: append and publish, find, and read by copy or under a pin. */
export function ringLogSubject(): Subject {
  const small = sharedBatch(1, 100)
  const middle = sharedBatch(16)
  return {
    cases: [
      append('200 B', small),
      append('16 KB', middle),
      ...reads('200 B', small),
      ...reads('16 KB', middle),
    ],
  }
}

function emptyLog(): { writer: RingLogWriter; reader: RingLogReader } {
  const writer = new RingLogWriter(newRegion(4 << 20), {
    ...{ generation: 1, partition: 0, fronts: 1 },
    ...{ logStartOffset: 0, highWatermark: 0, lastStableOffset: 0, logEndOffset: 0 },
  })
  return { writer, reader: new RingLogReader(writer.region, 1, 0) }
}

/** One batch, as a broker appends it: copied in, stamped there, published as committed. */
function appendOne(writer: RingLogWriter, batch: Uint8Array, records: number): void {
  const base = writer.logEndOffset
  const at = writer.reserve(batch.length)
  if (at < 0) throw new Error('the ring log took no batch')
  writer.bytes.set(batch, at)
  stampOffsets(writer.bytes, at, base, 0)
  const end = base + records
  writer.publish({
    ...{ logEndOffset: end, highWatermark: end, lastStableOffset: end, logStartOffset: 0 },
  })
}

const recordsOf = (batch: Uint8Array): number => 1 + new DataView(batch.buffer).getInt32(23)

function append(name: string, batch: Uint8Array): Case {
  const { writer } = emptyLog()
  const records = recordsOf(batch)
  return {
    name: `ring log append ${name}`,
    bytes: batch.length,
    run: () => appendOne(writer, batch, records),
  }
}

function reads(name: string, batch: Uint8Array): Case[] {
  const { writer, reader } = emptyLog()
  const records = recordsOf(batch)
  // twice round, so that the log has a lap behind it
  const count = Math.floor((2 * writer.capacityBytes) / batch.length)
  for (let i = 0; i < count; i++) appendOne(writer, batch, records)
  const { oldestOffset } = writer
  const held = writer.logEndOffset - oldestOffset
  // a step that is prime to most counts: every part of the log is asked for
  let step = 0
  const next = () => oldestOffset + ((step += 7919 * records) % held)
  const span: RingLogSpan = { position: 0, length: 0 }
  const target = new Uint8Array(batch.length)
  const find = () => {
    const position = reader.find(next())
    if (position >= RingLogReader.NOT_FOUND) throw new Error('the ring log lost an offset')
    return position
  }
  const readable = () => {
    if (!reader.readable(find(), batch.length, span) || span.length !== batch.length) {
      throw new Error('the ring log has no batch there')
    }
  }
  return [
    { name: `ring log find ${name}`, run: find },
    {
      name: `ring log copy ${name}`,
      bytes: batch.length,
      run: () => {
        readable()
        if (!reader.copy(span.position, span.length, target, 0)) throw new Error('overwritten')
      },
    },
    {
      name: `ring log view ${name}`,
      run: () => {
        readable()
        if (!reader.pin(span.position)) throw new Error('not pinned')
        const view = reader.view(span.position, span.length)
        reader.unpin()
        return view
      },
    },
  ]
}
