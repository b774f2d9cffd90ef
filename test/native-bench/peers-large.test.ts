/** Rows that make or write much beforehand, run for real, Griot against Griot, small. No figure is judged. */
import { expect, test, vi } from 'vitest'
import { expectAll, ROW_TIMEOUT_MS, smokeRows } from './smoke-row.ts'

vi.setConfig({ testTimeout: ROW_TIMEOUT_MS })

const smoke = smokeRows()

test('many topics, empty and written', async () => {
  const { measured } = await smoke('many-topics')
  for (const figures of Object.values(measured.rounds[0]!)) {
    expect(figures.files).toBeGreaterThan(0)
    expect(figures.filesWritten).toBeGreaterThanOrEqual(figures.files!)
    expect(figures.usableWrittenMs).toBe(figures.usableMs! + figures.writtenMs!)
    expect(figures.rssWrittenMB).toBeTypeOf('number')
  }
})

test('memory, after all three loads', async () => {
  const { measured } = await smoke('memory')
  for (const { idleMB, loadedMB } of Object.values(measured.rounds[0]!)) {
    expect(idleMB).toBeGreaterThan(20)
    expect(loadedMB).toBeGreaterThan(20)
  }
})

test('catch-up reads what was written before', async () => {
  const { row, measured } = await smoke('catch-up-100b')
  expectAll(row, measured)
})
