import { invariant } from '../base/assert.ts'
import { Ballot } from './ballot.ts'
import { FIRST_PATIENCE } from './first-term.ts'
import { Leadership } from './leadership.ts'
import { canReachMajority, membersOf, whyNotNext } from './membership.ts'
import type { Progress } from './progress.ts'
import type { RaftGroupOptions } from './raft-group-options.ts'
import { type Agreement, ReplicaLog } from './replica-log.ts'
import {
  type Configuration,
  type Message,
  NO_REPLICA,
  type Position,
  type Ready,
  type ReplicaId,
  Role,
  type Term,
} from './types.ts'
import { Votes } from './votes.ts'

/** Voters that do not answer are asked again with each of the first ticks. */
const ASK_AGAIN_TICKS = 3

type Of<T extends Message['type']> = Extract<Message, { type: T }>

/**
 * One replica of a Raft group (Ongaro's thesis, with pre-vote and leader stickiness), without I/O, clock or randomness of its own: messages
 * and ticks come in, one {@link Ready} comes out. The host stores, sends and applies what a Ready says, in that order, and tells by
 * `stored` how far the log on its disk goes.
 *
 * Time is the host's: it tells which replicas can be reached (from heartbeats between brokers, for all groups at once), and calls `tick` only
 * while `needsTicks`. So a group that is quiet costs nothing. In return the host tells both sides, and tells that it is back after that, of each
 * break in which messages may have been lost.
 */
export class RaftGroup {
  readonly id: ReplicaId
  readonly #options: RaftGroupOptions
  readonly #log: ReplicaLog
  readonly #unreachable = new Set<ReplicaId>()
  /** Of the host: false as long as it could not do what a leader has to. It votes all the same. */
  mayLead = true
  readonly #ballot: Ballot
  #role: Role = Role.FOLLOWER
  #leader: ReplicaId = NO_REPLICA
  #leadership: Leadership | null = null
  readonly #votes: Votes
  #ticks = 0
  #electionTicks: number
  // since the last Ready
  #messages: Message[] = []

  constructor(options: RaftGroupOptions) {
    const { id, hardState, log, commit } = options
    this.id = id
    this.#options = options
    this.#log = new ReplicaLog(log, commit)
    this.#ballot = new Ballot(id, hardState, log)
    this.#leader = options.leader ?? NO_REPLICA
    this.#electionTicks = options.electionTicks() * (this.#ballot.isFirst ? FIRST_PATIENCE : 1)
    this.#votes = new Votes(id, options.isAfterPowerLoss === true)
    invariant(this.#log.view.lastTerm <= this.#ballot.term, 'no entry is of a later term')
  }

  get term(): Term {
    return this.#ballot.term
  }

  get role(): Role {
    return this.#role
  }

  get leader(): ReplicaId {
    return this.#leader
  }

  get commit(): Position {
    return this.#log.commit
  }

  get end(): Position {
    return this.#log.view.end
  }

  /** What its leader has said that is committed, whether it is here or not; 0 where nobody is known to lead. */
  get leaderCommit(): Position {
    return this.#log.leaderCommit
  }

  get configuration(): Configuration {
    return this.#log.view.configuration
  }

  /** As the host has told; also replicas that are no members now. */
  get unreachable(): ReadonlySet<ReplicaId> {
    return this.#unreachable
  }

  /** The newest configuration is committed. */
  get isMembershipCommitted(): boolean {
    return this.#log.view.membershipAt < this.#log.commit
  }

  /** It led when it was closed, and nobody has led since as far as it knows: it is to campaign as soon as a leader is wanted. */
  get isDormant(): boolean {
    return this.#role === Role.FOLLOWER && this.#leader === this.id
  }

  /** What this leader knows of another replica; undefined where it leads nobody. */
  progressOf(replica: ReplicaId): Readonly<Progress> | undefined {
    return this.#leadership?.progressOf(replica)
  }

  /** Nobody leads, and who has this replica's vote may be about to; {@link NO_REPLICA}: none has, or it cannot be reached. */
  get awaited(): ReplicaId {
    const { awaited } = this.#ballot
    return this.#unreachable.has(awaited) ? NO_REPLICA : awaited
  }

  get #isVoter(): boolean {
    return this.#log.view.configuration.voters.includes(this.id)
  }

