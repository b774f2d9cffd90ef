import { ManualClock } from '../../src/base/clock.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { openBrokerEnvironment } from '../../src/broker/environment.ts'
import { MetadataLog } from '../../src/broker/metadata-log.ts'
import { MemoryPorts } from '../../src/link/ports.ts'
import type { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'

const ROOT = '/data/broker-1'

export const METADATA_DIRECTORY = `${ROOT}/metadata`

/** A metadata log alone on a broker's disk; `settle` lets the flusher finish. */
export function openMetadataLog(disk: SimulatedDisk, segmentBytes?: number) {
  const flush = new SimulatedFlusher(disk)
  const ports = new MemoryPorts()
  ports.port('server')
  const lines: string[] = []
  const environment = openBrokerEnvironment({
    disk,
    root: ROOT,
    flush,
    clock: new ManualClock(),
    random: new SeededRandom(1),
    logger: { log: (_level, message) => lines.push(message) },
    control: ports.port('broker-1-1'),
    arena: null,
    fronts: 1,
    diskMarkBytes: 0,
  })
  const directory = METADATA_DIRECTORY
  const log = MetadataLog.open({
    ...{ environment, directory },
    ...(segmentBytes !== undefined && { segmentBytes }),
  })
  const settle = () => {
    for (let turns = 0; flush.pending > 0 && turns < 100; turns++) flush.doWork()
  }
  return { log, flush, lines, settle, environment }
}
