/** Rows run for real, Griot against Griot, so that neither a JDK nor a quiet machine is needed. No figure is judged. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { isAlive, Sandbox } from '../../native-bench/common/sandbox.ts'
import { startGriot } from '../../native-bench/peers/griot.ts'
import { expectAll, ROW_TIMEOUT_MS, smokeRow } from './smoke-row.ts'

vi.setConfig({ testTimeout: ROW_TIMEOUT_MS })

let place: string
let sandbox: Sandbox
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'griot-peers-test-'))
  sandbox = new Sandbox(place)
})
afterEach(async () => {
  await sandbox.close()
  rmSync(place, { recursive: true, force: true })
})

const smoke = (name: string) => smokeRow(name, sandbox)

test('start: both sides by turns, with figures, and nothing left', async () => {
  const { row, measured, lines } = await smoke('start')
  expect(measured.rounds).toHaveLength(1)
  expectAll(row, measured)
  expect(lines.map((line) => line.trim().split(' ')[0])).toEqual([
    'round',
    'Griot:',
    'Griot',
    'ratio:',
  ])
  expect(readdirSync(place)).toEqual([])
})

test('fan-out: every measure of both sides', async () => {
  const { row, measured } = await smoke('tail-fan-out')
  expectAll(row, measured)
  for (const { copies } of Object.values(measured.rounds[0]!)) {
    expect(copies).toBeGreaterThan(2)
    expect(copies).toBeLessThan(10)
  }
  expect(measured.notes.at(-1)).toMatch(/^While the other ran, Griot took .* of a core/)
})

test('idle', async () => {
  const { measured } = await smoke('idle')
  for (const { core } of Object.values(measured.rounds[0]!)) {
    expect(core).toBeGreaterThanOrEqual(0)
    expect(core).toBeLessThan(200)
  }
})

test.skipIf(!existsSync('/proc'))(
  'what a row started ends, and what it made goes, in the midst of it',
  async () => {
    const directory = sandbox.directory()
    const broker = await startGriot(sandbox, directory)
    // as load processes are: children, and in no sandbox
    const wait = ['-e', 'setTimeout(() => {}, 60_000)']
    const beside = spawn(process.execPath, wait, { stdio: 'ignore' })
    const pids = [broker.pids[0]!, beside.pid!]
    expect(pids.filter(isAlive)).toEqual(pids)
    sandbox.closeNow()
    // before the event loop has heard of it
    expect(pids.filter(isAlive)).toEqual([])
    expect(existsSync(directory)).toBe(false)
    await broker.stop('SIGKILL')
    expect(() => process.kill(broker.pids[0]!, 0)).toThrow(/ESRCH/)
  },
)
