/** `sasl.jaas.config`: one entry of a JAAS file, as far as it names a user and a password. */

const MODULES: Readonly<Record<string, string>> = {
  'org.apache.kafka.common.security.plain.PlainLoginModule': 'PLAIN',
  'org.apache.kafka.common.security.scram.ScramLoginModule': 'SCRAM',
}

export interface JaasLogin {
  readonly username: string
  readonly password: string
}

/** `MODULE required NAME="VALUE" …;`. Throws a RangeError that never has a value in it. */
export function parseJaas(text: string): JaasLogin {
  const words = wordsOf(text)
  if (words.at(-1) !== ';') throw new RangeError('wants a semicolon at its end')
  const [module = '', flag = '', ...options] = words.slice(0, -1)
  if (!Object.hasOwn(MODULES, module)) {
    throw new RangeError(
      `the login module ${shown(module)} is not there: PlainLoginModule and ScramLoginModule are`,
    )
  }
  if (!/^(required|requisite|sufficient|optional)$/i.test(flag)) {
    throw new RangeError('wants "required" behind its login module')
  }
  if (options.includes(';')) throw new RangeError('wants one login module')
  const given = optionsOf(options)
  if (given.get('tokenauth')?.toLowerCase() === 'true') {
    throw new RangeError('tokenauth: delegation tokens are not spoken here')
  }
  const [username, password] = [given.get('username'), given.get('password')]
  if (username === undefined) throw new RangeError('wants username="…"')
  if (password === undefined) throw new RangeError('wants password="…"')
  return { username, password }
}

function optionsOf(words: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (let at = 0; at < words.length; at += 3) {
    const [name, equals, value] = words.slice(at, at + 3)
    if (equals !== '=' || value === undefined) {
      throw new RangeError(`wants NAME="VALUE" for option ${at / 3 + 1} of its login module`)
    }
    found.set(name!, value)
  }
  return found
}

/** A value in quotes may have anything in it, behind a backslash also quotes. */
const WORD = /\s*(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([=;])|([^\s"'=;]+))/sy

function wordsOf(text: string): string[] {
  const words: string[] = []
  const whole = text.trimEnd()
  WORD.lastIndex = 0
  while (WORD.lastIndex < whole.length) {
    const found = WORD.exec(whole)
    if (found === null) throw new RangeError('has a quote without an end')
    const [, double, single, sign, plain] = found
    const quoted = double ?? single
    words.push(quoted?.replace(/\\(.)/gs, '$1') ?? sign ?? plain!)
  }
  return words
}

const shown = (module: string): string => `'${module.slice(0, 100)}'`
