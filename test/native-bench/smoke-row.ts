/** A row, run for real but short and small, Griot against Griot. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { Sandbox } from '../../native-bench/common/sandbox.ts'
import { griotSide } from '../../native-bench/peers/griot.ts'
import type { Row } from '../../native-bench/peers/row.ts'
import { rows } from '../../native-bench/peers/rows.ts'
import { type Measured, runRow } from '../../native-bench/peers/run-row.ts'

/** For a test of a row: on a busy machine the start of its processes alone may take seconds. */
export const ROW_TIMEOUT_MS = 60_000

/** Runs rows by name, each test in a sandbox of its own, of which nothing may be left. Call it once in a file. */
export function smokeRows() {
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
  return (name: string, seconds?: number) => smokeRow(name, sandbox, seconds)
}

export async function smokeRow(name: string, sandbox: Sandbox, seconds = 0.6) {
  const row = rows.find((one) => one.name === name)!
  const chaos = row.killsBrokers ?? false
  const lines: string[] = []
  const measured = await runRow(
    row,
    {
      griot: griotSide(sandbox, 'Griot', { chaos }),
      peer: () => griotSide(sandbox, 'Griot again', { chaos }),
    },
    {
      rounds: 1,
      timing: {
        ...{ seconds, warmupSeconds: 0.2, freshWarmupSeconds: { griot: 0.2, kafka: 0.2 } },
        ...{ restMs: 100, size: 0.01 },
      },
      settleMs: 0,
      sandbox,
      print: (line) => lines.push(line),
    },
  )
  return { row, measured, lines }
}

/** Every measure of both sides is there; only an idle broker, and one that takes some more memory, may have nothing. */
export function expectAll(row: Row, { rounds }: Measured): void {
  expect(rounds).toHaveLength(1)
  for (const figures of Object.values(rounds[0]!)) {
    for (const { key, label } of row.measures) expect(figures[key], label).toBeGreaterThan(0)
  }
}
