import { expect, test } from 'vitest'
import { buildTemplates } from '../../native-bench/load/produce-batches.ts'
import { textValue } from '../../native-bench/load/values.ts'
import { parseWorkload } from '../../native-bench/load/workload.ts'

/** What remains of values in batches that are built of them, headers and all. */
async function remains(codec: string, recordBytes: number, recordsPerBatch: number) {
  const produce = { compression: codec, recordBytes, recordsPerBatch, distinctBatches: 4 }
  const [group] = parseWorkload({ name: 'x', topics: {}, produce }, 'x.json').produce
  const templates = await buildTemplates(group!, false)
  const bytes = templates.reduce((sum, { batch }) => sum + batch.length, 0)
  return bytes / (recordBytes * recordsPerBatch * templates.length)
}

test.each([
  ['half with lz4, a third with zstd: large batches', 1024, 900, 0.49, 0.31],
  ['half with lz4, a third with zstd: 64 KiB', 1024, 64, 0.49, 0.34],
  ['somewhat more of small records', 100, 9_216, 0.62, 0.4],
])('remains %s', async (_, recordBytes, records, lz4, zstd) => {
  for (const [codec, share] of [
    ['lz4', lz4],
    ['zstd', zstd],
  ] as const) {
    const found = await remains(codec, recordBytes, records)
    expect(found, codec).toBeGreaterThan(share - 0.05)
    expect(found, codec).toBeLessThan(share + 0.05)
  }
})

test('values are text, the same for the same seed and others for another', () => {
  expect(textValue(500, 7)).toEqual(textValue(500, 7))
  expect(textValue(500, 7).equals(textValue(500, 8))).toBe(false)
  expect(textValue(1_000, 1).toString('latin1')).toMatch(/^[A-Za-z0-9 ]{1000}$/)
})
