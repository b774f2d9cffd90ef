import type { Owner } from './owner.ts'

/**
 * An owner that has company (others are there, connected or not: a flood may have come first) may hold up to seven times of what it leaves free: seven eighths when the others hold
 * nothing, seven fifteenths each when two of them want all there is, and so on; some is free in any case, for who has nothing
 * yet. After the dynamic thresholds of shared-memory switches (Choudhury, Hahne 1998): nobody has to be known to be waiting
 * before there is room for them, which a half would have been set aside for.
 */
const TIMES_FREE = 7

/** Whether `owner`, which holds `ownBytes`, may take `bytes` of a memory with `freeBytes` of `capacityBytes` left; they fit. */
export function isWithinShare(
  owner: Owner,
  ownBytes: number,
  bytes: number,
  freeBytes: number,
  capacityBytes: number,
): boolean {
  if (!owner.hasCompany || ownBytes === 0) return true
  // larger than any share can be: such a one gets the whole memory in its turn
  if (bytes * (TIMES_FREE + 1) > capacityBytes * TIMES_FREE) return true
  return ownBytes + bytes <= TIMES_FREE * (freeBytes - bytes)
}

/** The most that `owner` may take. */
export function shareOf(owner: Owner, ownBytes: number, freeBytes: number): number {
  if (!owner.hasCompany) return freeBytes
  return Math.max(0, Math.floor((TIMES_FREE * freeBytes - ownBytes) / (TIMES_FREE + 1)))
}
