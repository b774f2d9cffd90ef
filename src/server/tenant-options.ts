/** Options of an embedded engine's tenants, checked as those of `Griot.start` are: a typo must not make an administrator. */
import { ConfigError } from './config-file.ts'
import { didYouMean } from './nearest.ts'

interface Wanted {
  readonly what: string
  readonly isIt: (value: unknown) => boolean
}

const TEXT: Wanted = { what: 'a string', isIt: (value) => typeof value === 'string' }
const NUMBERS: Wanted = {
  what: 'an object of limits and numbers, as { topics: 10 }',
  isIt: (value) => isObject(value) && Object.values(value).every((max) => typeof max === 'number'),
}

const TENANT_OPTIONS: Readonly<Record<string, Wanted>> = { name: TEXT, limits: NUMBERS, plan: TEXT }
const KEY_OPTIONS: Readonly<Record<string, Wanted>> = { user: TEXT }

/** Longer values are cut in messages. */
const SHOWN_CHARS = 100

/** Throws {@link ConfigError} for what `createTenant` does not take. */
export const checkTenantOptions = (given: unknown): void =>
  check('createTenant', given, TENANT_OPTIONS)

/** Throws {@link ConfigError} for what `createKey` does not take. */
export const checkKeyOptions = (given: unknown): void => check('createKey', given, KEY_OPTIONS)

/** Throws {@link ConfigError} unless the argument `name` of `call` is text. */
export function checkTextArgument(call: string, name: string, value: unknown): void {
  if (typeof value === 'string') return
  throw new ConfigError(`${call}: ${name} ${shown(value)} is refused, it wants ${TEXT.what}`)
}

function check(call: string, given: unknown, wanted: Readonly<Record<string, Wanted>>): void {
  const names = Object.keys(wanted)
  if (!isObject(given)) {
    const example = `{ ${names[0]}: … }`
    throw new ConfigError(`${call}: ${shown(given)} is refused, it wants an object, as ${example}`)
  }
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(wanted, name)) {
      throw new ConfigError(`${call}: unknown option ${name}${hint(name, names)}`)
    }
    const { what, isIt } = wanted[name]!
    // one that is left out by its value
    if (value === undefined || isIt(value)) continue
    throw new ConfigError(`${call}: option ${name}: ${shown(value)} is refused, it wants ${what}`)
  }
}

/** The nearest one; else all: they are few. */
const hint = (name: string, names: readonly string[]): string =>
  didYouMean(name, names) || ` (there is ${names.join(', ')})`

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function shown(value: unknown): string {
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, SHOWN_CHARS)
  } catch {
    return typeof value
  }
}
