import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../../src/base/clock.ts'
import { asPartitionNumber } from '../../../src/base/ids.ts'
import { silentLogger } from '../../../src/base/log.ts'
import { SeededRandom } from '../../../src/base/random.ts'
import { BatchCopy } from '../../../src/broker/replication/batch-copy.ts'
import { ControlEntries } from '../../../src/log/control-entries.ts'
import { DEFAULT_LOG_CONFIG } from '../../../src/log/log-config.ts'
import { OpenFiles } from '../../../src/log/open-files.ts'
import { newAppendOutcome } from '../../../src/log/outcomes.ts'
import { PartitionLog } from '../../../src/log/partition-log.ts'
import { RecoveryPoints } from '../../../src/log/recovery-points.ts'
import { SimulatedDisk } from '../../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../../src/log/simulated-flusher.ts'
import { buildBatch } from '../../../src/record/builder.ts'

/** Two replicas' logs on one disk, the first of which leads. */
function twoLogs(segmentBytes = 1_000) {
  const disk = new SimulatedDisk()
  const flush = new SimulatedFlusher(disk)
  const clock = new ManualClock()
  const open = (root: string) => {
    disk.mkdirs(root)
    const environment = {
      ...{ disk, flush, clock, logger: silentLogger, space: null, rings: null },
      files: new OpenFiles(disk, 8),
      random: new SeededRandom(1),
      recoveryPoints: RecoveryPoints.open({ disk, root, flush, logger: silentLogger }),
    }
    return PartitionLog.open({
      ...{ environment, directory: `${root}/p`, partition: asPartitionNumber(1) },
      config: { ...DEFAULT_LOG_CONFIG, segmentBytes },
      isReplicated: true,
    })
  }
  const leader = open('/1')
  const follower = open('/2')
  const append = (value: string, epoch: number) => {
    const bytes = new TextEncoder().encode(value)
    const batch = buildBatch([{ timestampMs: 1, key: null, value: bytes }])
    leader.stage(batch, 1, epoch, newAppendOutcome())
    expect(leader.write()).toBe(null)
  }
  const controls = ControlEntries.create(follower, {
    ...{ replicaId: 2, startOffset: 0, controlsBefore: 0, lines: [] },
    configuration: { voters: [1, 2], learners: [] },
  })
  const copy = new BatchCopy({
    logger: silentLogger,
    log: () => follower,
    controls: () => controls,
    directoryOf: (replica) => `/${replica}/p`,
  })
  const place = { segmentBaseOffset: 0, filePosition: 0, batchBaseOffset: 0, gapsTo: 0 }
  copy.noteAppend(1, place)
  return { leader, follower, append, copy, place, disk }
}

const range = (end: number, ...terms: readonly [number, number][]) => ({
  ...{ leader: 1, term: terms.at(-1)![0], start: 0, end },
  lines: terms.map(([term, start]) => ({ term, start })),
})

describe('copying from a leader', () => {
  it('goes over its segments, a bounded bit at a time, and ends with the range', () => {
    const { follower, append, copy } = twoLogs()
    for (let i = 0; i < 40; i++) append('x'.repeat(60), 1)
    copy.begin(range(35, [1, 0]))
    let steps = 0
    while (copy.isActive && steps++ < 100) expect(copy.step(1)).toBe('moved')
    expect(follower.logEndOffset).toBe(35)
    // several segments of the leader's
    expect(steps).toBeGreaterThan(2)
    expect(copy.step(1)).toBe('idle')
  })

  it('takes nothing that has another term than was meant', () => {
    const { follower, append, copy, place } = twoLogs(10_000)
    for (let i = 0; i < 3; i++) append('old', 1)
    // the leader has lost its term, was cut back, and has what another has written since
    for (let i = 0; i < 3; i++) append('new', 2)
    copy.begin(range(6, [1, 0]))
    expect(copy.step(1)).toBe('moved')
    expect(follower.logEndOffset).toBe(3)
    expect(copy.step(1)).toBe('waits')
    copy.noteAppend(1, place)
    expect(copy.step(1)).toBe('waits')
    expect(follower.logEndOffset).toBe(3)
    copy.noteAppend(1, place)
    copy.begin(range(6, [1, 0], [2, 3]))
    expect(copy.step(1)).toBe('moved')
    expect(follower.logEndOffset).toBe(6)
  })

  it('waits for a place where the file is gone, and finds its way from one that lies before', () => {
    const { leader, follower, append, copy, place, disk } = twoLogs(300)
    for (let i = 0; i < 12; i++) append('x'.repeat(60), 1)
    const path = leader.segments[0]!.log.path
    const bytes = disk.readFile(path)
    disk.remove(path)
    copy.begin(range(12, [1, 0]))
    expect(copy.step(1)).toBe('waits')
    // not again and again without a new place
    expect(copy.step(1)).toBe('waits')
    expect(follower.logEndOffset).toBe(0)
    disk.writeFileAtomic(path, bytes)
    copy.noteAppend(1, place)
    while (copy.isActive) expect(copy.step(1)).toBe('moved')
    expect(follower.logEndOffset).toBe(12)
    for (let i = 0; i < 3; i++) append('more', 1)
    // another leader's place, before what is here already
    copy.noteAppend(2, place)
    copy.noteAppend(1, place)
    copy.begin(range(15, [1, 0]))
    while (copy.isActive) expect(copy.step(1)).toBe('moved')
    expect(follower.logEndOffset).toBe(15)
  })
})
