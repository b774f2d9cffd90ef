import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { resolveEmbedded } from '../../src/server/embedded-options.ts'
import { OPTIONS } from '../../src/server/options.ts'
import { planReload } from '../../src/server/reload.ts'

const before = resolveEmbedded({ kafkaListen: 'a:1', memory: '64M' }, '/d')
const changed = {
  ...before,
  logLevel: 'debug',
  memoryBytes: 2 ** 27,
  defaultPartitions: 9,
} as const

describe('a reload', () => {
  test('takes what is live, and keeps the rest as it was', () => {
    const plan = planReload(before, changed)
    expect(plan.settings).toEqual({ ...before, logLevel: 'debug', defaultPartitions: 9 })
    expect(plan.applied).toEqual([
      { option: 'log-level', before: 'error', after: 'debug' },
      { option: 'default-partitions', before: '4', after: '9' },
    ])
    expect(plan.needRestart).toEqual([{ option: 'memory', before: '64 MB', after: '128 MB' }])
    expect(planReload(before, before)).toEqual({ settings: before, applied: [], needRestart: [] })
  })

  test('changes what clients are told, as long as listeners stay where they are', () => {
    const told = (listen: string) => resolveEmbedded({ kafkaListen: listen }, '/d')
    const plan = planReload(told('a:1,b:1=x'), told('a:1=y:7,b:1'))
    expect(plan.applied).toEqual([
      { option: 'kafka-listen', before: 'a:1,b:1=x', after: 'a:1=y:7,b:1' },
    ])
    const moved = planReload(told('a:1'), told('a:2=y'))
    expect(moved.applied).toEqual([])
    expect(moved.needRestart).toEqual([{ option: 'kafka-listen', before: 'a:1', after: 'a:2=y' }])
    expect(moved.settings.kafkaListen).toEqual(told('a:1').kafkaListen)
  })

  test('is told of in the README: which options are live', () => {
    const readme = readFileSync(path.join(import.meta.dirname, '../../README.md'), 'utf8')
    const live = /SIGHUP[^\n]*\n(?:[^\n]*\n)*?\n((?:\|[^\n]*\n)+)/.exec(readme)?.[1] ?? ''
    const named = [...live.matchAll(/`--([\w-]+)`/g)].map(([, name]) => name).sort()
    expect(named).toEqual(
      OPTIONS.filter((spec) => spec.isLive)
        .map((spec) => spec.name)
        .sort(),
    )
  })
})
