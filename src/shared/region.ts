import { InvariantError, invariant } from '../base/assert.ts'

/** A piece of shared memory: a plain object that structured clone carries to any thread. */
export interface Region {
  readonly sab: SharedArrayBuffer
  readonly byteOffset: number
  readonly byteLength: number
}

/** Every structure starts on a boundary of its own, so that no two share a cache line. */
export const REGION_ALIGNMENT = 128

export const alignUp = (bytes: number, alignment: number): number =>
  (bytes + alignment - 1) & -alignment

/** The int32 words of `region`, for Atomics. */
export function wordsOf(region: Region): Int32Array {
  invariant(region.byteOffset % 8 === 0, 'a region must start on an 8 byte boundary')
  return new Int32Array(region.sab, region.byteOffset, region.byteLength >> 2)
}

/** A region of its own buffer, zeroed. */
export const newRegion = (byteLength: number): Region => ({
  sab: new SharedArrayBuffer(byteLength),
  byteOffset: 0,
  byteLength,
})

/** One new buffer cut into aligned regions of `sizes` bytes each, zeroed: many rings, one memory map. */
export function carveRegions(sizes: readonly number[]): Region[] {
  const total = sizes.reduce((sum, bytes) => sum + alignUp(bytes, REGION_ALIGNMENT), 0)
  const sab = new SharedArrayBuffer(total)
  let byteOffset = 0
  return sizes.map((byteLength) => {
    const region = { sab, byteOffset, byteLength }
    byteOffset += alignUp(byteLength, REGION_ALIGNMENT)
    return region
  })
}

/** Throws {@link InvariantError} naming `structure` unless its version word is one that this build reads. */
export function checkVersion(structure: string, found: number, known: number): void {
  if (found >= 1 && found <= known) return
  throw new InvariantError(
    `${structure}: layout version ${found}, this build reads versions 1 to ${known}`,
  )
}
