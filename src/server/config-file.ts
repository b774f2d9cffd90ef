/** The configuration file: one mapping of option names to values, in YAML or JSON, with the lines of its keys for messages. */
import { readFileSync } from 'node:fs'
import { didYouMean } from './nearest.ts'

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

/** Reads and checks the names, not the values. Throws {@link ConfigError} that names file, line and key. */
export async function readConfigFile(path: string, names: readonly string[]): Promise<ConfigFile> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new ConfigError(`option --config: cannot read ${path} (${code})`)
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
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const fault = document.errors[0]
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
  const values = document.toJS() as Record<string, unknown>
  const where = (name: string) => `${path}, line ${lineOf.get(name) ?? 1}`
  for (const key of Object.keys(values)) {
    if (names.includes(key)) continue
    throw new ConfigError(`unknown key ${key} of ${where(key)}${didYouMean(key, names)}`)
  }
  return { path, values, originOf: (name) => `key ${name} of ${where(name)}` }
}

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
