/** `-f`: literal text with escapes and `%` tokens, the same for what is read and what is printed. */

export type FormatPart =
  | { readonly kind: 'text'; readonly bytes: Buffer }
  | {
      readonly kind: 'field'
      /** The letter after `%`. */
      readonly name: string
      /** What stands in braces behind it. */
      readonly modifier: string | null
    }

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '0': '\0',
  '\\': '\\',
}

/** Splits a format; `%%` is a percent sign, `%{` and `%}` are braces. Throws a RangeError with a plain sentence. */
export function parseFormat(format: string): FormatPart[] {
  const parts: FormatPart[] = []
  let literal: Buffer[] = []
  const endLiteral = () => {
    if (literal.length > 0) parts.push({ kind: 'text', bytes: Buffer.concat(literal) })
    literal = []
  }
  const tokens = /\\x([0-9a-fA-F]{2})|\\(.)|%([%{}])|%([a-zA-Z])(?:\{([^}]*)\})?|([^\\%]+)|(.)/gs
  for (const [, hex, escaped, sign, name, modifier, plain, bad] of format.matchAll(tokens)) {
    if (hex !== undefined) literal.push(Buffer.from(hex, 'hex'))
    else if (escaped !== undefined) literal.push(Buffer.from(ESCAPES[escaped] ?? `\\${escaped}`))
    else if (sign !== undefined) literal.push(Buffer.from(sign))
    else if (plain !== undefined) literal.push(Buffer.from(plain))
    else if (name !== undefined) {
      endLiteral()
      parts.push({ kind: 'field', name, modifier: modifier ?? null })
    } else {
      throw new RangeError(`-f: "${bad}" at the end of "${format}" stands alone; write %% or \\\\`)
    }
  }
  endLiteral()
  return parts
}

/** A delimiter of `-K` or `-D`: escapes, no tokens. */
export function parseDelimiter(text: string): Buffer {
  const parts = parseFormat(text.replaceAll('%', '%%'))
  const bytes = Buffer.concat(
    parts.map((part) => (part.kind === 'text' ? part.bytes : Buffer.of())),
  )
  if (bytes.length === 0) throw new RangeError('a delimiter must not be empty')
  return bytes
}
