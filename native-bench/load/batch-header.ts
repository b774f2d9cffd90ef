/** Writes times and sequences into the header of a batch that is sent again, at no cost for the rest of its bytes. */
import { crc32c } from '../../src/record/crc32c.ts'

const CRC_AT = 17
const COVERED_FROM = 21
/** Base timestamp, max timestamp, producer id, epoch, base sequence. */
const FROM = 27
const TO = 57

const POLYNOMIAL = 0x82f63b78
const byteTable = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
  return crc
})

/**
 * CRCs are affine: of equal lengths, crc(a ^ d) = crc(a) ^ crc(d) ^ crc(0). So what each byte of the header adds is found once for a
 * length, 256 values a place, and a changed header costs 30 look-ups rather than a pass over the batch.
 */
export class HeaderPatcher {
  readonly #tables: Int32Array

  /** For batches of this many bytes in all. */
  constructor(batchBytes: number) {
    const places = TO - FROM
    this.#tables = new Int32Array(places * 256)
    const zeros = new Uint8Array(batchBytes - COVERED_FROM)
    const nothing = crc32c(zeros, 0, zeros.length)
    const last = TO - 1 - COVERED_FROM
    let bits = Array.from({ length: 8 }, (_, bit) => {
      zeros[last] = 1 << bit
      return crc32c(zeros, 0, zeros.length) ^ nothing
    })
    for (let place = places - 1; place >= 0; place--) {
      for (let byte = 0; byte < 256; byte++) {
        let sum = 0
        for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) sum ^= bits[bit]!
        this.#tables[place * 256 + byte] = sum
      }
      // the byte before has one zero more behind it
      bits = bits.map((crc) => (crc >>> 8) ^ byteTable[crc & 0xff]!)
    }
  }

  /** `batch` begins at `at` and has a right CRC; `header` are the 30 bytes that take their place in it. */
  patch(batch: Buffer, at: number, header: Uint8Array): void {
    let crc = batch.readInt32BE(at + CRC_AT)
    const tables = this.#tables
    for (let place = 0; place < TO - FROM; place++) {
      const where = at + FROM + place
      const changed = batch[where]! ^ header[place]!
      if (changed === 0) continue
      crc ^= tables[place * 256 + changed]!
      batch[where] = header[place]!
    }
    batch.writeInt32BE(crc, at + CRC_AT)
  }
}

/** The 30 bytes of {@link HeaderPatcher}. */
export class HeaderBytes {
  readonly bytes: Buffer

  constructor(batch: Uint8Array) {
    this.bytes = Buffer.from(batch.subarray(FROM, TO))
  }

  /** Whole, and not negative. */
  setTimestamp(value: number): void {
    const high = Math.floor(value / 2 ** 32)
    const low = value >>> 0
    for (const at of [0, 8]) {
      this.bytes.writeInt32BE(high, at)
      this.bytes.writeUInt32BE(low, at + 4)
    }
  }

  setProducer(id: bigint, epoch: number): void {
    this.bytes.writeBigInt64BE(id, 16)
    this.bytes.writeInt16BE(epoch, 24)
  }

  setSequence(sequence: number): void {
    this.bytes.writeInt32BE(sequence, 26)
  }
}
