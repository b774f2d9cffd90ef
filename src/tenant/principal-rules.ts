/** Whom a client's certificate stands for, by Kafka's `ssl.principal.mapping.rules` (KIP-371). */

/** The first rule that matches the whole subject tells the name. */
type Rule =
  | { readonly kind: 'default' }
  | {
      readonly kind: 'rule'
      readonly pattern: RegExp
      /** Text, or the number of a group. */
      readonly replacement: readonly (string | number)[]
      readonly letters: 'L' | 'U' | null
    }

/**
 * The next rule and what ends it: `DEFAULT`, or `RULE:pattern/replacement/` with `L` or `U` behind it; in both parts a slash is written `\/`, and there may be
 * commas.
 */
const NEXT_RULE =
  /\s*(?:(DEFAULT)|RULE:((?:\\.|[^\\/])*)\/((?:\\.|[^\\/])*)\/([LU]?))\s*(?:,(?=\s*\S)|$)/y
const RULES_CHARS_MAX = 8_192

export class PrincipalRules {
  readonly #rules: readonly Rule[]

  /** Throws a RangeError that names the rule that is none. */
  constructor(text: string) {
    if (text.length > RULES_CHARS_MAX) {
      throw new RangeError(`wants at most ${RULES_CHARS_MAX} characters`)
    }
    this.#rules = parseRules(text)
  }

  /** The name of `subject` (RFC 2253) without `User:`; null: no rule matches. */
  nameOf(subject: string): string | null {
    for (const rule of this.#rules) {
      if (rule.kind === 'default') return subject
      const match = rule.pattern.exec(subject)
      if (match === null) continue
      const name = rule.replacement
        .map((part) => (typeof part === 'string' ? part : (match[part] ?? '')))
        .join('')
      if (rule.letters === null) return name
      return rule.letters === 'L' ? name.toLowerCase() : name.toUpperCase()
    }
    return null
  }
}

function parseRules(text: string): Rule[] {
  const rules: Rule[] = []
  for (let at = 0; at < text.length || rules.length === 0; ) {
    NEXT_RULE.lastIndex = at
    const match = NEXT_RULE.exec(text)
    if (match === null) {
      const rest = text.slice(at, at + 100).trim()
      throw new RangeError(
        `wants DEFAULT, and RULE:pattern/replacement/ with L, U or nothing behind it, joined by commas; none of them begins here: '${rest}'`,
      )
    }
    const [whole, isDefault, pattern, replacement, letters] = match
    rules.push(isDefault === undefined ? ruleOf(pattern!, replacement!, letters!) : DEFAULT)
    at += whole.length
  }
  return rules
}

const DEFAULT: Rule = { kind: 'default' }

function ruleOf(source: string, replacement: string, letters: string): Rule {
  const pattern = patternOf(source)
  const groups = new RegExp(`${pattern.source}|`).exec('')!.length - 1
  return {
    ...{ kind: 'rule', pattern, letters: letters === '' ? null : (letters as 'L' | 'U') },
    replacement: partsOf(replacement, groups),
  }
}

/** Of the whole subject, as Java's `matches`. What stands for it is put in once; Kafka's `.*` matches the empty end again, and puts it in twice. */
function patternOf(source: string): RegExp {
  try {
    return new RegExp(`^(?:${source})$`, 's')
  } catch (error) {
    const reason = (error as Error).message.replace(/^.*: /, '')
    throw new RangeError(
      `wants patterns that are regular expressions of JavaScript; '${source.slice(0, 100)}' is none: ${reason}`,
    )
  }
}

/** As Java's Matcher reads it: `$3` is a group where there is one of that number and text where not, `\x` is x. */
function partsOf(replacement: string, groups: number): (string | number)[] {
  const parts: (string | number)[] = []
  const token = /\\(.)|\$(\d+)|[^\\$]+|[\\$]/gs
  for (const [whole, literal, digits] of replacement.matchAll(token)) {
    if (digits === undefined) {
      parts.push(literal ?? whole)
      continue
    }
    // as many digits as still are the number of a group
    let length = digits.length
    while (length > 0 && Number(digits.slice(0, length)) > groups) length--
    if (length === 0) parts.push(whole)
    else parts.push(Number(digits.slice(0, length)), digits.slice(length))
  }
  return parts
}
