import { invariant } from '../base/assert.ts'
import { LogView, type RecoveredLog } from './log-view.ts'
import type { ControlEntry, CopyRange, Message, Position, Ready, Term, TermLine } from './types.ts'

type Append = Extract<Message, { type: 'append' }>
type Snapshot = Extract<Message, { type: 'snapshot' }>

/** What a leader is told: the end up to which this log agrees with its own, or when refused one that may. */
export interface Agreement {
  readonly end: Position
  readonly isRefused: boolean
}

/** The part of a Ready that is about the log. */
export type LogChanges = Pick<Ready, 'truncateTo' | 'restore' | 'controls' | 'copy'>

/** The log of one replica: how far it is stored and committed, what it takes from a leader, and what the host has to change on its disk for that. */
export class ReplicaLog {
  readonly view: LogView
  #commit: Position
  #storedEnd: Position
  /** What the leader has committed, and how much of its log this one agrees with. */
  #leaderCommit: Position = 0
  #agreedEnd: Position = 0
  /** What is being copied. */
  #incoming: Append | null = null
  // since they were taken
  #truncateTo: Position | null = null
  #restore: Snapshot | null = null
  #controls: ControlEntry[] = []
  #copy: CopyRange | null = null

  constructor(log: RecoveredLog, commit: Position) {
    this.view = new LogView(log)
    this.#commit = commit
    this.#storedEnd = log.end
    invariant(commit >= log.start && commit <= log.end, 'the commit lies within the log')
  }

  get commit(): Position {
    return this.#commit
  }

  get storedEnd(): Position {
    return this.#storedEnd
  }

  /** What the leader has said that is committed. */
  get leaderCommit(): Position {
    return this.#leaderCommit
  }

  /** Whether who asks for a vote has all that this log has. */
  isReachedBy({ lastTerm, end }: { lastTerm: Term; end: Position }): boolean {
    const { view } = this
    return lastTerm > view.lastTerm || (lastTerm === view.lastTerm && end >= view.end)
  }

  takeChanges(): LogChanges {
    const changes: LogChanges = {
      truncateTo: this.#truncateTo,
      restore: this.#restore,
      controls: this.#controls,
      copy: this.#copy,
    }
    this.#truncateTo = this.#restore = this.#copy = null
    this.#controls = []
    return changes
  }

  /** Entries of a leader, which are its log before they are stored. */
  extend(term: Term, end: Position): void {
    this.view.extend(term, end)
  }

  extendBy(entry: ControlEntry): void {
    this.view.extendBy(entry)
    this.#controls.push(entry)
  }

  /** A leader's disk has its log up to `end`. */
  storedByLeader(end: Position): void {
    invariant(end <= this.view.end, 'only what was proposed is stored')
    this.#storedEnd = Math.max(this.#storedEnd, end)
  }

