import { invariant } from '../base/assert.ts'
import type { Position, Term, TermLine } from './types.ts'

/** The terms of a log's entries, as the positions at which they begin: all that Raft has to know of a log but its end. */
export class TermLines {
  /** Ascending in term and start. The first may begin before the log does; entries before it have term 0: what was written before there was a group. */
  #lines: TermLine[]

  constructor(lines: readonly TermLine[] = []) {
    this.#lines = [...lines]
  }

  /** Of the last entry; 0 where there has been none. */
  get lastTerm(): Term {
    return this.#lines.at(-1)?.term ?? 0
  }

  get all(): readonly TermLine[] {
    return this.#lines
  }

  /** Of the entry at `position`; 0 where no line covers it. */
  termAt(position: Position): Term {
    return this.#lines[this.#lineAt(position)]?.term ?? 0
  }

  /** Entries from `start` on have `term`. */
  append(term: Term, start: Position): void {
    const last = this.#lines.at(-1)
    if (last?.term === term) return
    invariant(last === undefined || last.term < term, 'term lines: terms ascend')
    invariant(last === undefined || last.start < start, 'term lines: positions ascend')
    this.#lines.push({ term, start })
  }

  replace(lines: readonly TermLine[]): void {
    this.#lines = [...lines]
  }

  /** Forgets entries from `end` on. */
  truncate(end: Position): void {
    while (this.#lines.length > 0 && this.#lines.at(-1)!.start >= end) this.#lines.pop()
  }

  /** Forgets entries before the one at `start − 1`, whose term is asked for still. */
  forget(start: Position): void {
    const kept = this.#lineAt(start - 1)
    if (kept > 0) this.#lines.splice(0, kept)
  }

  /**
   * The lines of entries in [start, end): the first begins at `start`, also where no line covers that. Who has copied a log from its beginning keeps
   * the starts of terms alone, and is to tell the same lines as whoever it was copied from.
   */
  between(start: Position, end: Position): TermLine[] {
    const lines: TermLine[] = []
    const first = this.#lines[0]
    if (start < end && (first === undefined || first.start > start)) lines.push({ term: 0, start })
    for (const line of this.#lines.slice(Math.max(0, this.#lineAt(start)))) {
      if (line.start >= end) break
      lines.push({ term: line.term, start: Math.max(line.start, start) })
    }
    return lines
  }

  /** The greatest end up to `end` whose last entry has a term of at most `term`: nothing above it can agree with a log that ends in `term`. */
  endUpTo(term: Term, end: Position): Position {
    let at = end
    for (let i = this.#lines.length - 1; i >= 0; i--) {
      const line = this.#lines[i]!
      if (line.start >= at) continue
      if (line.term <= term) return at
      at = line.start
    }
    return at
  }

  #lineAt(position: Position): number {
    let at = this.#lines.length - 1
    while (at >= 0 && this.#lines[at]!.start > position) at--
    return at
  }
}
