import { newRegion } from '../../src/shared/region.ts'
import { formatRing, ringBytes } from '../../src/shared/ring-layout.ts'
import { type RingHandler, RingReader } from '../../src/shared/ring-reader.ts'
import { RingWriter } from '../../src/shared/ring-writer.ts'
import type { Case, Subject } from './case.ts'

/** A ring between two threads, both ends on one: what the hand-over costs without the wake-up. */
export function ringSubject(): Subject {
  return { cases: [ringCase('100 B', 100), ringCase('1 KB', 1 << 10), ringCase('16 KB', 16 << 10)] }
}

function ringCase(name: string, bytes: number): Case {
  const region = formatRing(newRegion(ringBytes(1 << 20)))
  const writer = new RingWriter(region)
  const reader = new RingReader(region)
  const from = new Uint8Array(bytes).fill(7)
  let seen = 0
  const handler: RingHandler = {
    onRecord: (_type, ring, offset, length) => {
      seen += ring.bytes[offset + length - 1]!
    },
  }
  return {
    name: `ring ${name}`,
    bytes,
    run: () => {
      const at = writer.claim(1, bytes)
      writer.bytes.set(from, at)
      writer.commit()
      if (reader.poll(handler, 1) !== 1) throw new Error('the ring lost a record')
      return seen
    },
  }
}
