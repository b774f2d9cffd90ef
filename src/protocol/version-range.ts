/** An inclusive range of protocol versions; empty when `min > max`. */
export interface VersionRange {
  readonly min: number
  readonly max: number
}

const OPEN_END = 32_767

export const always: VersionRange = { min: 0, max: OPEN_END }
export const never: VersionRange = { min: 1, max: 0 }
export const since = (min: number): VersionRange => ({ min, max: OPEN_END })
export const until = (max: number): VersionRange => ({ min: 0, max })
export const between = (min: number, max: number): VersionRange => ({ min, max })

export const includes = (range: VersionRange, version: number): boolean =>
  version >= range.min && version <= range.max
