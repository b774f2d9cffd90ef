/** Below this many bytes the call into native code costs more than it saves. */
const NATIVE_FROM_BYTES = 160

type Fill = (this: Uint8Array, value: Uint8Array, start: number, end: number) => unknown
const fill = Buffer.prototype.fill as unknown as Fill

/** Node documents fill with a Uint8Array as copying its bytes; one that does not must not touch anyone's records. */
const isTrusted = ((): boolean => {
  const target = new Uint8Array(new SharedArrayBuffer(16))
  try {
    fill.call(target, Uint8Array.of(1, 2, 3, 4), 5, 9)
  } catch {
    return false
  }
  return target.join() === '0,0,0,0,0,1,2,3,4,0,0,0,0,0,0,0'
})()

/**
 * Copies all of `source` to `target` from `at` on; the two must not overlap. Any thread, any mix of shared and plain
 * memory.
 *
 * `target.set(source, at)` is a memcpy only between plain buffers. As soon as one is shared, V8 copies word by word, or,
 * where the two addresses differ modulo 8, byte by byte: measured 1.5–2.5 GB/s against 40 GB/s here (Node 20, 1 MB).
 */
export function copyBytes(target: Uint8Array, at: number, source: Uint8Array): void {
  const end = at + source.length
  if (source.length < NATIVE_FROM_BYTES || !isTrusted || end > target.length) target.set(source, at)
  else fill.call(target, source, at, end)
}
