/** What a command leads to: entries to append, and the answer to give once they are committed. */
export interface Decision<Entry, Response> {
  readonly entries: readonly Entry[]
  readonly response: Response
}

/**
 * A state machine over a log of entries (design, section 6). The leader appends what `decide` returned and replays it at once;
 * followers, and every restart, replay what was committed.
 */
export interface ReplicatedMachine<Command, Entry, Response> {
  /** Looks at the latest state and never touches it. `nowMs` is wall-clock time. */
  decide(command: Command, nowMs: number): Decision<Entry, Response>
  /** The only method that changes replicated state; depends on nothing but that state and `entry`. */
  replay(entry: Entry): void
}
