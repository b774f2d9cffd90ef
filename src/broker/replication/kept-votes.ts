import type { LogEnvironment } from '../../log/environment.ts'
import { HardStates } from '../../log/hard-states.ts'
import { HARD_STATES_FILE } from '../../log/hard-states-format.ts'
import { type HardState, NO_REPLICA, type Term } from '../../raft/types.ts'
import { forgetDirectoryIdentity } from '../directory-identity.ts'

/**
 * Terms and votes of a broker's groups, out of its directory; those of another directory id are another's, and go. Where something of them is lost, whoever may have
 * forgotten must not vote: the directory's id is forgotten, and the broker is to end, so that it comes back as another, whose replicas are filled anew.
 * Throws DiskError.
 */
export function openVotes(
  { disk, flush, logger, space }: LogEnvironment,
  directory: string,
  isNewDirectory: boolean,
): HardStates {
  const path = `${directory}/${HARD_STATES_FILE}`
  if (isNewDirectory && disk.exists(path)) disk.remove(path)
  const votes = HardStates.open({ disk, flush, logger, space, directory })
  if (!votes.isWhole) forgetDirectoryIdentity(disk, directory)
  return votes
}

/**
 * A power cut may leave an entry of a term that was not durable itself. Nobody was told anything in that term then: no message goes out
 * before the hard state that came with it.
 */
export const atLeast = (state: HardState | null, term: Term): HardState | null =>
  (state?.term ?? 0) < term ? { term, vote: NO_REPLICA } : state
