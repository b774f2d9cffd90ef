/**
 * Whether a request means this machine. A web page may have its own name lead to 127.0.0.1 after it was loaded (DNS rebinding), and a
 * browser then lets it read what is here; but it sends the page's name as Host. Any thread.
 */
import { isIP } from 'node:net'

const NAME = /^\.?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/
const NAME_LENGTH_MAX = 253

/** `name`, or `.name` for it and all under it, in lower case. Throws a RangeError that says what is wanted. */
export function parseAllowedHost(text: string): string {
  const name = text.toLowerCase()
  if (NAME.test(name) && name.length <= NAME_LENGTH_MAX) return name
  throw new RangeError('wants a host name without a port, or .NAME for it and all names under it')
}

/**
 * `header` is what Host says: an address, `localhost` and what is under it, or one of `allowed`. Nobody else can make those lead
 * here. Without Host (HTTP/1.0) it is no browser that asks.
 */
export function isOwnHost(header: string | undefined, allowed: readonly string[]): boolean {
  if (header === undefined) return true
  const [, address, name] =
    /^(?:\[([^\]]+)\]|([^:[\]]+?)\.?)(?::\d*)?$/.exec(header.toLowerCase()) ?? []
  if (address !== undefined) return isIP(address) === 6
  if (name === undefined) return false
  if (isIP(name) === 4) return true
  return ['.localhost', ...allowed].some((one) =>
    one.startsWith('.') ? name === one.slice(1) || name.endsWith(one) : name === one,
  )
}
