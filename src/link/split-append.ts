import { invariant } from '../base/assert.ts'
import type { ControlEntry, Position, Term, TermLine } from '../raft/types.ts'
import {
  APPEND_BYTES,
  type Append,
  appendBytes,
  controlBytes,
  LINE_BYTES,
} from './raft-messages.ts'

/**
 * The same append as several that follow on each other, each of `bytesMax` bytes of a record at most, in order; itself where it fits. It is cut
 * where a term begins or a control entry lies, which is always between two batches. A follower takes up one after the other, and answers each; one
 * that is lost is found missing by the next. Throws InvariantError where one control entry alone is too long.
 */
export function splitAppend(message: Append, bytesMax: number): Append[] {
  if (appendBytes(message) <= bytesMax) return [message]
  const pieces: Append[] = []
  const empty = APPEND_BYTES + LINE_BYTES
  let from = message.start
  let bytes = empty
  for (const [position, added] of bytesAt(message)) {
    if (bytes + added > bytesMax && position > from) {
      pieces.push(pieceOf(message, from, position))
      from = position
      bytes = empty
    }
    bytes += added
    invariant(bytes <= bytesMax, 'a control entry fits into a message')
  }
  pieces.push(pieceOf(message, from, message.end))
  return pieces
}

/** Bytes of the lines and control entries at each position that has any, ascending. */
function bytesAt({ lines, controls }: Append): [Position, number][] {
  const bytes = new Map<Position, number>()
  const add = (at: Position, more: number) => bytes.set(at, (bytes.get(at) ?? 0) + more)
  for (const { start } of lines) add(start, LINE_BYTES)
  for (const entry of controls) add(entry.at, controlBytes(entry))
  return [...bytes].sort(([a], [b]) => a - b)
}

/** The part of an append from `start` up to `end`, both between two batches. */
export function pieceOf(message: Append, start: Position, end: Position): Append {
  const { lines, controls } = message
  const isHere = ({ at }: ControlEntry) => at >= start && at < end
  return {
    ...message,
    start,
    previousTerm: start === message.start ? message.previousTerm : termAt(lines, start - 1),
    end,
    lines: linesBetween(lines, start, end),
    controls: controls.filter(isHere),
  }
}

function linesBetween(lines: readonly TermLine[], start: Position, end: Position): TermLine[] {
  return lines.flatMap((line, i) => {
    const until = lines[i + 1]?.start ?? Number.POSITIVE_INFINITY
    if (line.start >= end || until <= start) return []
    return [{ term: line.term, start: Math.max(line.start, start) }]
  })
}

const termAt = (lines: readonly TermLine[], position: Position): Term =>
  lines.findLast(({ start }) => start <= position)?.term ?? 0
