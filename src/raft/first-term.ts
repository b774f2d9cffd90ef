import type { RecoveredLog } from './log-view.ts'
import { type HardState, NO_REPLICA, type Term } from './types.ts'

/** Of a new group: nobody is elected in it. */
export const FIRST_TERM: Term = 1

/** Whoever has voted so waits so many times as long as otherwise before it asks for another term: nobody competes for the first. */
export const FIRST_PATIENCE = 8

const NOTHING: HardState = { term: 0, vote: NO_REPLICA }

/**
 * What a replica that has never stored anything of its group begins with: its vote in {@link FIRST_TERM}, given to the first voter of the
 * configuration that the group was made with, which so has every vote of that term and needs no election. null where something was stored, or there
 * is nobody else to vote. Why that is safe: README.
 */
export function firstVoteOf(hardState: HardState | null, log: RecoveredLog): HardState | null {
  const { voters } = log.configuration
  if (hardState !== null || log.end > 0 || voters.length < 2) return null
  return { term: FIRST_TERM, vote: voters[0]! }
}

/** Term and vote of a replica when it is opened. */
export const openingState = (hardState: HardState | null, first: HardState | null): HardState =>
  first ?? hardState ?? NOTHING
