import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compiler } from '../../native-bench/limits/compile.ts'
import { measureLimits, parseLine } from '../../native-bench/limits/measure.ts'
import { LIMITS, type LimitName, limitNames } from '../../native-bench/limits/programs.ts'

const SECONDS = 0.02
const inC = limitNames.filter((name) => LIMITS[name].kind === 'c')
const inNode = limitNames.filter((name) => LIMITS[name].kind === 'node')

let directory: string
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'griot-limits-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const measure = async (names: readonly LimitName[], rounds: number) => {
  const skipped: string[] = []
  const onSkip = (limit: string, why: string) => skipped.push(`${limit}: ${why}`)
  const measured = await measureLimits(names, { rounds, seconds: SECONDS, directory, onSkip })
  return { measured, skipped }
}

describe.skipIf(compiler() === null)('the programs in C (need cc, gcc or clang)', () => {
  test('compile and print a line each, or say that there is no such limit here', async () => {
    const { measured, skipped } = await measure(inC, 1)
    // a processor may have no instruction for CRC-32C, and nothing else may be missing
    expect(skipped.filter((line) => !/^crc32c(-cached)?: no instruction/.test(line))).toEqual([])
    expect(measured.map(({ limit }) => limit).concat(skipped as never)).toHaveLength(inC.length)
    for (const { unit, lines } of measured) {
      expect(lines).toHaveLength(1)
      expect(lines[0]!.value).toBeGreaterThan(0)
      expect(lines[0]!.args.seconds).toBe(SECONDS)
      if (unit === '1/s') expect(lines[0]!.p99Us).toBeGreaterThanOrEqual(lines[0]!.p50Us!)
    }
    // what they wrote is gone
    expect(readdirSync(directory)).toEqual([])
  }, 30_000)
})

test('the scripts for comparison print a line each, round after round', async () => {
  const { measured, skipped } = await measure(inNode, 2)
  expect(skipped).toEqual([])
  expect(measured.map(({ limit }) => limit)).toEqual(inNode)
  for (const { lines } of measured) expect(lines).toHaveLength(2)
}, 30_000)

test('what is no line of a limit is refused', () => {
  const line = { name: 'x', unit: 'B/s', value: 1, args: {} }
  expect(parseLine(JSON.stringify(line))).toEqual(line)
  for (const wrong of [
    { unit: 'MB/s' },
    { value: 0 },
    { value: 'fast' },
    { name: 1 },
    { args: 1 },
  ]) {
    expect(() => parseLine(JSON.stringify({ ...line, ...wrong }))).toThrow(/not the line/)
  }
})
