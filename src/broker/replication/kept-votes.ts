import type { LogEnvironment } from '../../log/environment.ts'
import { HardStates } from '../../log/hard-states.ts'
import { HARD_STATES_FILE } from '../../log/hard-states-format.ts'
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
