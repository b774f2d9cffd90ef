import { newTailLook, type TailReader, TailState } from '../cell/tail-reader.ts'
import { FetchSource } from '../link/commands.ts'
import { SMALL_BYTES } from '../net/in-flight.ts'
import type { FetchContext } from './fetch-asked.ts'
import { tailOf } from './fetch-look.ts'
import type { FetchOp } from './fetch-op.ts'
import type { FetchPart } from './fetch-part.ts'

const TRIES = 3

const look = newTailLook()

/** Bytes of the first batch of `part`, as far as that is known: 0 where it is not. */
export function firstBytesOf(context: FetchContext, part: FetchPart): number {
  if (part.source === FetchSource.FILE) return part.neededBytes
  if (part.availableBytes <= SMALL_BYTES) return part.availableBytes
  const tail = tailOf(context, part)
  if (tail?.look(part.fetchOffset, 1, look) !== TailState.FOUND) return 0
  return look.length
}

/** Looks for what `part` asks for in a ring log; false when the broker must be asked. */
export function lookIntoRing(part: FetchPart, tail: TailReader, bytesMax: number): boolean {
  const state = tail.look(part.fetchOffset, Math.max(1, bytesMax), look)
  if (state === TailState.ASK) return false
  part.highWatermark = look.highWatermark
  part.lastStableOffset = look.lastStableOffset
  part.logStartOffset = look.logStartOffset
  part.pending = state === TailState.FOUND
  part.source = part.pending ? FetchSource.RING : FetchSource.NONE
  part.tail = part.pending ? tail : null
  part.position = look.position
  part.byteLength = look.length
  part.secondPosition = look.secondPosition
  part.secondLength = look.secondLength
  return true
}

/**
 * Takes what a look has found, at most `allowed` bytes, or nothing when that is too little and `hasOthers` are sent anyway. False when it is gone:
 * the broker must be asked.
 */
export function readRing(
  op: FetchOp,
  part: FetchPart,
  allowed: number,
  hasOthers: boolean,
): boolean {
  part.pending = false
  // another leads since, or the ring has grown: positions in one ring mean nothing in another
  const tail = tailOf(op.context, part)
  if (tail === undefined) return false
  let isKnown = tail === part.tail && part.byteLength + part.secondLength <= allowed
  for (let tries = 0; tries < TRIES; tries++) {
    if (!isKnown) {
      if (!lookIntoRing(part, tail, allowed)) return false
      if (!part.pending) return true
    }
    part.pending = isKnown = false
    if (hasOthers && part.byteLength + part.secondLength > allowed) return true
    if (takeSpans(op, part, tail)) return true
  }
  return false
}

function takeSpans(op: FetchOp, part: FetchPart, tail: TailReader): boolean {
  const { position, byteLength, secondPosition, secondLength } = part
  const heldBefore = op.memory.ringBytes
  const first = takeSpan(op, tail, position, byteLength)
  if (first === null) return false
  const second = secondLength > 0 ? takeSpan(op, tail, secondPosition, secondLength) : null
  const bytes = second === null ? byteLength : byteLength + secondLength
  const heldBytes = op.memory.ringBytes - heldBefore
  part.found(second === null ? [first] : [first, second], bytes, heldBytes)
  return true
}

/** The span's bytes: the memory itself where a socket may hold it, else a copy; null when it was overwritten. */
function takeSpan(
  op: FetchOp,
  tail: TailReader,
  position: number,
  length: number,
): Uint8Array | null {
  const { services } = op.context
  const large = length >= services.settings.zeroCopyBytesMin
  if (large && op.slot.mayPin && services.pins.mayPin(length)) {
    const view = tail.hold(position, length)
    if (view === null) return null
    op.memory.addHold(tail, position, length)
    op.charge(length)
    return view
  }
  const target = large ? op.memory.takeBuffer(length) : Buffer.allocUnsafe(length)
  if (large) op.charge(length)
  if (!tail.copy(position, length, target, 0)) return null
  return target.length === length ? target : target.subarray(0, length)
}
