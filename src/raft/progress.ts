import type { Position } from './types.ts'

/** What a leader knows of another replica. */
export class Progress {
  /** Stored there, and agreeing with the leader's log. */
  match: Position = 0
  /** What it is sent next. */
  next: Position
  /** The end that it may agree with is being looked for: one question at a time. */
  isProbing = true
  /** A question or snapshot is out, and nothing else is sent before it is answered or given up. */
  isWaiting = false
  /** The commit that it has been told, and the one that it said it knows. */
  toldCommit: Position = -1
  knownCommit: Position = -1
  /** Its broker lives, as far as the host knows. */
  isReachable = true
  /** Ticks since it last moved. */
  silentTicks = 0
  /** How often in vain it was sent something, as a factor of the time until it is sent that again. */
  patience = 1

  constructor(next: Position) {
    this.next = next
  }

  /** It holds everything below `end`; true when that is news. */
  matched(end: Position): boolean {
    this.isWaiting = this.isProbing = false
    this.silentTicks = 0
    this.next = Math.max(this.next, end)
    if (end <= this.match) return false
    this.match = end
    return true
  }

  /** What was sent may not have arrived. */
  again(): void {
    this.probe(this.isProbing ? this.next : this.match)
  }

  /** Whether it agrees up to `next` is asked. */
  probe(next: Position): void {
    this.isProbing = true
    this.isWaiting = false
    this.silentTicks = 0
    this.patience = 1
    this.next = Math.max(next, this.match)
    this.toldCommit = -1
  }
}
