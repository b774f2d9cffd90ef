/** A stretch of shared memory that one thread names to another; plain, so that it can be posted and sent in a ring. */
export interface Region {
  readonly sab: SharedArrayBuffer
  readonly byteOffset: number
  readonly byteLength: number
}
