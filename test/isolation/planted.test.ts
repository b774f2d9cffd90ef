/** Each leak that is planted in a copy of the source is found, and nothing is without one. */
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { plant } from '../sim/planting.ts'
import { PLANTED, type PlantedLeak } from './planted.ts'

const TIMEOUT_MS = 120_000
const PLACE = {
  entry: join(import.meta.dirname, 'main.ts'),
  out: join(import.meta.dirname, '.bundles'),
}

afterAll(() => rmSync(PLACE.out, { recursive: true, force: true }))

async function proveWith(
  leak: PlantedLeak | null,
  apis: readonly number[],
  name: string,
  isReplicated = leak?.isReplicated ?? false,
) {
  const file = await plant(leak, name, PLACE)
  const how = [
    ...(leak?.isBusy === true ? ['--busy'] : []),
    ...(isReplicated ? ['--replicated'] : []),
  ]
  const args = [file, '--apis', apis.join(','), ...how]
  const run = spawnSync(process.execPath, args, { encoding: 'utf8' })
  expect(run.stderr).toBe('')
  const findings = Number(/^findings: (\d+)/m.exec(run.stdout)?.[1])
  return { findings, said: run.stdout }
}

describe('leaks that are planted', () => {
  it.each(PLANTED)('$name', { timeout: TIMEOUT_MS }, async (leak) => {
    const { findings, said } = await proveWith(leak, leak.apis, `leak-${PLANTED.indexOf(leak)}`)
    expect(findings, 'what the proof finds').toBeGreaterThan(0)
    expect(said).toMatch(leak.shows)
  })

  it('by a tag that is removed do not begin: no engine starts', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const find = "groupId: string({ entity: 'groupId' })"
    const leak = { file: 'protocol/12-heartbeat.ts', find, replace: 'groupId: string()' }
    const file = await plant(leak, 'untagged', PLACE)
    const run = spawnSync(process.execPath, [file, '--apis', '12'], { encoding: 'utf8' })
    expect(run.status).not.toBe(0)
    expect(run.stderr).toMatch(/Heartbeat: .*scoped but never named: groupId/)
  })

  it('are what is found: without them there is nothing', { timeout: TIMEOUT_MS }, async () => {
    const apis = [...new Set(PLANTED.flatMap((leak) => leak.apis))]
    expect((await proveWith(null, apis, 'clean')).findings).toBe(0)
    expect((await proveWith(null, [3], 'clean', true)).findings).toBe(0)
  })
})
