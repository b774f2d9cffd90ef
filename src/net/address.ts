/** Addresses as they are written, compared and told to people. Any thread. */
import { isIP } from 'node:net'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** `127.0.0.1:9092`, `[::1]:9092`. */
export const formatHostPort = ({ host, port }: HostPort): string => `${formatHost(host)}:${port}`

/** An IPv6 address in brackets, anything else as it is. */
export const formatHost = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/** One spelling per address: names in lower case, IPv6 in its short form, IPv4 within IPv6 as IPv4. */
export function canonicalHost(host: string): string {
  const lower = host.toLowerCase()
  if (isIP(lower) !== 6) return lower
  const [address, zone] = lower.split('%') as [string, string | undefined]
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short)
  if (mapped !== null) {
    const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)]
    return [high >> 8, high & 255, low >> 8, low & 255].join('.')
  }
  return zone === undefined ? short : `${short}%${zone}`
}

/** Stands for every address of the machine: to listen on, never to connect to. */
export const isUnspecified = (host: string): boolean => {
  const plain = canonicalHost(host)
  return plain === '0.0.0.0' || plain === '::'
}

/** Reached from this machine only. A name counts when it is `localhost`; what it resolves to is for the caller to ask. */
export function isLoopback(host: string): boolean {
  const plain = canonicalHost(host)
  return plain === 'localhost' || plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'))
}

/** Where a program on this machine reaches what listens on `host`. */
export function localHostOf(host: string): string {
  if (!isUnspecified(host)) return host
  return canonicalHost(host) === '::' ? '::1' : '127.0.0.1'
}

/** Whether one port on `a` and on `b` can be the same; names other than `localhost` are taken for what they are. */
export function hostsOverlap(a: string, b: string): boolean {
  const [one, two] = [canonicalHost(a), canonicalHost(b)]
  if (one === two) return true
  // listening on :: takes IPv4 as well
  if (one === '::' || two === '::') return true
  if (one === '0.0.0.0') return isIP(two) !== 6
  if (two === '0.0.0.0') return isIP(one) !== 6
  const isLocal = (name: string) => name === '127.0.0.1' || name === '::1'
  return (one === 'localhost' && isLocal(two)) || (two === 'localhost' && isLocal(one))
}
