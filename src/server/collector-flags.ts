/** How V8 collects garbage in a process that is Griot's own. */
import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/** With no more cores, whatever helps to collect takes the core that somebody waits for. */
const FEW_CORES = 2

/**
 * On one or two cores has V8 mark each thread's heap on that thread, in steps of a millisecond, instead of on four helpers at a time that share the cores
 * with clients and brokers. Of all threads of the process, from now on; the heaps that are being marked are marked to their end.
 */
export function collectWithoutHelpers(
  cores = availableParallelism(),
  setFlags: (flags: string) => void = setFlagsFromString,
): void {
  if (cores <= FEW_CORES) setFlags('--no-concurrent-marking')
}
