import { InvalidArgumentError } from 'commander'

/** For commander: a whole number from 1 on. */
export function positiveInteger(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) {
    throw new InvalidArgumentError('a whole number from 1 on was expected.')
  }
  return value
}

/** For commander: a number above 0. */
export function positiveNumber(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0) {
    throw new InvalidArgumentError('a number above 0 was expected.')
  }
  return value
}
