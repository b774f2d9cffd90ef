import { expect, test } from 'vitest'
import { optionsOf, wholeNumber } from './command-options.ts'

const OPTIONS = {
  seed: { type: 'string' },
  seeds: { type: 'string', default: '100' },
  verbose: { type: 'boolean', default: false },
} as const

test('options that are there', () => {
  expect(optionsOf(['--seed', '7', '--verbose'], OPTIONS)).toEqual({
    ...{ seed: '7', seeds: '100', verbose: true },
  })
})

test('others, those without a value, and what is no option are refused in a line', () => {
  const refusalOf = (...args: string[]) => {
    try {
      return optionsOf(args, OPTIONS)
    } catch (error) {
      return String(error)
    }
  }
  expect(refusalOf('--bogus')).toBe("UsageError: Unknown option '--bogus'")
  expect(refusalOf('--seed')).toMatch(/^UsageError: Option '--seed <value>' argument missing$/)
  expect(refusalOf('12')).toMatch(/^UsageError: Unexpected argument '12'.*$/)
})

test('numbers are whole, and within their range', () => {
  expect(wholeNumber('seconds', '30', 1)).toBe(30)
  for (const text of ['x', '', '-1', '1.5', '0', '1e3', ' 7']) {
    expect(() => wholeNumber('seconds', text, 1)).toThrow(
      `--seconds: "${text}" is refused, it wants a whole number from 1 on`,
    )
  }
  expect(() => wholeNumber('replicas', '4', 1, 3)).toThrow('from 1 to 3')
})
