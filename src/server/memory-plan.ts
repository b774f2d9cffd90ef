/** How `--memory` is divided between everything that grows with load. README.md holds the same table in words. */

const KIB = 2 ** 10
const MIB = 2 ** 20

/** Bytes of each kind; the sum over all rings and arenas stays within `totalBytes`. */
export interface MemoryPlan {
  readonly totalBytes: number
  /** Command ring of the Kafka front towards one broker: a power of two. */
  readonly commandRingBytes: number
  /** Reply ring of one broker towards the Kafka front: a power of two. */
  readonly replyRingBytes: number
  /** Rings between the HTTP front and one broker, each way: a power of two. */
  readonly smallRingBytes: number
  /** Flush requests and completions of one broker, each: a power of two. */
  readonly flushRingBytes: number
  /** Ring from one broker to another of its cell: a power of two. */
  readonly peerRingBytes: number
  /** Ring logs of one broker. */
  readonly arenaBytes: number
  /** Segment bytes read from files and not yet sent, all connections together. */
  readonly fileReadBytes: number
  /** Frames received and responses not yet sent, all connections together. */
  readonly inFlightBytes: number
  /** Of those, memory for produce frames that brokers read where they are: a power of two. Beyond it they are copied. */
  readonly frameBytes: number
}

/** Splits `totalBytes` for `brokers` brokers: an eighth for command rings, three eighths in flight, an eighth for file reads, the rest ring logs. */
export function planMemory(totalBytes: number, brokers: number): MemoryPlan {
  const commandRingBytes = clampPowerOfTwo(totalBytes / 8 / brokers, 256 * KIB, 4 * MIB)
  const replyRingBytes = clampPowerOfTwo(totalBytes / 64 / brokers, 64 * KIB, MIB)
  const smallRingBytes = 64 * KIB
  const flushRingBytes = 64 * KIB
  const peerRings = brokers * (brokers - 1)
  const peerRingBytes = clampPowerOfTwo(totalBytes / 32 / peerRings, 64 * KIB, 256 * KIB)
  const fileReadBytes = Math.min(256 * MIB, Math.floor(totalBytes / 8))
  // half for requests, of which one frame may take seven eighths: 20 MB batches with 128 MB
  const inFlightBytes = Math.floor((totalBytes / 8) * 3)
  const rings =
    brokers * (commandRingBytes + replyRingBytes + 2 * smallRingBytes + 2 * flushRingBytes) +
    peerRings * peerRingBytes
  const forArenas = totalBytes - rings - fileReadBytes - inFlightBytes
  const arenaBytes = Math.floor(forArenas / brokers / (64 * KIB)) * 64 * KIB
  if (arenaBytes < 256 * KIB) {
    throw new RangeError(`${totalBytes} bytes are too few for ${brokers} brokers`)
  }
  return {
    totalBytes,
    commandRingBytes,
    replyRingBytes,
    smallRingBytes,
    flushRingBytes,
    peerRingBytes,
    arenaBytes,
    fileReadBytes,
    inFlightBytes,
    frameBytes: clampPowerOfTwo(inFlightBytes / 4, MIB, 32 * MIB),
  }
}

function clampPowerOfTwo(wanted: number, min: number, max: number): number {
  const power = 2 ** Math.floor(Math.log2(Math.max(1, wanted)))
  return Math.max(min, Math.min(max, power))
}
