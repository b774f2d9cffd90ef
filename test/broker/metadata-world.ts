import { ManualClock } from '../../src/base/clock.ts'
import { asBrokerId, asCellId } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { openBrokerEnvironment } from '../../src/broker/environment.ts'
import { METADATA_PARTITION } from '../../src/broker/metadata-log.ts'
import {
  MetadataGroup,
  type MetadataGroupOptions,
} from '../../src/broker/replication/metadata-group.ts'
import { RaftHost } from '../../src/broker/replication/raft-host.ts'
import { MetadataImage } from '../../src/image/image.ts'
import { MemoryPorts } from '../../src/link/ports.ts'
import { HardStates } from '../../src/log/hard-states.ts'
import type { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'

const ROOT = '/data/broker-1'
export const METADATA_DIRECTORY = `${ROOT}/metadata`

/** A metadata log with one voter, alone on a broker's disk, that leads; `settle` lets group and flusher finish, `turn` only the group. */
export function openMetadataLog(
  disk: SimulatedDisk,
  lifeIn: MetadataGroupOptions['lifeIn'] = () => 0,
  segmentBytes?: number,
) {
  const flush = new SimulatedFlusher(disk)
  const ports = new MemoryPorts()
  ports.port('server')
  const lines: string[] = []
  const clock = new ManualClock()
  const environment = openBrokerEnvironment({
    disk,
    root: ROOT,
    flush,
    clock,
    random: new SeededRandom(1),
    logger: { log: (_level, message) => lines.push(message) },
    control: ports.port('broker-1-1'),
    arena: null,
    fronts: 1,
    diskMarkBytes: 0,
  })
  const { logger, random } = environment
  const directory = ROOT
  let states: HardStates | null = null
  const hardStates = () => {
    states ??= HardStates.open({ disk, flush, logger, directory })
    return states
  }
  const brokerId = asBrokerId(1)
  const unused = () => {
    throw new Error('there is no other group')
  }
  const host = new RaftHost({
    ...{ brokerId, links: [], hardStates, clock, random, logger },
    takeBuffer: () => null,
    onBroken: (reason) => {
      throw reason
    },
    ...{ openFiles: unused, directoryOf: unused, onOpened: unused, onLeadership: unused },
    ...{ onCommit: unused, onUnopened: unused, onFailed: unused },
  })
  const log = new MetadataGroup({
    ...{ cellId: asCellId(1), brokerId, root: ROOT, rootOf: () => ROOT, environment, host },
    ...{ image: new MetadataImage(), voters: [brokerId], formsAlone: true, lifeIn },
    ...(segmentBytes !== undefined && { segmentBytes }),
    hardStateOf: () => hardStates().get(METADATA_PARTITION),
    isRegistered: () => true,
    control: new MemoryPorts().port('broker'),
    reachableForMs: () => 0,
  })
  host.metadata = log
  const turn = () => {
    clock.advance(1)
    log.doWork(clock.monotonicMs())
    return host.doWork(clock.monotonicMs())
  }
  const settle = () => {
    for (let turns = 0; turns < 200; turns++) {
      const work = turn() + flush.doWork()
      if (work === 0 && turns > 2 && (log.term !== 0 || turns > 150)) break
    }
  }
  settle()
  return { log, flush, lines, settle, turn, environment }
}
