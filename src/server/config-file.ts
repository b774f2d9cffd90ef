/** The configuration file: one mapping of option names to values, in YAML or JSON, with the lines of its keys for messages. */
import type { Document } from 'yaml'
import { didYouMean } from './nearest.ts'
import { readSmallFile } from './small-file.ts'

const FILE_BYTES_MAX = 2 ** 20
/** How often aliases may repeat what they name, those within counted by how often they are repeated themselves. */
const ALIASES_MAX = 100

/** An option was refused: the message names it, where it came from and what is wanted. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

export interface ConfigFile {
  readonly path: string
  readonly values: Readonly<Record<string, unknown>>
  /** `key NAME of PATH, line N`. */
  originOf(name: string): string
}

/**
 * Reads and checks the names, not the values. `isAgain`: an engine runs on this thread, and is not to wait for a pipe. Throws
 * {@link ConfigError} that names file, line and key.
 */
export async function readConfigFile(
  path: string,
  names: readonly string[],
  isAgain: boolean,
): Promise<ConfigFile> {
  let text: string
  try {
    text = readSmallFile(path, { bytesMax: FILE_BYTES_MAX, mayBeOwnPipe: !isAgain })
  } catch (error) {
    throw new ConfigError(`option --config: cannot read ${path} (${(error as Error).message})`)
  }
  // cut short by whoever writes it, most likely: taken as it is, it would set everything back to its default
  if (text.trim() === '') {
    throw new ConfigError(`option --config: ${path} is empty; {} stands for no options`)
  }
  // loaded where there is a file only: it is large
  const { parseDocument, LineCounter, isMap, isScalar } = await import('yaml')
  if (path.endsWith('.json')) checkJson(path, text)
  const lines = new LineCounter()
  // what YAML allows is more than JSON, and it knows where each key is
  const document = unlessTooDeep(path, () =>
    parseDocument(text, { lineCounter: lines, prettyErrors: false }),
  )
  const fault = document.errors[0]
  // the library tells of most of these itself
  if (fault?.message.includes('call stack')) throw tooDeep(path)
  if (fault !== undefined) throw unparsable(path, lines.linePos(fault.pos[0]).line, fault.message)
  const { contents } = document
  if (contents === null || (isScalar(contents) && contents.value === null)) return emptyFile(path)
  if (!isMap(contents)) {
    throw new ConfigError(
      `option --config: ${path} must hold one mapping of option names to values`,
    )
  }
  const lineOf = new Map<string, number>()
  for (const { key } of contents.items) {
    if (!isScalar(key)) continue
    lineOf.set(String(key.value), lines.linePos(key.range?.[0] ?? 0).line)
  }
  const values = unlessTooDeep(path, () => valuesOf(path, document))
  const where = (name: string) => `${path}, line ${lineOf.get(name) ?? 1}`
  for (const key of Object.keys(values)) {
    if (names.includes(key)) continue
    throw new ConfigError(`unknown key ${key} of ${where(key)}${didYouMean(key, names)}`)
  }
  return { path, values, originOf: (name) => `key ${name} of ${where(name)}` }
}

function valuesOf(path: string, document: Document.Parsed): Record<string, unknown> {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX })
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error
    const { message } = error
    const reason = message.includes('Excessive alias count')
      ? `its aliases (*NAME) repeat what they name more than ${ALIASES_MAX} times`
      : message
    throw new ConfigError(`option --config: ${path} is refused: ${reason}`)
  }
}

function unlessTooDeep<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw tooDeep(path)
  }
}

const tooDeep = (path: string): ConfigError =>
  new ConfigError(`option --config: ${path} is refused: it is nested too deeply`)

const emptyFile = (path: string): ConfigFile => ({
  path,
  values: {},
  originOf: (name) => `key ${name} of ${path}`,
})

function checkJson(path: string, text: string): void {
  try {
    JSON.parse(text)
  } catch (error) {
    const { message } = error as Error
    const at = Number(/position (\d+)/.exec(message)?.[1] ?? text.length)
    throw unparsable(path, text.slice(0, at).split('\n').length, message)
  }
}

const unparsable = (path: string, line: number, reason: string): ConfigError =>
  new ConfigError(
    `option --config: ${path}, line ${line} cannot be parsed: ${reason.split('\n')[0]!.trim()}`,
  )