  /** A leader's commit. */
  commitTo(end: Position): void {
    invariant(end >= this.#commit && end <= this.#storedEnd, 'a commit lies on the disk')
    this.#commit = end
  }

  /** Copied up to `end`. What to tell the leader; null where nobody has asked for it (any more). */
  storedByFollower(end: Position): Agreement | null {
    const incoming = this.#incoming
    if (incoming === null || end <= this.view.end) return null
    invariant(end <= incoming.end, 'only what was asked for is copied')
    this.view.extendAs(incoming.lines, incoming.controls, end)
    this.#storedEnd = this.#agreedEnd = end
    if (end === incoming.end) this.#incoming = null
    this.#followCommit()
    return { end, isRefused: false }
  }

  /** Another leads, or nobody: what comes next is judged anew, and what a leader had not stored is not part of its log any more. */
  forgetLeader(): void {
    // if it is on others, it comes back from them
    if (this.view.end > this.#storedEnd) this.#truncate(this.#storedEnd)
    this.dropIncoming()
    this.#leaderCommit = this.#agreedEnd = 0
  }

  /** What is being copied is not to be gone on with. */
  dropIncoming(): void {
    if (this.#incoming === null) return
    // control entries may have been written ahead of what was not copied
    this.#truncateTo = Math.min(this.#truncateTo ?? this.view.end, this.view.end)
    this.#incoming = null
    this.#copy = null
    this.#controls = []
  }

  /** From the leader; null where there is nothing to say before more is stored. */
  onAppend(message: Append): Agreement | null {
    if (this.#merge(message)) return null
    const { start, previousTerm, end, lines, commit } = message
    const { view } = this
    // what was committed is the same everywhere, whatever of it is still here
    const isBehind = start < view.start
    if (isBehind && end < view.start) return { end: this.#commit, isRefused: false }
    if (!isBehind && !view.agreesAt(start, previousTerm)) {
      const mayAgree = view.lines.endUpTo(previousTerm, Math.min(start, view.end))
      return { end: Math.max(mayAgree, this.#commit), isRefused: true }
    }
    const conflict = this.#conflictOf(lines, Math.max(start, view.start), end)
    if (conflict < view.end) this.#truncate(conflict)
    this.#agreedEnd = Math.max(this.#agreedEnd, Math.min(end, view.end))
    this.#leaderCommit = Math.max(this.#leaderCommit, commit)
    const lacks = end > view.end
    if (lacks) this.#copyFrom(message)
    this.#followCommit()
    const isNews = !lacks || this.#agreedEnd > start
    return isNews ? { end: this.#agreedEnd, isRefused: false } : null
  }

  /** What this log has beyond stays where both agree (Raft, section 7): the leader may have been told of it. */
  onSnapshot(message: Snapshot): Agreement {
    const { start, lines } = message
    if (start <= this.#commit) return { end: this.#commit, isRefused: false }
    if (this.view.agreesAt(start, lines.at(-1)?.term ?? 0)) {
      this.#agreedEnd = Math.max(this.#agreedEnd, start)
      this.#leaderCommit = Math.max(this.#leaderCommit, start)
      this.#followCommit()
      return { end: this.#agreedEnd, isRefused: false }
    }
    this.dropIncoming()
    this.#truncateTo = null
    this.#controls = []
    this.view.restore(message)
    this.#restore = message
    this.#commit = this.#storedEnd = this.#agreedEnd = start
    return { end: start, isRefused: false }
  }

  /** The leader goes on where what is being copied ends. True when that is all there is to it. */
  #merge(message: Append): boolean {
    const incoming = this.#incoming
    if (incoming === null || message.start > incoming.end || message.end <= this.view.end) {
      return false
    }
    // sent again from further back: up to here both agree, and what goes on is the same log's
    const start = Math.max(message.start, incoming.start)
    this.#leaderCommit = Math.max(this.#leaderCommit, message.commit)
    this.#followCommit()
    if (message.end <= incoming.end) return true
    const before = <T>(of: readonly T[], at: (one: T) => Position): T[] =>
      of.filter((one) => at(one) < start)
    const from = <T>(of: readonly T[], at: (one: T) => Position): T[] =>
      of.filter((one) => at(one) >= start)
    const lines = [
      ...before(incoming.lines, (line) => line.start),
      ...linesFrom(message.lines, start),
    ]
    const controls = [
      ...before(incoming.controls, ({ at }) => at),
      ...from(message.controls, ({ at }) => at),
    ]
    const { type, to, previousTerm, commit } = incoming
    const { from: leader, term, end } = message
    this.#incoming = {
      type,
      from: leader,
      to,
      term,
      start: incoming.start,
      previousTerm,
      end,
      lines,
      controls,
      commit,
    }
    this.#controls.push(...message.controls.filter(({ at }) => at >= incoming.end))
    this.#copy = { leader, term, start: this.view.end, end, lines }
    return true
  }

  /** The first position at which this log differs from `lines`; its end where it does not, or goes on longer. */
  #conflictOf(lines: Append['lines'], start: Position, end: Position): Position {
    const { view } = this
    for (const [i, line] of lines.entries()) {
      const from = Math.max(line.start, start)
      const until = Math.min(lines[i + 1]?.start ?? end, view.end)
      if (from >= until) continue
      for (const own of view.lines.between(from, until)) {
        if (own.term !== line.term) return own.start
      }
    }
    return view.end
  }

  #copyFrom(message: Append): void {
    const { from: leader, term, end } = message
    const start = this.view.end
    this.#incoming = message
    this.#controls = message.controls.filter(({ at }) => at >= start)
    this.#copy = { leader, term, start, end, lines: message.lines }
  }

  #followCommit(): void {
    this.#commit = Math.max(this.#commit, Math.min(this.#leaderCommit, this.#agreedEnd))
  }

  #truncate(end: Position): void {
    invariant(end >= this.#commit, 'what is committed stays')
    this.view.truncate(end)
    this.#storedEnd = Math.min(this.#storedEnd, end)
    this.#agreedEnd = Math.min(this.#agreedEnd, end)
    this.#truncateTo = Math.min(this.#truncateTo ?? end, end)
    this.#controls = this.#controls.filter(({ at }) => at < end)
    this.#incoming = null
    this.#copy = null
  }
}

/** Of entries from `start` on: the first line begins there. */
const linesFrom = (lines: readonly TermLine[], start: Position): TermLine[] =>
  lines.flatMap((line, i) => {
    const until = lines[i + 1]?.start ?? Number.POSITIVE_INFINITY
    return until <= start ? [] : [{ term: line.term, start: Math.max(line.start, start) }]
  })
