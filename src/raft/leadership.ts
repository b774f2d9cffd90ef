import type { LogView } from './log-view.ts'
import { majorityEnd, majorityOf, membersOf } from './membership.ts'
import { Progress } from './progress.ts'
import { type Message, NO_REPLICA, type Position, type ReplicaId, type Term } from './types.ts'

/** After so many ticks without a word from a replica that lags, what it lacks is sent again; doubled each time, as it may have much else to do, … */
const RESEND_TICKS = 3
/** … up to this many times as many. */
const RESEND_FACTOR_MAX = 16
/** A transfer that takes longer is given up, and proposals are taken again. */
const TRANSFER_TICKS = 10

export interface LeadershipOptions {
  readonly id: ReplicaId
  readonly term: Term
  readonly log: LogView
  readonly unreachable: ReadonlySet<ReplicaId>
  /** Position of the entry with which this term began. */
  readonly startedAt: Position
}

/** What only a leader knows: how far each replica is, and what follows from it. Ends with its term. */
export class Leadership {
  readonly startedAt: Position
  readonly #options: LeadershipOptions
  readonly #progress = new Map<ReplicaId, Progress>()
  /** As of the last {@link send}. */
  #commit: Position = 0
  #transferee: ReplicaId = NO_REPLICA
  #transferTicks = 0
  #isTransferAsked = false

  constructor(options: LeadershipOptions) {
    this.#options = options
    this.startedAt = options.startedAt
    // who has all that this leader had before takes the term's start at once
    this.onConfiguration(options.startedAt)
  }

  /** {@link NO_REPLICA}: leadership stays. */
  get transferee(): ReplicaId {
    return this.#transferee
  }

  progressOf(replica: ReplicaId): Progress | undefined {
    return this.#progress.get(replica)
  }

