import { ErrorCode } from '../base/error-code.ts'
import { brokerPath, segmentPath } from '../base/paths.ts'
import type { FileFailure } from '../cell/segment-files.ts'
import type { FetchOp } from './fetch-op.ts'
import type { FetchPart } from './fetch-part.ts'
import { type WholeBatches, wholeBatches } from './file-batches.ts'

/** Read at once for a first batch whose size is not known yet. */
const FIRST_READ_BYTES = 64 * 1024

const whole: WholeBatches = { length: 0, needed: 0 }

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
  const { segments, settings } = op.context.services
  const target = op.memory.takeBuffer(length)
  op.charge(length)
  const { cellId, brokerId } = part.proxy!
  const { tenantId, topicId } = part.topic!
  segments.read({
    path: segmentPath(
      settings.dataRoot,
      cellId,
      brokerId,
      tenantId,
      topicId,
      part.index,
      part.segmentBaseOffset,
    ),
    directory: brokerPath(settings.dataRoot, cellId, brokerId),
    position: part.position,
    length,
    target,
    done: (failure, bytesRead) => onBytes(op, part, target, bytesRead, failure, first),
  })
}

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
    else part.fail(ErrorCode.KAFKA_STORAGE_ERROR)
    op.onSegmentRead()
    return
  }
  wholeBatches(target, bytesRead, part.fetchOffset, part.highWatermark, whole)
  if (whole.length > 0) part.found([target.subarray(0, whole.length)], whole.length)
  else if (whole.needed > bytesRead && whole.needed <= part.byteLength) {
    // One batch larger than what was read: it goes out whole or, behind others, in the next fetch.
    if (first && op.mayReadFirst(part, whole.needed)) {
      readBytes(op, part, whole.needed, false)
      return
    }
  } else op.askAgain(part)
  op.onSegmentRead()
}
