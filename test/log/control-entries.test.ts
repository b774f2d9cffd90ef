import { describe, expect, it } from 'vitest'
import { newCopyOutcome } from '../../src/log/batch-copier.ts'
import { ControlEntries } from '../../src/log/control-entries.ts'
import { decodeControlHeader, encodeControlHeader } from '../../src/log/control-entries-format.ts'
import { DiskError } from '../../src/log/disk.ts'
import type { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { LogView } from '../../src/raft/log-view.ts'
import { crc32c } from '../../src/record/crc32c.ts'
import {
  CONFIGURATION,
  entriesOf,
  FILE,
  HEADER,
  host,
  membership,
  opened,
  settle,
  termStart,
} from './control-support.ts'
import { append, batchOf, DIRECTORY, simulated } from './support.ts'
import { liveUntil } from './workload.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 50 : 4
const TIMEOUT_MS = process.env.GRIOT_TEST_LONG ? 600_000 : 60_000

/** Offsets 0 and 1 of term 1, 2 of term 2, with positions 1, 2 and 4; then entries at 5 and 6. */
function written() {
  const world = simulated()
  const log = world.broker.open()
  const controls = ControlEntries.create(log, HEADER)
  controls.append([termStart(0, 1)])
  append(log, batchOf(['a', 'b']), 1)
  controls.append([termStart(3, 2)])
  append(log, batchOf(['c']), 2)
  controls.append([membership(5, 2, [11, 12]), host(6, 2, [7, 8, 9])])
  return { ...world, log, controls }
}

const ALL = [
  termStart(0, 1),
  termStart(3, 2),
  membership(5, 2, [11, 12]),
  host(6, 2, [7, 8, 9]),
] as const

function killed(world: { disk: { kill(): void }; flusher: SimulatedFlusher }): void {
  world.disk.kill()
  world.flusher.forget()
}

describe('control entries', () => {
  it('are the way between positions and offsets', () => {
    const { controls } = written()
    expect([0, 1, 2, 3].map((offset) => controls.positionOf(offset))).toEqual([1, 2, 4, 7])
    expect([0, 1, 2, 3, 4, 5, 6, 7].map((position) => controls.offsetOf(position))).toEqual([
      0, 0, 1, 2, 2, 3, 3, 3,
    ])
    expect([0, 1, 4, 7].map((position) => controls.controlsBefore(position))).toEqual([0, 1, 2, 4])
  })

  it('come back as they were, in the shape in which Raft recovers a log', () => {
    const world = written()
    killed(world)
    world.broker.start()
    const log = world.broker.open()
    const controls = opened(log)
    expect(controls.replicaId).toBe(HEADER.replicaId)
    const recovered = controls.recovered(log.logStartOffset, log.logEndOffset)
    expect(recovered).toEqual({
      ...{ start: 0, end: 7, controls: ALL, configuration: CONFIGURATION },
      lines: [
        { term: 1, start: 0 },
        { term: 2, start: 3 },
      ],
    })
    const view = new LogView(recovered)
    expect([view.lastTerm, view.configuration]).toEqual([2, { voters: [11, 12], learners: [] }])
    // from the middle on: what comes before has led to this
    expect(controls.recovered(2, 3)).toEqual({
      ...{ start: 3, end: 7, controls: ALL.slice(1), configuration: CONFIGURATION },
      lines: [
        { term: 1, start: 0 },
        { term: 2, start: 3 },
      ],
    })
    controls.append([termStart(7, 3)])
    expect(controls.positionOf(3)).toBe(8)
  })

  it('are none where there never was a group', () => {
    const { broker } = simulated()
    const log = broker.open()
    append(log, batchOf(['a']))
    expect(ControlEntries.open(log).kind).toBe('none')
  })

  it('are truncated with the log, before or after', () => {
    const { controls, log, broker, ...world } = written()
    controls.truncate(4)
    expect(entriesOf(controls, log)).toEqual(ALL.slice(0, 2))
    controls.append([termStart(5, 4), host(6, 4, [1])])
    killed(world)
    broker.start()
    const again = broker.open()
    expect(entriesOf(opened(again), again).slice(2)).toEqual([termStart(5, 4), host(6, 4, [1])])
    // only the log, before a death: what lies beyond its end is dropped
    again.truncateTo(2)
    killed(world)
    broker.start()
    const last = broker.open()
    const after = opened(last)
    expect(entriesOf(after, last)).toEqual(ALL.slice(0, 2))
    expect(after.positionOf(2)).toBe(4)
  })

  it('that cannot be written leave no trace', () => {
    for (const stays of [false, true]) {
      const { controls, log, broker, disk, flusher } = written()
      disk.onOperation = ({ operation, path }) => {
        const fails = operation === 'write' || (stays && operation === 'truncate')
        return path === FILE && fails ? { kind: 'error', code: 'EIO' } : null
      }
      expect(() => controls.append([host(7, 2, [1]), host(8, 2, [2])])).toThrow(DiskError)
      disk.onOperation = null
      expect(entriesOf(controls, log)).toEqual(ALL)
      expect(log.failure === null).toBe(!stays)
      if (!stays) controls.append([termStart(7, 5)])
      killed({ disk, flusher })
      broker.start()
      const again = broker.open()
      // one that was written whole may come back: nothing has followed it
      const after = stays ? host(7, 2, [1]) : termStart(7, 5)
      expect(entriesOf(opened(again), again)).toEqual([...ALL, after])
    }
  })

  it('refuse what their owner got wrong', () => {
    const { controls } = written()
    expect(() => controls.append([termStart(5, 3)])).toThrow('ascend')
    const text = { kind: 'host', at: 7, term: 2, payload: 'text' } as const
    expect(() => controls.append([text])).toThrow('encoded by its owner')
    const large = { ...text, payload: new Uint8Array((1 << 16) + 1) }
    expect(() => controls.append([large])).toThrow('small payload')
  })

  it('of a newer version are refused by name', () => {
    const { broker, disk } = simulated()
    const log = broker.open()
    const bytes = encodeControlHeader(HEADER)
    bytes[4] = 2
    expect(decodeControlHeader(bytes, 'x')).toBe(null)
    const end = bytes.length - 4
    new DataView(bytes.buffer).setUint32(end, crc32c(bytes, 0, end), true)
    disk.mkdirs(DIRECTORY)
    disk.writeFileAtomic(FILE, bytes)
    expect(() => ControlEntries.open(log)).toThrow(
      `${FILE}: control entries of version 2, this build reads version 1`,
    )
  })
})

describe('a file of control entries that is bad', () => {
  const first = encodeControlHeader(HEADER).length
  it.each([
    ['in the length of one', first + 5],
    ['in another', first + 40 + 20],
    ['in the last one, which is whole', first + 40 + 40 + 56 + 42],
  ])('%s is damaged, without a power cut', (_, at) => {
    const world = written()
    expect(world.disk.size(FILE)).toBe(first + 40 + 40 + 56 + 43)
    world.disk.flipBit(FILE, at)
    killed(world)
    world.broker.start()
    expect(ControlEntries.open(world.broker.open())).toMatchObject({ kind: 'damaged' })
  })

  it('in its header is damaged', () => {
    const world = written()
    for (const at of [0, 5, 30, 50]) {
      world.disk.flipBit(FILE, at)
      expect(ControlEntries.open(world.log)).toMatchObject({ kind: 'torn', path: FILE })
      world.disk.flipBit(FILE, at)
    }
    expect(ControlEntries.open(world.log).kind).toBe('open')
  })

  it('ends where an entry does not follow on the one before: it was cut off, and a power cut brought it back', () => {
    const { log, controls, broker, disk, flusher } = written()
    const end = first + 40 + 40 + 56
    const last = disk.readFile(FILE).slice(end)
    controls.truncate(5)
    // as long as the one that it replaces, so that what came after that one seems to come next
    controls.append([membership(5, 2, [11, 13])])
    log.flushAll(() => {})
    settle(flusher)
    disk.open(FILE, 'append').write([last], end)
    disk.flush(FILE)
    disk.powerCut(1)
    broker.start()
    const again = broker.open()
    expect(entriesOf(opened(again), again).slice(2)).toEqual([membership(5, 2, [11, 13])])
    expect(disk.size(FILE)).toBe(end)
  })

  it('after a power cut leaves of the log what was flushed with it: what is bad may be missing', () => {
    const { log, controls, broker, disk, flusher } = written()
    log.flushAll(() => {})
    settle(flusher)
    controls.append([host(7, 2, [5])])
    append(log, batchOf(['d']), 2)
    disk.flush(log.segments[0]!.log.path)
    disk.flush(FILE)
    disk.flipBit(FILE, disk.size(FILE) - 1)
    disk.powerCut(1)
    flusher.forget()
    broker.start()
    const again = broker.open()
    expect(again.logEndOffset).toBe(4)
    expect(entriesOf(opened(again), again)).toEqual(ALL)
    expect(again.logEndOffset).toBe(3)
    // where that would be below what was flushed, the replica has forgotten
    disk.flipBit(FILE, first + 40 + 20)
    expect(ControlEntries.open(again)).toMatchObject({ kind: 'damaged' })
  })

  it('after a power cut leaves what the start of the log says that was flushed, whatever the recovery points have kept', () => {
    const { broker, disk, flusher } = simulated()
    const log = broker.open()
    const controls = ControlEntries.create(log, HEADER)
    controls.append([termStart(0, 1)])
    append(log, batchOf(['a', 'b', 'c']), 1)
    let error = -1
    log.deleteRecords(2, (code) => {
      error = code
    })
    settle(flusher)
    expect([error, log.logStartOffset]).toEqual([0, 2])
    controls.append([host(4, 1, [5])])
    append(log, batchOf(['d']), 1)
    disk.flush(log.segments[0]!.log.path)
    disk.flush(FILE)
    disk.flipBit(FILE, disk.size(FILE) - 1)
    disk.powerCut(1)
    flusher.forget()
    broker.start()
    const again = broker.open()
    expect([again.foundPoint.flushedOffset, again.logStartOffset]).toEqual([0, 2])
    expect(entriesOf(opened(again), again)).toEqual([])
    // the batch in which it begins is flushed to its end
    expect([again.logStartOffset, again.logEndOffset]).toEqual([2, 3])
  })

  it('is damaged where the log has an epoch that no entry begins', () => {
    const world = written()
    append(world.log, batchOf(['d']), 3)
    killed(world)
    world.broker.start()
    expect(ControlEntries.open(world.broker.open())).toEqual({
      kind: 'damaged',
      reason: 'the batch at offset 3 has leader epoch 3, by them it has 2',
    })
  })

  it('is not, where the first batches of an epoch were cleaned away on the leader', () => {
    const world = simulated()
    const log = world.broker.open()
    const controls = ControlEntries.create(log, HEADER)
    const out = newCopyOutcome()
    const copy = (baseOffset: number, leaderEpoch: number) => {
      const bytes = batchOf(['x'], { baseOffset, leaderEpoch })
      const options = { nowMs: 0, gapsTo: 5, checksCrc: true }
      log.appendCopies(bytes, 0, bytes.length, options, out)
      expect(out.fault).toBe(null)
    }
    controls.append([termStart(0, 1)])
    copy(0, 1)
    // the position of an offset that no batch has any more
    controls.append([termStart(2, 2)])
    copy(5, 2)
    killed(world)
    world.broker.start()
    const again = world.broker.open()
    expect(opened(again).positionOf(5)).toBe(7)
  })

  it('does not follow on a log that ends below it', () => {
    const { broker } = simulated()
    const log = broker.open()
    ControlEntries.create(log, { ...HEADER, startOffset: 9, controlsBefore: 4 })
    expect(ControlEntries.open(log)).toMatchObject({ kind: 'damaged' })
  })
})

describe('many control entries', () => {
  const many = () => {
    const world = simulated()
    const log = world.broker.open()
    const controls = ControlEntries.create(log, HEADER)
    for (let term = 1; term <= 40; term++) {
      controls.append([termStart(controls.positionOf(log.logEndOffset), term)])
      append(log, batchOf([`${term}`]), term)
      const end = controls.positionOf(log.logEndOffset)
      if (term === 19) controls.append([membership(end, term, [11])])
    }
    settle(world.flusher)
    return { ...world, log, controls }
  }

  it('are forgotten below the log start, once the file without them is durable', () => {
    const { controls, log, flusher, disk, broker } = many()
    const before = controls.recovered(36, log.logEndOffset)
    const size = disk.size(FILE)
    controls.forget(before.start)
    expect(controls.count).toBe(41)
    settle(flusher)
    expect(controls.count).toBe(before.controls.length)
    expect(controls.recovered(36, log.logEndOffset)).toEqual(before)
    expect(controls.positionOf(38)).toBe(78)
    const names = disk.list(DIRECTORY).filter((name) => name.includes('control'))
    expect(names).toEqual(['00000000000000000036.control-entries'])
    expect(disk.size(controls.path)).toBeLessThan(size / 2)
    controls.append([termStart(controls.positionOf(log.logEndOffset), 99)])
    killed({ disk, flusher })
    broker.start()
    const again = broker.open()
    const reopened = opened(again)
    expect(reopened.recovered(36, again.logEndOffset).controls).toHaveLength(
      before.controls.length + 1,
    )
    expect(reopened.positionOf(38)).toBe(78)
    // below what is known, Raft's log begins where it is
    expect(reopened.recovered(0, again.logEndOffset).start).toBe(before.start)
  })

  it('are not, when something is added meanwhile', () => {
    const { controls, log, flusher, disk } = many()
    controls.forget(controls.recovered(36, log.logEndOffset).start)
    controls.append([termStart(controls.positionOf(log.logEndOffset), 99)])
    settle(flusher)
    expect([controls.count, controls.path]).toEqual([42, FILE])
    expect(disk.list(DIRECTORY).filter((name) => name.endsWith('.tmp'))).toEqual([])
    controls.forget(controls.recovered(36, log.logEndOffset).start)
    settle(flusher)
    expect(controls.count).toBeLessThan(10)
  })

  it(
    'are there whatever power cut strikes while the file changes',
    () => {
      for (let at = 1, more = true; more; at++) {
        for (let seed = 1; seed <= 3 * SEEDS; seed++) {
          const { controls, log, flusher, disk, broker } = many()
          const { start } = controls.recovered(36, log.logEndOffset)
          const end = controls.positionOf(log.logEndOffset)
          let flushed = false
          more = liveUntil(disk, disk.operations + at, () => {
            controls.forget(start)
            settle(flusher)
            controls.append([termStart(end, 50)])
            log.requestFlush((failed) => {
              flushed = failed === null
            })
            settle(flusher)
          })
          disk.powerCut(at * 100 + seed)
          flusher.forget()
          broker.start()
          const again = broker.open()
          const reopened = opened(again)
          const where = `change ${at}, seed ${seed}`
          const { controls: found } = reopened.recovered(36, again.logEndOffset)
          expect(found.at(-1)!.at, where).toBeGreaterThanOrEqual(flushed ? end : end - 2)
          for (let offset = 36; offset < 39; offset++) {
            expect(reopened.positionOf(offset), where).toBe(controls.positionOf(offset))
          }
        }
      }
    },
    TIMEOUT_MS,
  )
})

describe('a file of control entries that another takes the place of under the same name', () => {
  it('is flushed with the round that was under way', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { broker, disk, flusher } = simulated()
      const log = broker.open()
      append(log, batchOf(['a']))
      const controls = ControlEntries.create(log, { ...HEADER, startOffset: 1 })
      for (let term = 1; term <= 40; term++) controls.append([termStart(term, term)])
      settle(flusher)
      controls.append([termStart(41, 41)])
      controls.forget(41)
      const { path } = controls
      let isDurable = false
      log.requestFlush((failed) => {
        isDurable = failed === null
      })
      while (!isDurable) flusher.doWork()
      expect([controls.path, controls.count]).toEqual([path, 1])
      disk.powerCut(seed)
      flusher.forget()
      broker.start()
      const again = broker.open()
      expect(opened(again).positionOf(1)).toBe(42)
    }
  })
})