  /** The log's configuration may be another. */
  onConfiguration(next: Position = this.#options.log.end): void {
    const { id, log, unreachable } = this.#options
    const members = membersOf(log.configuration)
    for (const replica of members) {
      if (replica === id || this.#progress.has(replica)) continue
      const progress = new Progress(next)
      progress.isReachable = !unreachable.has(replica)
      this.#progress.set(replica, progress)
    }
    for (const replica of this.#progress.keys()) {
      if (!members.includes(replica)) this.#progress.delete(replica)
    }
    if (!log.configuration.voters.includes(this.#transferee)) this.#transferee = NO_REPLICA
  }

  /** The greatest end that may be committed: a majority has it, the leader too, and it ends with an entry of this term (Raft, 5.4.2). */
  committable(storedEnd: Position): Position {
    const { id, log, term } = this.#options
    const end = majorityEnd(log.configuration, (replica) =>
      replica === id ? storedEnd : (this.#progress.get(replica)?.match ?? 0),
    )
    const bounded = Math.min(end, storedEnd)
    return log.lines.termAt(bounded - 1) === term ? bounded : 0
  }

  /** Of the voters a majority lives, this one included: otherwise another may be elected unseen. */
  get hasMajority(): boolean {
    const { id, log } = this.#options
    const alive = log.configuration.voters.filter(
      (replica) => replica === id || this.#progress.get(replica)?.isReachable === true,
    )
    return alive.length >= majorityOf(log.configuration)
  }

  setReachable(replica: ReplicaId, isReachable: boolean): void {
    const progress = this.#progress.get(replica)
    if (progress === undefined || progress.isReachable === isReachable) return
    progress.isReachable = isReachable
    // what was on its way may be lost
    if (isReachable) progress.again()
    if (!isReachable && replica === this.#transferee) this.#transferee = NO_REPLICA
  }

  /** That replica does not know of this leader, or has forgotten it: whatever it was sent is sent again. */
  remind(replica: ReplicaId): void {
    this.#progress.get(replica)?.again()
  }

  onReply(message: Extract<Message, { type: 'append-reply' }>): void {
    const progress = this.#progress.get(message.from)
    if (progress === undefined) return
    const { log } = this.#options
    const { end, lastTerm, isRefused, commit } = message
    progress.knownCommit = Math.max(progress.knownCommit, commit)
    progress.patience = 1
    if (!isRefused) {
      progress.matched(Math.min(end, log.end))
      return
    }
    // an answer that was overtaken: it agreed up to there since
    if (end < progress.match) return
    progress.probe(log.lines.endUpTo(lastTerm, Math.min(end, log.end)))
  }

  /** Something is not known to have arrived, so that {@link tick} is to be called. */
  get needsTicks(): boolean {
    if (this.#transferee !== NO_REPLICA) return true
    for (const progress of this.#progress.values()) {
      if (progress.isReachable && this.#lags(progress)) return true
    }
    return false
  }

  #lags({ match, knownCommit }: Progress): boolean {
    return match < this.#options.log.end || knownCommit < this.#commit
  }

  tick(): void {
    for (const progress of this.#progress.values()) {
      if (!progress.isReachable || !this.#lags(progress)) continue
      if (++progress.silentTicks < RESEND_TICKS * progress.patience) continue
      const { patience } = progress
      progress.again()
      progress.patience = Math.min(2 * patience, RESEND_FACTOR_MAX)
    }
    if (this.#transferee === NO_REPLICA) return
    if (++this.#transferTicks >= TRANSFER_TICKS) this.#transferee = NO_REPLICA
  }

  /** Begins to hand leadership to a voter, once it has caught up; false where that cannot be. */
  transferTo(replica: ReplicaId): boolean {
    const { id, log } = this.#options
    if (replica === id || !log.configuration.voters.includes(replica)) return false
    if (this.#progress.get(replica)?.isReachable !== true) return false
    if (replica === this.#transferee) return true
    this.#transferee = replica
    this.#transferTicks = 0
    this.#isTransferAsked = false
    return true
  }

  /** What is due to each replica now. */
  send(commit: Position, out: Message[]): void {
    this.#commit = commit
    for (const [replica, progress] of this.#progress) this.#sendTo(replica, progress, out)
    if (this.#transferee === NO_REPLICA || this.#isTransferAsked) return
    if (this.#progress.get(this.#transferee)!.match < this.#options.log.end) return
    this.#isTransferAsked = true
    out.push({ ...this.#to(this.#transferee), type: 'timeout-now' })
  }

  #sendTo(replica: ReplicaId, progress: Progress, out: Message[]): void {
    const { log } = this.#options
    if (!progress.isReachable || progress.isWaiting) return
    const { next, isProbing } = progress
    const isTold = progress.toldCommit >= this.#commit
    if (!isProbing && next >= log.end && isTold) return
    if (next < log.start) {
      this.#sendSnapshot(replica, progress, out)
      return
    }
    progress.isWaiting = isProbing
    progress.toldCommit = this.#commit
    if (!isProbing) progress.next = log.end
    const { id, term } = this.#options
    // field by field: of a spread V8 makes a new shape each time, and this is sent all the time
    out.push({
      type: 'append',
      from: id,
      to: replica,
      term,
      start: next,
      previousTerm: log.lines.termAt(next - 1),
      end: log.end,
      lines: log.lines.between(next, log.end),
      controls: log.controlsBetween(next, log.end),
      commit: this.#commit,
    })
  }

  #sendSnapshot(replica: ReplicaId, progress: Progress, out: Message[]): void {
    const { log } = this.#options
    const { start } = log
    progress.isWaiting = true
    out.push({
      ...this.#to(replica),
      type: 'snapshot',
      start,
      lines: log.lines.between(start - 1, start),
      configuration: log.configurationAt(start),
    })
  }

  #to(to: ReplicaId): { from: ReplicaId; to: ReplicaId; term: Term } {
    return { from: this.#options.id, to, term: this.#options.term }
  }
}
