import { afterEach, expect, test, vi } from 'vitest'
import { printPart } from '../../src/cli/consumption.ts'
import { computedCrcOf } from '../../src/record/batch.ts'
import { buildBatch } from '../../src/record/builder.ts'

afterEach(() => void vi.restoreAllMocks())

/** What the log cleaner leaves of a batch whose last records are gone: it still ends where it did. */
function cleaned(baseOffset: number, lastOffset: number): Uint8Array {
  const batch = buildBatch([{ timestampMs: 0, key: null, value: Buffer.from('x') }], { baseOffset })
  const view = new DataView(batch.buffer, batch.byteOffset)
  view.setInt32(23, lastOffset - baseOffset)
  view.setUint32(17, computedCrcOf(batch, 0))
  return batch
}

test('who is told to stop behind a batch without a record of its own reads on to the next', async () => {
  const next = buildBatch([{ timestampMs: 0, key: null, value: Buffer.from('y') }], {
    baseOffset: 10,
  })
  const bytes = Buffer.concat([cleaned(0, 9), next])
  const seen: number[] = []
  const printer = {
    ...{ seen: 0, bytes: 0, isDone: false },
    add: ({ offset }: { offset: number }) => void seen.push(offset),
    writeIfMuch: async () => {},
  }
  let nowMs = 0
  vi.spyOn(performance, 'now').mockImplementation(() => (nowMs += 10_000))
  const shared = { printer, progress: { update: () => {} }, stop: { isWanted: true } }
  const part = { topic: 't', partition: 0, bytes, fromOffset: 5, aborted: null, nextOffset: 11 }
  const bounds = { printFrom: 5, stopBefore: null }
  expect(await printPart(shared as never, part, bounds)).toBe(11)
  expect(seen).toEqual([10])
})
