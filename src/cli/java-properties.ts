/** Files of properties, as java.util.Properties reads them; what librdkafka's users write is the same but for backslashes. */

export interface Property {
  /** As Java takes it: escapes are what they stand for. */
  readonly value: string
  /** As it stands in the file, which is how librdkafka takes it. */
  readonly raw: string
}

/** By name; of one that is there twice the last counts. */
export function parseJavaProperties(text: string): ReadonlyMap<string, Property> {
  const found = new Map<string, Property>()
  for (const line of logicalLines(text.replace(/^\ufeff/, ''))) {
    // a name ends at the first =, : or white space that is not escaped
    const [, name = '', rest = ''] = /^((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)$/s.exec(line) ?? []
    if (name !== '') found.set(unescaped(name), { value: unescaped(rest), raw: rest.trimEnd() })
  }
  return found
}

/** Without comments and empty lines; one that ends with an odd number of backslashes goes on in the next. */
function* logicalLines(text: string): IterableIterator<string> {
  let open: string | null = null
  for (const natural of text.split(/\r\n|\r|\n/)) {
    const line = natural.trimStart()
    if (open === null && (line === '' || line.startsWith('#') || line.startsWith('!'))) continue
    const whole: string = (open ?? '') + line
    const isOpen = /(?:^|[^\\])(?:\\\\)*\\$/.test(whole)
    open = isOpen ? whole.slice(0, -1) : null
    if (open === null) yield whole
  }
  if (open !== null) yield open
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

const unescaped = (text: string): string =>
  text.replace(/\\(?:u([0-9a-fA-F]{4})|(.)|$)/gs, (_, hex?: string, char = '') =>
    hex === undefined ? (ESCAPES[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
  )
