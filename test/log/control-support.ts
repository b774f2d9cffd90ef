/** What tests of control entries share. */
import { ControlEntries } from '../../src/log/control-entries.ts'
import type { ControlHeader } from '../../src/log/control-entries-format.ts'
import type { PartitionLog } from '../../src/log/partition-log.ts'
import type { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import type { ControlEntry } from '../../src/raft/types.ts'
import { DIRECTORY } from './support.ts'

export const CONFIGURATION = { voters: [11, 12, 13], learners: [14] }
export const HEADER: ControlHeader = {
  ...{ replicaId: 2 ** 40 + 11, startOffset: 0, controlsBefore: 0 },
  ...{ lines: [], configuration: CONFIGURATION },
}
export const FILE = `${DIRECTORY}/00000000000000000000.control-entries`

export const settle = (flusher: SimulatedFlusher) => {
  while (flusher.doWork() > 0);
}

export const termStart = (at: number, term: number): ControlEntry => ({
  kind: 'term-start',
  at,
  term,
})
export const membership = (at: number, term: number, voters: number[]): ControlEntry => ({
  ...{ kind: 'membership', at, term },
  configuration: { voters, learners: [] },
})
export const host = (at: number, term: number, payload: number[]): ControlEntry => ({
  ...{ kind: 'host', at, term },
  payload: Uint8Array.from(payload),
})

export function opened(log: PartitionLog): ControlEntries {
  const found = ControlEntries.open(log)
  if (found.kind !== 'open') throw new Error(JSON.stringify(found))
  return found.controls
}

export const entriesOf = (controls: ControlEntries, log: PartitionLog) =>
  controls.recovered(log.logStartOffset, log.logEndOffset).controls
