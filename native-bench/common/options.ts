import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
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

/** For commander: a file to be written at the end, which must not fail then. */
export function fileToWrite(path: string): string {
  const directory = dirname(path)
  if (!existsSync(directory)) {
    throw new InvalidArgumentError(`there is no directory ${directory}: make it first.`)
  }
  if (existsSync(path) && statSync(path).isDirectory()) {
    throw new InvalidArgumentError('it is a directory, but a file was expected.')
  }
  try {
    accessSync(existsSync(path) ? path : directory, constants.W_OK)
  } catch {
    throw new InvalidArgumentError('it cannot be written there.')
  }
  return path
}
