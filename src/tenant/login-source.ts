/** Who logs in, as far as its address tells. Any thread. */

/** Longer than any address, with a zone. */
const SOURCE_LENGTH_MAX = 64

/**
 * What logins from `address` are counted under: an IPv4 address, also one within IPv6, or the /64 of an IPv6 address,
 * since whoever has one address there has all of them. Anything else stands for itself, cut to 64 characters.
 */
export function loginSource(address: string): string {
  const plain = address.split('%')[0]!.toLowerCase()
  const groups = plain.includes(':') ? ipv6Groups(plain) : null
  if (groups === null) return plain.slice(0, SOURCE_LENGTH_MAX)
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return [groups[6]! >> 8, groups[6]! & 255, groups[7]! >> 8, groups[7]! & 255].join('.')
  }
  const prefix = groups.slice(0, 4).map((group) => group.toString(16))
  return `${prefix.join(':')}::/64`
}

/** The eight groups, or null where that is no IPv6 address. */
function ipv6Groups(text: string): number[] | null {
  const halves = text.split('::')
  if (halves.length > 2) return null
  const head = groupsOf(halves[0]!)
  const tail = halves.length === 2 ? groupsOf(halves[1]!) : []
  if (head === null || tail === null) return null
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null
  return [...head, ...Array<number>(missing).fill(0), ...tail]
}

function groupsOf(half: string): number[] | null {
  if (half === '') return []
  const groups: number[] = []
  for (const part of half.split(':')) {
    const bytes = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(part)?.slice(1).map(Number)
    if (bytes !== undefined) {
      groups.push(bytes[0]! * 256 + bytes[1]!, bytes[2]! * 256 + bytes[3]!)
    } else {
      if (!/^[0-9a-f]{1,4}$/.test(part)) return null
      groups.push(Number.parseInt(part, 16))
    }
  }
  return groups
}
