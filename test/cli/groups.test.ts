/** `griot group` and `griot consume -g` as users run them, against `griot start`. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { servedApis } from '../../src/front/handlers.ts'
import { joinGroup } from '../../src/protocol/11-join-group.ts'
import { EngineProcess } from '../clients/engine-process.ts'
import { LiveGriot, runGriot, runWithInput } from './run-griot.ts'

describe.skipIf(!servedApis.includes(joinGroup))('consumer groups', () => {
  let directory: string
  let engine: EngineProcess

  beforeAll(async () => {
    directory = mkdtempSync(path.join(os.tmpdir(), 'griot-groups-'))
    engine = await EngineProcess.create(path.join(directory, 'data'), 3, ['--memory', '64M'])
    await engine.start()
  }, 30_000)

  afterAll(async () => {
    await engine?.end('SIGTERM')
    rmSync(directory, { recursive: true, force: true })
  })

  const griot = (args: readonly string[], input = '') =>
    runGriot([...args, '-b', engine.bootstrap], input)
  const json = async (args: readonly string[]) =>
    JSON.parse((await griot([...args, '--json'])).stdout)
  const lines = (count: number, prefix: string) =>
    Array.from({ length: count }, (_, i) => `k${i}:${prefix}${i}\n`).join('')

  test.each([
    ['a full disk', '> /dev/full', 1],
    ['a reader that has gone', '| true', 0],
  ])(
    'commit nothing that could not be written: %s',
    async (_, where, code) => {
      const name = `lost${code}`
      await griot(['produce', name], lines(50_000, 'x'))
      const script = `timeout 15 "$0" "$1" consume ${name} -g ${name} -e -b ${engine.bootstrap} ${where}; echo "\${PIPESTATUS[0]}" >&2`
      const launcher = path.join(import.meta.dirname, '../../dist/griot.cjs')
      const { stderr } = await runWithInput('bash', ['-c', script, process.execPath, launcher], '')
      expect(stderr.trim().split('\n').at(-1)).toBe(String(code))
      const again = await griot(['consume', name, '-g', name, '-e'])
      expect(again.stdout.split('\n')).toHaveLength(50_001)
    },
    40_000,
  )

  test('read on where they stand, are described, moved and deleted', async () => {
    await griot(['topic', 'create', 't', '-p', '2'])
    await griot(['produce', 't', '-K', ':'], lines(20, 'a'))
    const first = await griot(['consume', 't', '-g', 'g', '-e'])
    expect([first.code, first.stderr, first.stdout.split('\n').length]).toEqual([0, '', 21])
    await griot(['produce', 't', '-K', ':'], lines(10, 'b'))
    expect((await json(['group', 'describe', 'g']))[0]).toMatchObject({
      ...{ group: 'g', state: 'Empty', totalLag: 10, members: [] },
    })
    const second = await griot(['consume', 't', '-g', 'g', '-e', '-o', 'end'])
    expect(second.stderr).toMatch(
      /^griot: group "g" goes on from what it has committed; -o is .*\n$/,
    )
    expect(second.stdout.match(/b\d/g)).toHaveLength(10)
    expect(second.stdout).not.toContain('a')
    expect(await ownGroups()).toMatchObject([{ groupId: 'g', state: 'Empty' }])

    const dry = await json(['group', 'reset-offsets', 'g', '--shift-by', '-1', '--dry-run'])
    for (const { before, after } of dry.offsets) expect(after).toBe(before - 1)
    expect((await json(['group', 'describe', 'g']))[0].totalLag).toBe(0)
    await griot(['group', 'reset-offsets', 'g', '--to', 'start', '--topic', 't:0'])
    const [moved] = await json(['group', 'describe', 'g'])
    expect(moved.partitions.map((p: { committed: number }) => p.committed === 0)).toEqual([
      ...[true, false],
    ])
    await griot(['group', 'seek', 'g', '--to', '-1h'])
    expect((await json(['group', 'describe', 'g']))[0].totalLag).toBe(30)
    await griot(['group', 'seek', 'g', '--to', 'end'])
    expect((await json(['group', 'describe', 'g']))[0].totalLag).toBe(0)
    const far = await griot(['group', 'reset-offsets', 'g', '--to', '999', '--dry-run'])
    expect(far.stdout).toContain('999 is behind the end')

    const wrong = await griot(['group', 'describe', 'gg'])
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('did you mean g?') })
    expect(await griot(['group', 'delete', 'g'])).toMatchObject({
      ...{ code: 0, stdout: 'group g: deleted\n' },
    })
    expect(await ownGroups()).toEqual([])
  }, 55_000)

  /** All groups but those that the test of lost output leaves. */
  const ownGroups = async () =>
    (await json(['group', 'list'])).filter(
      ({ groupId }: { groupId: string }) => !groupId.startsWith('lost'),
    )

  test.each(['range', 'cooperative-sticky'])(
    'share partitions by %s, and see each record once when one leaves',
    async (assignor) => {
      const topic = `shared-${assignor}`
      await griot(['topic', 'create', topic, '-p', '4'])
      const args = ['consume', topic, '-g', assignor, '-f', '%p/%o\\n', '-b', engine.bootstrap]
      const one = new LiveGriot([...args, '--assignor', assignor])
      const describe = async () => (await json(['group', 'describe', assignor]))[0]
      const settled = async (members: number) => {
        for (let tries = 0; ; tries++) {
          const group = await describe().catch(() => undefined)
          const each = group?.members.map((m: { assigned: unknown[] }) => m.assigned.length) ?? []
          const isShared = each.length === members && each.every((n: number) => n === 4 / members)
          if (isShared && group.state === 'Stable') return group
          if (tries > 25) throw new Error(`not settled: ${JSON.stringify(group)}`)
          await new Promise((resolve) => setTimeout(resolve, 300))
        }
      }
      await settled(1)
      // without --assignor it does as the group does
      const two = new LiveGriot(args)
      expect((await settled(2)).assignor).toBe(assignor)
      const busy = await griot(['group', 'reset-offsets', assignor, '--to', 'start'])
      expect(busy).toMatchObject({ code: 1, stderr: expect.stringContaining('stop its members') })
      const kept = await griot(['group', 'delete', assignor])
      expect(kept).toMatchObject({ code: 1, stderr: expect.stringContaining('NON_EMPTY_GROUP') })

      await griot(['produce', topic, '-K', ':'], lines(200, 'a'))
      const all = async (count: number) => {
        const deadline = performance.now() + 15_000
        while ((one.stdout + two.stdout).split('\n').length - 1 < count) {
          if (performance.now() > deadline) throw new Error('records are missing')
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      }
      await all(200)
      one.child.kill('SIGINT')
      expect((await one.ended).code).toBe(0)
      await settled(1)
      await griot(['produce', topic, '-K', ':'], lines(100, 'b'))
      await all(300)
      two.child.kill('SIGINT')
      expect((await two.ended).code).toBe(0)
      const seen = (one.stdout + two.stdout).split('\n').filter(Boolean)
      expect(seen).toHaveLength(300)
      expect(new Set(seen).size).toBe(300)
      expect((await describe()).totalLag).toBe(0)
    },
    58_000,
  )
})
