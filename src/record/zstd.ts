import { createRequire } from 'node:module'
import * as zlib from 'node:zlib'
import { DecompressedTooLargeError, RecordFormatError } from './fault.ts'

/*
 * Zstandard (RFC 8878): Node's own where it has one (22.15 and later), else a WebAssembly build.
 *
 * Of @hpcc-js/wasm-zstd the inner calls are used: its public `decompress` guesses the size of frames that do not
 * tell it (all that Java's producer writes), and copies results through a JavaScript array, at 5 MB/s.
 */

const BLOCK_BYTES_MAX = 131_072
const FRAME_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50

interface ZstdEngine {
  compress(bytes: Uint8Array, level: number): Uint8Array
  /** `capacity` bounds the output; an overrun throws DecompressedTooLargeError. */
  decompress(bytes: Uint8Array, capacity: number, maxBytes: number): Uint8Array
}

const bad = (what: string): RecordFormatError => new RecordFormatError(`zstd: ${what}`)
const tooLarge = (maxBytes: number) =>
  new DecompressedTooLargeError(`zstd: decompressed data exceed the limit of ${maxBytes} bytes`)

/** What node:zlib offers from 22.15 on; its types on Node 20 do not know it. */
interface ZlibZstd {
  zstdCompressSync?(bytes: Uint8Array, options: object): Uint8Array
  zstdDecompressSync?(bytes: Uint8Array, options: object): Uint8Array
  readonly constants: { readonly ZSTD_c_compressionLevel?: number }
}

function nodeEngine(): ZstdEngine | null {
  const { zstdCompressSync, zstdDecompressSync, constants } = zlib as unknown as ZlibZstd
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined) return null
  return {
    compress: (bytes, level) =>
      zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel!]: level } }),
    decompress(bytes, capacity, maxBytes) {
      try {
        return zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, capacity) })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
          throw tooLarge(maxBytes)
        throw bad((error as Error).message)
      }
    },
  }
}

interface Heap {
  readonly ptr: number
  size: number
}

interface WasmZstd {
  readonly _mainModule: {
    dataToHeap(bytes: Uint8Array): Heap
    malloc(size: number): Heap
    free(heap: Heap): void
    heapView(heap: Heap): Uint8Array
  }
  readonly _zstdClass: {
    compress(to: number, capacity: number, from: number, size: number, level: number): number
    decompress(to: number, capacity: number, from: number, size: number): number
    compressBound(size: number): number
    isError(code: number): number | boolean
    getErrorName(code: number): string
  }
}

function wasmEngine({ _mainModule: module, _zstdClass: zstd }: WasmZstd): ZstdEngine {
  /** Runs `work` between input and output space in the module's memory, and copies its result out. */
  const run = (
    bytes: Uint8Array,
    capacity: number,
    work: (to: number, from: number) => number,
    fail: (name: string) => Error,
  ): Uint8Array => {
    const input = module.malloc(Math.max(1, bytes.length))
    const output = module.malloc(Math.max(1, capacity))
    try {
      if (input.ptr === 0 || output.ptr === 0) throw bad(`no memory for ${capacity} bytes`)
      module.heapView({ ptr: input.ptr, size: bytes.length }).set(bytes)
      const size = work(output.ptr, input.ptr)
      if (zstd.isError(size)) throw fail(zstd.getErrorName(size))
      return module.heapView({ ptr: output.ptr, size }).slice()
    } finally {
      module.free(input)
      module.free(output)
    }
  }
  return {
    compress(bytes, level) {
      const capacity = zstd.compressBound(bytes.length)
      const work = (to: number, from: number) =>
        zstd.compress(to, capacity, from, bytes.length, level)
      return run(bytes, capacity, work, (name) => new Error(`zstd: ${name}`))
    },
    decompress(bytes, capacity, maxBytes) {
      const work = (to: number, from: number) => zstd.decompress(to, capacity, from, bytes.length)
      return run(bytes, capacity, work, (name) =>
        name === 'Destination buffer is too small' ? tooLarge(maxBytes) : bad(name),
      )
    },
  }
}

let engine: ZstdEngine | null = nodeEngine()

/** Loads the WebAssembly build where Node has no zstd of its own. Once per thread, before the two calls below. */
export async function prepareZstd(): Promise<void> {
  engine ??= await loadWasm()
}

async function loadWasm(): Promise<ZstdEngine> {
  const { Zstd } = await import('@hpcc-js/wasm-zstd')
  const loaded = (await Zstd.load()) as unknown as WasmZstd
  const made = wasmEngine(loaded)
  // The inner calls are no public contract: a version without them must fail here, not on a client's records.
  const probe = Uint8Array.of(1, 2, 3)
  if (made.decompress(made.compress(probe, 3), 3, 3)[2] !== 3) {
    const require = createRequire(import.meta.url)
    throw new Error(`@hpcc-js/wasm-zstd at ${require.resolve('@hpcc-js/wasm-zstd')} does not work`)
  }
  return made
}

function prepared(): ZstdEngine {
  if (engine === null) throw new Error('zstd: prepareCompression() has not finished')
  return engine
}

/** One frame at `level` (1 to 22); a thread that has awaited prepareCompression(). */
export const zstdCompress = (bytes: Uint8Array, level: number): Uint8Array =>
  prepared().compress(bytes, level)

/**
 * The content of the frames in `bytes`; a thread that has awaited prepareCompression().
 * Throws {@link DecompressedTooLargeError} beyond `maxBytes`, {@link RecordFormatError} for bad data.
 */
export function zstdDecompress(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const frames = zstdFrames(bytes)
  const parts: Uint8Array[] = []
  let size = 0
  // One by one: Node's own stops after the first frame, Java's reader does not.
  for (const { from, end, bound } of frames) {
    const room = maxBytes - size
    const part = prepared().decompress(bytes.subarray(from, end), Math.min(bound, room), maxBytes)
    size += part.length
    if (size > maxBytes) throw tooLarge(maxBytes)
    parts.push(part)
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
}

interface ZstdFrame {
  readonly from: number
  readonly end: number
  /** The most bytes that it can hold. */
  readonly bound: number
}

/** The frames in `bytes` that hold data, measured by their own and their blocks' headers; throws where cut off. */
function zstdFrames(bytes: Uint8Array): ZstdFrame[] {
  const word = (at: number): number =>
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  if (bytes.length === 0) throw bad('no frame')
  const frames: ZstdFrame[] = []
  let at = 0
  while (at < bytes.length) {
    const from = at
    let bound = 0
    if (at + 8 > bytes.length) throw bad('frame header cut off')
    const magic = word(at)
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) {
      at += 8 + word(at + 4)
      if (at > bytes.length) throw bad('skippable frame cut off')
      continue
    }
    if (magic !== FRAME_MAGIC) throw bad('not a frame (wrong magic)')
    const descriptor = bytes[at + 4]!
    const single = (descriptor & 0x20) !== 0
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!
    const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6]!
    at += 5 + (single ? 0 : 1) + dictionaryBytes + sizeBytes
    for (let last = false; !last; ) {
      if (at + 3 > bytes.length) throw bad('block header cut off')
      const header = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)
      const kind = (header >> 1) & 3
      const size = header >> 3
      if (kind === 3) throw bad('reserved block type')
      bound += kind === 2 ? BLOCK_BYTES_MAX : size
      at += 3 + (kind === 1 ? 1 : size)
      last = (header & 1) !== 0
    }
    at += descriptor & 4 ? 4 : 0
    if (at > bytes.length) throw bad('frame cut off')
    frames.push({ from, end: at, bound })
  }
  return frames
}
