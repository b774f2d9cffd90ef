import { isIPv6 } from 'node:net'

const MAPPED = '0:0:0:0:0:ffff:'

/**
 * An IP address in the form in which ACLs compare it, Java's InetAddress.getHostAddress: IPv6 as eight groups in lower
 * case without leading zeros, an IPv4 address that is mapped into it as that, no zone. What is no IPv6 address stays as
 * it is. Made once per connection.
 */
export function hostAddress(address: string): string {
  const zone = address.indexOf('%')
  const bare = zone === -1 ? address : address.slice(0, zone)
  if (!isIPv6(bare)) return bare
  const [head, tail] = bare.split('::') as [string, string | undefined]
  const front = groups(head)
  const back = groups(tail ?? '')
  const missing = tail === undefined ? 0 : 8 - front.length - back.length
  const all = [...front, ...Array<number>(missing).fill(0), ...back]
  const text = all.map((group) => group.toString(16)).join(':')
  if (!text.startsWith(MAPPED)) return text
  const [high, low] = [all[6]!, all[7]!]
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}

/** The 16-bit groups of a part of an IPv6 address, whose end may be written as IPv4. */
function groups(part: string): number[] {
  if (part === '') return []
  return part.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)]
    const [a, b, c, d] = group.split('.').map(Number) as [number, number, number, number]
    return [a * 256 + b, c * 256 + d]
  })
}
