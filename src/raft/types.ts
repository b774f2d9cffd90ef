/*
 * What a Raft group and its host say to each other. Positions count what Raft counts: a batch is as wide as its offsets, a control entry is
 * one wide. An end is the position after the last one; `commit` is an end too (Kafka's high watermark, plus the control entries below it).
 */

/** Of one replica directory: one that was lost or may have forgotten comes back under another. Positive. */
export type ReplicaId = number
/** Kafka's leader epoch. */
export type Term = number
export type Position = number

export const NO_REPLICA: ReplicaId = 0

export const Role = { FOLLOWER: 0, PRE_CANDIDATE: 1, CANDIDATE: 2, LEADER: 3 } as const
export type Role = (typeof Role)[keyof typeof Role]

/** Who votes, and who only copies. */
export interface Configuration {
  readonly voters: readonly ReplicaId[]
  readonly learners: readonly ReplicaId[]
}

/** From `start` on, until the next line, entries have `term`. */
export interface TermLine {
  readonly term: Term
  readonly start: Position
}

/** An entry that no client sees, one position wide. */
export type ControlEntry =
  | { readonly kind: 'term-start'; readonly at: Position; readonly term: Term }
  | {
      readonly kind: 'membership'
      readonly at: Position
      readonly term: Term
      readonly configuration: Configuration
    }
  /** What else the host has agreed on, as a new start of the log; the group does not look into it. */
  | {
      readonly kind: 'host'
      readonly at: Position
      readonly term: Term
      readonly payload: unknown
    }

/** Must be durable before anything that was asked together with it is sent (Raft, figure 2). */
export interface HardState {
  readonly term: Term
  /** {@link NO_REPLICA}: none in this term. */
  readonly vote: ReplicaId
}

interface Between {
  readonly from: ReplicaId
  readonly to: ReplicaId
  readonly term: Term
}

export type Message =
  /** `term` of a pre-vote is that of the election that would follow. */
  | (Between & {
      readonly type: 'pre-vote' | 'vote'
      readonly lastTerm: Term
      readonly end: Position
      /** The leader has asked for this election, or runs no more: nobody holds on to it. */
      readonly isTransfer: boolean
    })
  | (Between & { readonly type: 'pre-vote-reply' | 'vote-reply'; readonly isGranted: boolean })
  /** Of [start, end) the follower copies what it lacks from the sender's log. An empty range tells the commit. */
  | (Between & {
      readonly type: 'append'
      readonly start: Position
      /** Of the entry before `start`. */
      readonly previousTerm: Term
      readonly end: Position
      readonly lines: readonly TermLine[]
      readonly controls: readonly ControlEntry[]
      readonly commit: Position
    })
  | (Between & {
      readonly type: 'append-reply'
      /** Where the sender's log ends, up to which it agrees with the leader's; when refused, an end that may agree. */
      readonly end: Position
      readonly isRefused: boolean
      /** When refused: the term of the entry before `end`. */
      readonly lastTerm: Term
      /** As far as the sender knows. */
      readonly commit: Position
    })
  /** The receiver begins with this in place of a log: the leader's does not go back to where it ends. */
  | (Between & {
      readonly type: 'snapshot'
      readonly start: Position
      /** That cover the entry before `start`. */
      readonly lines: readonly TermLine[]
      readonly configuration: Configuration
    })
  /** The sender leads this term no more, and knows of no other leader. */
  | (Between & { readonly type: 'resign' })
  /** Be leader: campaign at once. */
  | (Between & { readonly type: 'timeout-now' })

/** What a follower is to copy, in order, from the log of the replica that leads. */
export interface CopyRange {
  readonly leader: ReplicaId
  readonly term: Term
  readonly start: Position
  readonly end: Position
  /** Terms of the entries in it, the first line at `start` or before: what is found there with another term is not what was meant. */
  readonly lines: readonly TermLine[]
}

/**
 * What the host has to do, in the order of the fields; `messages` only after everything before them is stored as durably as it
 * must be. Control entries are written before the data that follows them.
 */
export interface Ready {
  readonly hardState: HardState | null
  /** Everything from this position on is dropped. */
  readonly truncateTo: Position | null
  /** The whole log is dropped, and begins at this position. */
  readonly restore: Extract<Message, { type: 'snapshot' }> | null
  readonly controls: readonly ControlEntry[]
  /** To be copied: supersedes what an earlier Ready asked for. `stored` tells of each piece. */
  readonly copy: CopyRange | null
  readonly messages: readonly Message[]
  /** Entries below are committed. */
  readonly commit: Position
  /** Of the last of them. */
  readonly commitTerm: Term
  readonly role: Role
  readonly term: Term
  /** {@link NO_REPLICA}: nobody is known to lead. */
  readonly leader: ReplicaId
}
