/** What Redpanda Console's backend asks, by its own client, franz-go (`console/main.go`). `run.sh console` builds that and names it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EngineProcess } from '../engine-process.ts'
import { run } from '../run.ts'

const program = process.env.CONSOLE_CALLS ?? ''
if (program === '') {
  console.log('skipped: needs Go 1.25 (sh test/clients/ecosystem/run.sh console)')
}

describe.skipIf(program === '')("Redpanda Console's calls", () => {
  let directory: string
  let engine: EngineProcess

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'griot-console-'))
    engine = await EngineProcess.create(join(directory, 'data'))
    await engine.start()
  })

  afterAll(async () => {
    await engine?.end('SIGTERM')
    await rm(directory, { recursive: true, force: true })
  })

  it('work, page by page', async () => {
    const { code, stdout, stderr } = await run(program, [engine.bootstrap], { timeoutMs: 100_000 })
    const lines = stdout.trimEnd().split('\n')
    expect(lines.filter((line) => line.includes('\tSURPRISE\t'))).toEqual([])
    expect(lines.at(-1), stderr).toBe('0 surprises')
    expect(code).toBe(0)
    expect(lines.filter((line) => line.includes('\tok\t')).length).toBeGreaterThan(50)
    console.log(lines.find((line) => line.startsWith('Console shows')))
  }, 110_000)
})
