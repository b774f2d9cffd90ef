import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { collectWithoutHelpers } from '../../src/server/collector-flags.ts'

test('V8 marks without helpers where there are no cores for them, and as ever elsewhere', () => {
  const flags = [1, 2, 3, 8].map((cores) => {
    const set: string[] = []
    collectWithoutHelpers(cores, (flag) => void set.push(flag))
    return set.join()
  })
  expect(flags).toEqual(['--no-concurrent-marking', '--no-concurrent-marking', '', ''])
})

test('this Node takes the flag', () => {
  // to set one that there is not throws nothing
  const known = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })
  expect(known).toMatch(/^ *--(\[no-?\])?concurrent-marking /m)
  expect(() => collectWithoutHelpers(1)).not.toThrow()
})