  /**
   * Also a replica whose removal is not committed: its log may be the longest, and then no other can be elected, though its own
   * vote counts no more (thesis, 4.2.2).
   */
  get #mayCampaign(): boolean {
    if (!this.mayLead) return false
    if (this.#isVoter) return true
    return this.#log.view.configurationAt(this.#log.commit).voters.includes(this.id)
  }

  /** It leads, and is not handing that over. */
  get takesProposals(): boolean {
    return this.#leadership !== null && this.#leadership.transferee === NO_REPLICA
  }

  /** Something is waited for that may never come: call {@link tick} now and then. */
  get needsTicks(): boolean {
    if (this.#leadership !== null) return this.#leadership.needsTicks
    if (!this.#mayCampaign || this.#leader !== NO_REPLICA) return false
    // else an election is lost before it begins, and the host says when that changes
    return canReachMajority(this.#log.view.configuration, this.#unreachable)
  }

  tick(): void {
    if (this.#leadership !== null) {
      this.#leadership.tick()
      return
    }
    if (!this.needsTicks) return
    // what a majority has granted meanwhile counts once the others were waited for long enough
    if (this.#votes.tick()) this.#count()
    if (++this.#ticks >= this.#electionTicks) this.campaign()
    else if (this.#role === Role.PRE_CANDIDATE && this.#ticks <= ASK_AGAIN_TICKS) {
      // who has not answered may have held on to the leader that is lost: it did not know of that yet
      this.#ask('pre-vote', this.#ballot.term + 1, false)
    }
  }

  /** Asks whether it would be elected, and then to be: at once. `isLeaderDead`: its leader runs no more, for certain: nobody is asked before, nor holds on to it. */
  campaign(isLeaderDead = false): void {
    if (this.#role === Role.LEADER || !this.#mayCampaign) return
    // after a power loss the longest log is looked for first
    if (isLeaderDead && !this.#ballot.mayBegin && !this.#votes.isToHearAll) {
      this.#runForTerm(true)
      return
    }
    this.#resetTicks()
    this.#ballot.awaitNobody()
    this.#leader = NO_REPLICA
    this.#role = this.#ballot.mayBegin ? Role.CANDIDATE : Role.PRE_CANDIDATE
    this.#log.dropIncoming()
    if (!this.#ballot.mayBegin) this.#askForVotes('pre-vote', this.#ballot.term + 1, false)
    // its own vote is told by leading: not before that is kept
    else if (this.#ballot.isKept) this.#lead()
  }

  /** The host: every hard state of the Readys so far is durable. */
  hardStateStored(): void {
    this.#ballot.stored()
    if (this.#ballot.mayBegin && this.#role === Role.CANDIDATE) this.campaign()
  }

  /** From the heartbeats of its broker: all are taken for reachable until the host says otherwise. */
  setReachable(replica: ReplicaId, isReachable: boolean): void {
    if (replica === this.id) return
    if (isReachable) this.#unreachable.delete(replica)
    else this.#unreachable.add(replica)
    if (this.#leadership === null) {
      if (replica === this.#leader && !isReachable) this.#follow(this.#ballot.term, NO_REPLICA)
      return
    }
    this.#leadership.setReachable(replica, isReachable)
    if (!this.#leadership.hasMajority) this.resign()
  }

  /** Entries of the leader's own, `width` positions wide; their start, or −1 where it takes none. The host writes them. */
  propose(width: number): Position {
    invariant(Number.isSafeInteger(width) && width > 0, 'an entry has a width')
    if (!this.takesProposals) return -1
    const start = this.#log.view.end
    this.#log.extend(this.#ballot.term, start + width)
    return start
  }

  /** A control entry of the host's: its position, or −1 where it takes none. */
  proposeControl(payload: unknown): Position {
    if (!this.takesProposals) return -1
    const at = this.#log.view.end
    this.#log.extendBy({ kind: 'host', at, term: this.#ballot.term, payload })
    return at
  }

  /**
   * Changes who votes and who copies, one voter at a time; why not, or null. Counts from now on, and is undone if it is never committed. Who gets a vote
   * has all up to `caughtUpTo`: what is committed now, or was a moment ago.
   */
  proposeMembership(
    configuration: Configuration,
    caughtUpTo: Position = this.#log.commit,
  ): string | null {
    const leadership = this.#leadership
    if (leadership === null || !this.takesProposals) return 'this replica does not lead'
    const matchOf = (voter: ReplicaId) => leadership.progressOf(voter)?.match ?? 0
    const isCaughtUp = (voter: ReplicaId) => matchOf(voter) >= caughtUpTo
    const known = { log: this.#log, startedAt: leadership.startedAt, isCaughtUp }
    const refusal = whyNotNext(this.id, configuration, known)
    if (refusal !== null) return refusal
    const at = this.#log.view.end
    this.#log.extendBy({ kind: 'membership', at, term: this.#ballot.term, configuration })
    leadership.onConfiguration()
    return null
  }

  /** Begins to hand leadership over; false where this cannot be. Proposals are not taken until it is done, or given up. */
  transferTo(replica: ReplicaId): boolean {
    return this.#leadership?.transferTo(replica) ?? false
  }

  /** Leads no more, and says so: its host cannot go on with its log. */
  resign(): void {
    if (this.#leadership === null) return
    for (const replica of membersOf(this.#log.view.configuration)) {
      if (replica !== this.id) this.#send({ ...this.#to(replica), type: 'resign' })
    }
    this.#follow(this.#ballot.term, NO_REPLICA)
  }

  /**
   * The log on this replica's disk goes to `end`, at the end of a batch: of what the newest Ready knows. What was written for an earlier
   * one, and has been truncated since, is not told.
   */
  stored(end: Position): void {
    if (this.#leadership === null) {
      this.#tell(this.#leader, this.#log.storedByFollower(end))
      return
    }
    this.#log.storedByLeader(end)
    this.#advance()
  }

  /** Entries before `start` are gone from this replica's disk. */
  logStart(start: Position): void {
    invariant(start <= this.#log.commit, 'only what is committed is forgotten')
    this.#log.view.forget(start)
  }

  step(message: Message): void {
    invariant(message.to === this.id, 'a message for another replica')
    const { term, type, from } = message
    // it leads no more, and what said so was lost, or was overtaken by what it had sent before
    const isCandidate = type === 'pre-vote' || type === 'vote'
    if (isCandidate && this.isDormant && !message.isTransfer && this.#mayCampaign) {
      // a leader is wanted
      this.campaign()
      return
    }
    if (isCandidate && (from === this.#leader || this.isDormant))
      this.#follow(this.#ballot.term, NO_REPLICA)
    if (term > this.#ballot.term && !this.#isOfLaterTerm(message)) return
    if (term < this.#ballot.term) {
      this.#onOldTerm(message)
      return
    }
    switch (type) {
      case 'pre-vote':
      case 'vote':
        this.#onVoteRequest(message)
        break
      case 'pre-vote-reply':
        // granted for an earlier election: not for this one
        if (message.isGranted && term !== this.#ballot.term + 1) break
        if (this.#role === Role.PRE_CANDIDATE) this.#onVote(message)
        break
      case 'vote-reply':
        if (this.#role === Role.CANDIDATE) this.#onVote(message)
        break
      case 'append':
        this.#followLeader(from)
        this.#tell(from, this.#log.onAppend(message))
        break
      case 'snapshot':
        this.#followLeader(from)
        this.#tell(from, this.#log.onSnapshot(message))
        break
      case 'append-reply':
        this.#leadership?.onReply(message)
        this.#advance()
        break
      case 'resign':
        if (from === this.#leader) this.#follow(this.#ballot.term, NO_REPLICA)
        break
      case 'timeout-now':
        if (this.#mayCampaign && this.#role !== Role.LEADER) this.#runForTerm(true)
    }
  }

  /** What is to be done since the last one. */
  ready(): Ready {
    this.#leadership?.send(this.#log.commit, this.#messages)
    const hardState = this.#ballot.take()
    const { truncateTo, restore, controls, copy } = this.#log.takeChanges()
    const ready: Ready = {
      hardState,
      truncateTo,
      restore,
      controls,
      copy,
      messages: this.#messages,
      commit: this.#log.commit,
      commitTerm: this.#log.view.lines.termAt(this.#log.commit - 1),
      role: this.#role,
      term: this.#ballot.term,
      leader: this.#leader,
    }
    this.#messages = []
    return ready
  }

  /** False: it is not to be heard. */
  #isOfLaterTerm(message: Message): boolean {
    const { type, term, from } = message
    if (type === 'pre-vote' || type === 'vote') {
      // who hears from a leader holds on to it (thesis, 4.2.3): a replica that was cut off disturbs nobody
      if (this.#leader !== NO_REPLICA && !message.isTransfer) {
        // a member that does not know of its leader is told
        this.#leadership?.remind(from)
        return false
      }
    }
    // a pre-vote is of a term that may never come
    if (type === 'pre-vote') return true
    if (type === 'pre-vote-reply' && message.isGranted) return term === this.#ballot.term + 1
    const isLeader = type === 'append' || type === 'snapshot' || type === 'timeout-now'
    this.#follow(term, isLeader ? from : NO_REPLICA)
    return true
  }

  #onOldTerm(message: Message): void {
    const { type, from } = message
    // of an election that this replica is ahead of; or of a leader that does not know that it is one no more
    if (type === 'pre-vote' || type === 'vote')
      this.#send({ ...this.#to(from), type: `${type}-reply`, isGranted: false })
    else if (type === 'append' || type === 'snapshot')
      this.#tell(from, { end: this.#log.view.end, isRefused: true })
  }

  #onVoteRequest(message: Of<'pre-vote' | 'vote'>): void {
    const { from, term, type } = message
    const isUpToDate = this.#log.isReachedBy(message)
    if (type === 'pre-vote') {
      const isGranted = term > this.#ballot.term && isUpToDate
      const answered = isGranted ? term : this.#ballot.term
      this.#send({ ...this.#to(from), term: answered, type: 'pre-vote-reply', isGranted })
      // it cannot be elected, and this one can: no need to wait for ticks
      const isFree = this.#role === Role.FOLLOWER && this.#leader === NO_REPLICA
      if (!isUpToDate && isFree && this.awaited === NO_REPLICA) this.campaign()
      return
    }
    const { vote } = this.#ballot
    const isFree = vote === from || (vote === NO_REPLICA && this.#leader === NO_REPLICA)
    const isGranted = isFree && isUpToDate
    if (isGranted) {
      this.#ballot.giveTo(from)
      this.#role = Role.FOLLOWER
      this.#resetTicks()
    }
    this.#send({ ...this.#to(from), type: 'vote-reply', isGranted })
    if (isUpToDate || !isFree || this.#role !== Role.FOLLOWER) return
    // likewise, where the other has no majority without it
    const others = new Set([...this.#unreachable, this.id])
    if (!canReachMajority(this.#log.view.configuration, others)) this.campaign(message.isTransfer)
  }

  #onVote({ from, isGranted }: Of<'pre-vote-reply' | 'vote-reply'>): void {
    this.#votes.answered(from, isGranted)
    this.#count()
  }

  #count(): void {
    if (this.#role === Role.FOLLOWER || this.#role === Role.LEADER) return
    const isPreVote = this.#role === Role.PRE_CANDIDATE
    const result = this.#votes.tally(this.#log.view.configuration, isPreVote)
    if (result === 'lost') this.#follow(this.#ballot.term, NO_REPLICA)
    if (result !== 'won') return
    if (isPreVote) this.#runForTerm(false)
    else this.#lead()
  }

  #runForTerm(isTransfer: boolean): void {
    this.#resetTicks()
    this.#electionTicks *= this.#votes.nextPatience()
    this.#log.dropIncoming()
    this.#role = Role.CANDIDATE
    this.#leader = NO_REPLICA
    this.#ballot.set(this.#ballot.term + 1, this.id)
    this.#askForVotes('vote', this.#ballot.term, isTransfer)
  }

  #askForVotes(type: 'pre-vote' | 'vote', term: Term, isTransfer: boolean): void {
    this.#votes.begin()
    this.#ask(type, term, isTransfer)
    this.#count()
  }

  /** Voters that have not answered. */
  #ask(type: 'pre-vote' | 'vote', term: Term, isTransfer: boolean): void {
    const { lastTerm, end, configuration } = this.#log.view
    for (const voter of configuration.voters) {
      if (this.#votes.has(voter)) continue
      this.#send({ ...this.#to(voter), type, term, lastTerm, end, isTransfer })
    }
  }

  #lead(): void {
    this.#votes.waitNoMore()
    this.#ballot.mayBegin = false
    this.#role = Role.LEADER
    this.#leader = this.id
    const startedAt = this.#log.view.end
    this.#log.extendBy({ kind: 'term-start', at: startedAt, term: this.#ballot.term })
    this.#leadership = new Leadership({
      ...{ id: this.id, term: this.#ballot.term, log: this.#log.view, startedAt },
      unreachable: this.#unreachable,
    })
    if (!this.#leadership.hasMajority) this.resign()
  }

  #followLeader(from: ReplicaId): void {
    this.#votes.waitNoMore()
    invariant(this.#role !== Role.LEADER, 'a term has one leader')
    if (this.#role !== Role.FOLLOWER || this.#leader !== from) this.#follow(this.#ballot.term, from)
  }

  #follow(term: Term, leader: ReplicaId): void {
    if (term > this.#ballot.term) this.#ballot.set(term, NO_REPLICA)
    this.#leadership = null
    this.#ballot.awaitNobody()
    this.#log.forgetLeader()
    this.#role = Role.FOLLOWER
    this.#leader = leader
    this.#resetTicks()
  }

  /** A leader's commit moves with what replicas have. */
  #advance(): void {
    const leadership = this.#leadership
    if (leadership === null) return
    const end = leadership.committable(this.#log.storedEnd)
    if (end <= this.#log.commit) return
    this.#log.commitTo(end)
    if (this.#isVoter || this.#log.view.membershipAt >= this.#log.commit) return
    // a leader that was removed is done once that is committed (thesis, 4.2.2), and says so before it goes
    leadership.send(this.#log.commit, this.#messages)
    this.resign()
  }

  #resetTicks(): void {
    this.#ticks = 0
    this.#electionTicks = this.#options.electionTicks()
  }

  #tell(to: ReplicaId, agreement: Agreement | null): void {
    if (agreement === null) return
    const lastTerm = this.#log.view.lines.termAt(agreement.end - 1)
    const { end, isRefused } = agreement
    const { from, term } = this.#to(to)
    const { commit } = this.#log
    this.#send({ type: 'append-reply', from, to, term, end, isRefused, lastTerm, commit })
  }

  #send(message: Message): void {
    this.#messages.push(message)
  }

  #to(to: ReplicaId): { from: ReplicaId; to: ReplicaId; term: Term } {
    return { from: this.id, to, term: this.#ballot.term }
  }
}
