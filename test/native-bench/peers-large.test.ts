/** Rows that make or write much beforehand, run for real, Griot against Griot, small. No figure is judged. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Sandbox } from '../../native-bench/common/sandbox.ts'
import { expectAll, ROW_TIMEOUT_MS, smokeRow } from './smoke-row.ts'

vi.setConfig({ testTimeout: ROW_TIMEOUT_MS })

let place: string
let sandbox: Sandbox
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'griot-rows-test-'))
  sandbox = new Sandbox(place)
})
afterEach(async () => {
  await sandbox.close()
  expect(readdirSync(place)).toEqual([])
  rmSync(place, { recursive: true, force: true })
})

const smoke = (name: string) => smokeRow(name, sandbox)

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
