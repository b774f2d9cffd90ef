import { brokerPath, segmentPath } from '../base/paths.ts'
import type { FileFailure } from '../cell/segment-files.ts'
import type { FetchOp } from './fetch-op.ts'
import type { FetchPart } from './fetch-part.ts'
import { type WholeBatches, wholeBatches } from './file-batches.ts'
import { type BytesTaker, type Located, Reading } from './read-ahead.ts'
import { fileReadMs } from './work-elsewhere.ts'

/** Read at once for a first batch whose size is not known yet. */
const FIRST_READ_BYTES = 64 * 1024

/** Less is not worth reading ahead. */
const AHEAD_BYTES_MIN = 64 * 1024

const whole: WholeBatches = { length: 0, nextOffset: -1, needed: 0 }

/**
 * Reads the located bytes of `part` from its segment file and checks them; then tells `op`. With `first` at least one
 * batch is read, however large. Tells it later, never from within the call.
 */
export function readSegment(op: FetchOp, part: FetchPart, allowed: number, first: boolean): void {
  const { fileBuffers } = op.context.services
  const atLeast = first ? Math.max(FIRST_READ_BYTES, part.neededBytes) : 0
  const wanted = Math.max(Math.min(allowed, fileBuffers.roomBytes), atLeast)
  readBytes(op, part, Math.min(part.byteLength, wanted), first)
}

function readBytes(op: FetchOp, part: FetchPart, length: number, first: boolean): void {
  const { path, directory } = placeOf(op, part)
  const { position } = part
  const taken = (buffer: Uint8Array) => {
    op.memory.addBuffer(buffer)
    op.charge(length)
  }
  const done: BytesTaker = (target, bytesRead, failure) =>
    onBytes(op, part, target, bytesRead, failure, first)
  const { reading } = op.context.state
  if (reading?.take(part.partition, path, position, length, taken, done)) return
  const target = op.memory.takeBuffer(length)
  op.charge(length)
  op.context.services.segments.read({
    path,
    directory,
    position,
    length,
    target,
    done: (failure, bytesRead) => onBytes(op, part, target, bytesRead, failure, first),
  })
}

function placeOf(op: FetchOp, part: FetchPart): { path: string; directory: string } {
  const { dataRoot } = op.context.services.settings
  const { brokerId } = part
  const { cellId, tenantId, topicId } = part.topic!
  const base = part.segmentBaseOffset
  return {
    path: segmentPath(dataRoot, cellId, brokerId, tenantId, topicId, part.index, base),
    directory: brokerPath(dataRoot, cellId, brokerId),
  }
}

/** Reads on behind what was found, for the fetch that will come when this one came in a row. */
function readAhead(op: FetchOp, part: FetchPart, foundBytes: number, nextOffset: number): void {
  const { state, services } = op.context
  const reading = (state.reading ??= new Reading(services.readAheads))
  const isInRow = reading.isInRow(part.partition, part.fetchOffset)
  const length = Math.min(part.byteLength - foundBytes, part.maxBytes)
  const isWorthIt = isInRow && length >= AHEAD_BYTES_MIN && !op.context.connection.closed
  const position = part.position + foundBytes
  reading.expect(
    part.partition,
    nextOffset,
    isInRow ? locatedBehind(part, foundBytes) : null,
    isWorthIt ? { ...placeOf(op, part), position, length } : null,
  )
}

/** What the broker has told of `part` beyond the bytes that were found. */
const locatedBehind = (part: FetchPart, foundBytes: number): Located => ({
  brokerId: part.brokerId,
  segmentBaseOffset: part.segmentBaseOffset,
  position: part.position + foundBytes,
  byteLength: part.byteLength - foundBytes,
  highWatermark: part.highWatermark,
  lastStableOffset: part.lastStableOffset,
  logStartOffset: part.logStartOffset,
  untilMs: part.locatedUntilMs,
})

function onBytes(
  op: FetchOp,
  part: FetchPart,
  target: Uint8Array,
  bytesRead: number,
  failure: FileFailure | null,
  first: boolean,
): void {
  if (failure !== null) {
    if (failure.code === 'ENOENT') op.askAgain(part)
    else op.unreadable(part)
    op.onSegmentRead()
    return
  }
  const { services, connection } = op.context
  services.elsewhere(connection, fileReadMs(bytesRead))
  const { batchBaseOffset, fetchOffset, highWatermark } = part
  wholeBatches(target, bytesRead, batchBaseOffset, fetchOffset, highWatermark, whole)
  if (whole.length > 0) {
    const { length, nextOffset } = whole
    part.found([target.subarray(0, length)], length)
    readAhead(op, part, length, nextOffset)
  } else if (whole.needed > bytesRead && whole.needed <= part.byteLength) {
    // One batch larger than what was read: it goes out whole or, behind others, in the next fetch.
    if (first && op.mayReadFirst(part, whole.needed)) {
      readBytes(op, part, whole.needed, false)
      return
    }
  } else {
    // a file that was replaced may be open here as it was
    services.segments.invalidate(placeOf(op, part).path)
    op.askAgain(part)
  }
  op.onSegmentRead()
}
