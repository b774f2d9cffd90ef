/** Rows run for real, Griot against Griot, so that neither a JDK nor a quiet machine is needed. No figure is judged. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Side } from '../../native-bench/peers/broker.ts'
import { startGriot } from '../../native-bench/peers/griot.ts'
import { rows } from '../../native-bench/peers/rows.ts'
import { type RunOptions, runRow } from '../../native-bench/peers/run-row.ts'
import { Sandbox } from '../../native-bench/peers/sandbox.ts'

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

const side = (label: string): Side => ({
  name: 'griot',
  label,
  start: (directory) => startGriot(sandbox, directory),
})

async function smoke(name: string, change: Partial<RunOptions> = {}) {
  const row = rows.find((one) => one.name === name)!
  const lines: string[] = []
  const measured = await runRow(
    row,
    { griot: side('Griot'), peer: () => side('Griot again') },
    {
      rounds: 1,
      timing: { seconds: 0.5, warmupSeconds: 0.2, freshWarmupSeconds: { griot: 0.2, kafka: 0.2 } },
      sandbox,
      print: (line) => lines.push(line),
      ...change,
    },
  )
  return { row, measured, lines }
}

test('start: both sides by turns, with figures, and nothing left', async () => {
  const { row, measured, lines } = await smoke('start')
  expect(measured.rounds).toHaveLength(1)
  for (const figures of Object.values(measured.rounds[0]!))
    for (const { key } of row.measures) expect(figures[key]).toBeGreaterThan(1)
  expect(lines.map((line) => line.trim().split(' ')[0])).toEqual([
    'round',
    'Griot:',
    'Griot',
    'ratio:',
  ])
  expect(readdirSync(place)).toEqual([])
})

test('what a row started ends, and what it made goes, in the midst of it', async () => {
  const directory = sandbox.directory()
  const broker = await startGriot(sandbox, directory)
  sandbox.closeNow()
  expect(existsSync(directory)).toBe(false)
  expect(() => process.kill(broker.pids[0]!, 0)).not.toThrow()
  // asked for by the event loop only now
  await broker.stop('SIGKILL')
  expect(() => process.kill(broker.pids[0]!, 0)).toThrow(/ESRCH/)
})
