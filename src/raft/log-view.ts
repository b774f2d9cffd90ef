import { invariant } from '../base/assert.ts'
import { TermLines } from './term-lines.ts'
import type { Configuration, ControlEntry, Message, Position, Term, TermLine } from './types.ts'

/** A log as a host recovers it. */
export interface RecoveredLog {
  readonly start: Position
  readonly end: Position
  readonly lines: readonly TermLine[]
  /** Ascending; all that lie in [start, end). */
  readonly controls: readonly ControlEntry[]
  /** As it is at `start`. */
  readonly configuration: Configuration
}

const NO_CONTROLS: readonly ControlEntry[] = []

/** What of a log Raft knows: its bounds, terms and control entries. The records are the host's. */
export class LogView {
  readonly lines: TermLines
  #start: Position
  #end: Position
  #controls: ControlEntry[]
  #configurationAtStart: Configuration
  /** The newest; null where it is to be looked for: after a hundred elections there are a hundred control entries, and it is asked for all the time. */
  #configuration: Configuration | null = null

  constructor({ start, end, lines, controls, configuration }: RecoveredLog) {
    invariant(start <= end, 'a log starts before it ends')
    this.lines = new TermLines(lines)
    this.#start = start
    this.#end = end
    this.#controls = [...controls]
    this.#configurationAtStart = configuration
  }

  get start(): Position {
    return this.#start
  }

  get end(): Position {
    return this.#end
  }

  /** Of the last entry, or of the one before an empty log's start; 0 where there has been none. */
  get lastTerm(): Term {
    return this.lines.termAt(this.#end - 1)
  }

  /** The newest, committed or not: it counts from the moment it is in the log (Raft, section 6). */
  get configuration(): Configuration {
    this.#configuration ??= this.configurationAt(this.#end)
    return this.#configuration
  }

  /** By entries below `end`. */
  configurationAt(end: Position): Configuration {
    const entry = this.#controls.findLast(({ kind, at }) => kind === 'membership' && at < end)
    return entry?.kind === 'membership' ? entry.configuration : this.#configurationAtStart
  }

  /** Position of the newest membership entry, −1 for none. */
  get membershipAt(): Position {
    return this.#controls.findLast(({ kind }) => kind === 'membership')?.at ?? -1
  }

  controlsBetween(start: Position, end: Position): readonly ControlEntry[] {
    // nearly always
    if ((this.#controls.at(-1)?.at ?? -1) < start) return NO_CONTROLS
    return this.#controls.filter(({ at }) => at >= start && at < end)
  }

  /** Whether this log has an entry of `term` before `end`: then all before it are the same (the log matching property). */
  agreesAt(end: Position, term: Term): boolean {
    if (end > this.#end || end < this.#start) return false
    return end === 0 || this.lines.termAt(end - 1) === term
  }

  /** Entries up to `end`, all of `term`. */
  extend(term: Term, end: Position): void {
    invariant(end > this.#end, 'a log grows')
    this.lines.append(term, this.#end)
    this.#end = end
  }

  extendBy(entry: ControlEntry): void {
    invariant(entry.at === this.#end, 'a control entry is where the log ends')
    this.extend(entry.term, entry.at + 1)
    this.#controls.push(entry)
    this.#configuration = null
  }

  /** Entries up to `end` as another log has them. */
  extendAs(lines: readonly TermLine[], controls: readonly ControlEntry[], end: Position): void {
    const from = this.#end
    for (const [i, { term, start }] of lines.entries()) {
      const until = Math.min(end, lines[i + 1]?.start ?? end)
      if (until <= this.#end) continue
      invariant(start <= this.#end, 'another log’s lines have no gap')
      this.extend(term, until)
    }
    invariant(this.#end === end, 'another log’s lines reach its end')
    for (const entry of controls) if (entry.at >= from && entry.at < end) this.#controls.push(entry)
    if (controls.length > 0) this.#configuration = null
  }

  truncate(end: Position): void {
    invariant(end >= this.#start && end <= this.#end, 'a log is truncated within its bounds')
    this.lines.truncate(end)
    this.#end = end
    while (this.#controls.length > 0 && this.#controls.at(-1)!.at >= end) this.#controls.pop()
    this.#configuration = null
  }

  /** Entries before `start` are gone; they were committed. */
  forget(start: Position): void {
    if (start <= this.#start) return
    invariant(start <= this.#end, 'a log starts before it ends')
    this.#configurationAtStart = this.configurationAt(start)
    this.#controls = this.#controls.filter(({ at }) => at >= start)
    this.lines.forget(start)
    this.#start = start
  }

  restore({ start, lines, configuration }: Extract<Message, { type: 'snapshot' }>): void {
    this.#start = this.#end = start
    this.#controls = []
    this.#configurationAtStart = configuration
    this.#configuration = null
    this.lines.replace(lines)
  }
}
