/** The day-to-day commands as users run them, against `griot start`, and beside kcat where it is there. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EngineProcess } from '../clients/engine-process.ts'
import { missing } from '../clients/requirements.ts'
import { type RunResult, run } from '../clients/run.ts'

const launcher = path.join(import.meta.dirname, '../../dist/griot.cjs')

let directory: string
let engine: EngineProcess

beforeAll(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-day-'))
  engine = await EngineProcess.create(path.join(directory, 'data'), 3, ['--memory', '64M'])
  await engine.start()
}, 30_000)

afterAll(async () => {
  await engine?.end('SIGTERM')
  rmSync(directory, { recursive: true, force: true })
})

/** Runs a command with `input` on its standard input; `-b` is added. */
function griot(args: readonly string[], input = ''): Promise<RunResult> {
  return runWithInput(process.execPath, [launcher, ...args, '-b', engine.bootstrap], input)
}

const kcat = (args: readonly string[], input = '') =>
  runWithInput('kcat', ['-b', engine.bootstrap, ...args], input)
