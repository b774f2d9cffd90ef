import { describe, expect, it } from 'vitest'
import { asPartitionNumber } from '../../src/base/ids.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { DiskError, FlushPort } from '../../src/log/disk.ts'
import { HardStates } from '../../src/log/hard-states.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { SimulatedFlusher } from '../../src/log/simulated-flusher.ts'
import { crc32c } from '../../src/record/crc32c.ts'
import { liveUntil } from './workload.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 50 : 6
const TIMEOUT_MS = process.env.GRIOT_TEST_LONG ? 600_000 : 60_000
const DIRECTORY = '/data/broker-1'
const FILE = `${DIRECTORY}/raft-hard-states`

const P = asPartitionNumber

function world(failedFlushForgets = false) {
  const disk = new SimulatedDisk({ failedFlushForgets })
  const flusher = new SimulatedFlusher(disk)
  disk.mkdirs(DIRECTORY)
  for (const path of ['/data', '/']) disk.flush(path)
  const open = (compactBytes = 300) =>
    HardStates.open({
      ...{ disk, directory: DIRECTORY, flush: flusher, logger: silentLogger, compactBytes },
    })
  const settle = () => {
    while (flusher.doWork() > 0);
  }
  const kill = () => {
    disk.kill()
    flusher.forget()
  }
  const powerCut = (seed: number) => {
    disk.powerCut(seed)
    flusher.forget()
  }
  return { disk, flusher, open, settle, kill, powerCut }
}

function flushed(states: HardStates, settle: () => void): string | null {
  let told: string | null | undefined
  states.requestFlush((error) => {
    told = error?.code ?? null
  })
  settle()
  if (told === undefined) throw new Error('no answer')
  return told
}

describe('terms and votes', () => {
  it('are there again after a death', () => {
    const { open, kill } = world()
    const states = open()
    expect([states.isNew, states.isWhole, states.get(P(1))]).toEqual([true, true, null])
    states.set(P(1), 3, 0)
    states.set(P(2 ** 32 - 1), 4, 2 ** 50 + 1)
    states.set(P(1), 5, 77)
    expect([states.hasStaged, states.get(P(1))]).toEqual([true, { term: 5, vote: 77 }])
    expect(states.write()).toBe(null)
    states.set(P(3), 1, 1)
    // what is not written is not kept
    kill()
    const again = open()
    expect([again.isNew, again.isWhole, again.size]).toEqual([false, true, 2])
    expect(again.get(P(1))).toEqual({ term: 5, vote: 77 })
    expect(again.get(P(2 ** 32 - 1))).toEqual({ term: 4, vote: 2 ** 50 + 1 })
    expect(again.get(P(3))).toBe(null)
  })

  it('of a turn are one write, and none where nothing has changed', () => {
    const { open, disk } = world()
    const states = open()
    const before = disk.operations
    for (let i = 0; i < 50; i++) states.set(P(i), 1, i + 1)
    states.write()
    for (let i = 0; i < 50; i++) states.set(P(i), 1, i + 1)
    states.write()
    expect(disk.operations - before).toBe(1)
  })

  it('of a group that is gone are forgotten at once, or with the next write that the disk takes', () => {
    const { disk, open, kill } = world()
    const states = open(1 << 20)
    for (let i = 1; i <= 3; i++) states.set(P(i), 1, 1)
    states.write()
    states.forget(P(1))
    disk.onOperation = ({ operation }) =>
      operation === 'write' ? { kind: 'error', code: 'EIO' } : null
    states.forget(P(2))
    disk.onOperation = null
    expect([states.hasStaged, states.write(), states.hasStaged]).toEqual([true, null, false])
    kill()
    expect([1, 2, 3].map((n) => open().get(P(n)))).toEqual([null, null, { term: 1, vote: 1 }])
  })

  it('of groups that are gone are forgotten, and their room is used again', () => {
    const { open, kill, settle } = world()
    const states = open(1 << 20)
    for (let i = 0; i < 200; i++) states.set(P(i), 1, 1)
    states.write()
    for (let i = 0; i < 200; i += 2) states.forget(P(i))
    states.forget(P(5_000))
    states.write()
    for (let i = 1_000; i < 1_100; i++) states.set(P(i), 2, i)
    states.write()
    for (let round = 0; round < 2; round++) {
      kill()
      const again = open()
      expect([again.size, again.get(P(2)), again.get(P(3))]).toEqual([
        ...[200, null, { term: 1, vote: 1 }],
      ])
      for (let i = 1_000; i < 1_100; i++) expect(again.get(P(i))).toEqual({ term: 2, vote: i })
      settle()
    }
  })

  it('of ten thousand groups are read in one go', () => {
    const { open, kill, settle } = world()
    const states = open()
    for (let i = 0; i < 10_000; i++) states.set(P(i * 7), i, i + 1)
    states.write()
    expect(flushed(states, settle)).toBe(null)
    kill()
    const again = open()
    expect(again.size).toBe(10_000)
    for (let i = 0; i < 10_000; i++) expect(again.get(P(i * 7))).toEqual({ term: i, vote: i + 1 })
  })

  it('that cannot be written stay staged for the next write', () => {
    for (const stays of [false, true]) {
      const { open, disk, kill } = world()
      const states = open()
      states.set(P(1), 1, 1)
      states.write()
      disk.onOperation = ({ operation }) =>
        operation === 'write' || (stays && operation === 'truncate')
          ? { kind: 'error', code: 'ENOSPC' }
          : null
      states.set(P(1), 2, 2)
      states.set(P(2), 2, 3)
      expect(states.write()?.code).toBe('ENOSPC')
      expect(states.get(P(1))).toEqual({ term: 2, vote: 2 })
      disk.onOperation = null
      if (!stays) {
        states.forget(P(2))
        expect(states.write()).toBe(null)
      }
      kill()
      const again = open()
      expect(again.get(P(1))).toEqual(stays ? { term: 1, vote: 1 } : { term: 2, vote: 2 })
      expect([again.get(P(2)), again.isWhole]).toEqual([null, true])
    }
  })

  it('of a newer version are refused by name', () => {
    const { open, disk } = world()
    const states = open()
    states.set(P(1), 1, 1)
    states.write()
    const header = disk.readFile(FILE).slice(0, 16)
    header[4] = 2
    new DataView(header.buffer).setUint32(12, crc32c(header, 0, 12), true)
    disk.open(FILE, 'append').write([header], 0)
    expect(() => open()).toThrow(
      `${FILE}: terms and votes of version 2, this build reads version 1`,
    )
  })
})

describe('the file of terms and votes', () => {
  it('is begun anew when it is mostly stale, and while that is made durable both are written', () => {
    const { open, disk, settle, kill } = world()
    const states = open(2_000)
    let largest = 0
    for (let term = 1; term <= 500; term++) {
      states.set(P(term % 3), term, term)
      expect(states.write()).toBe(null)
      largest = Math.max(largest, disk.size(FILE))
      if (term % 11 === 0) settle()
    }
    expect(largest).toBeLessThan(3_000)
    kill()
    const again = open()
    expect([500, 499, 498].map((term) => again.get(P(term % 3))?.term)).toEqual([500, 499, 498])
  })

  it('of another process proves nothing before it is written anew: its flush may have failed', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { open, disk, settle, kill, powerCut } = world(true)
      const states = open()
      states.set(P(1), 1, 1)
      states.write()
      expect(flushed(states, settle)).toBe(null)
      states.set(P(1), 2, 9)
      states.write()
      disk.onOperation = ({ operation, path }) =>
        operation === 'flush' && path === FILE ? { kind: 'error', code: 'EIO' } : null
      expect(flushed(states, settle)).toBe('EIO')
      disk.onOperation = null
      // no later one is believed
      expect(flushed(states, settle)).toBe('EIO')
      kill()
      const again = open()
      expect(again.get(P(1))).toEqual({ term: 2, vote: 9 })
      expect(flushed(again, settle)).toBe(null)
      powerCut(seed)
      expect(open().get(P(1))).toEqual({ term: 2, vote: 9 })
    }
  })

  it('says of itself no more than what is durable, after it was begun anew too', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { open, disk, powerCut } = world()
      // answers later than it has flushed: what is written in between is not durable
      const answers: ((error: DiskError | null) => void)[] = []
      const flush: FlushPort = {
        request: (path, done) => {
          disk.flush(path)
          answers.push(done)
        },
        remove: () => {},
      }
      const options = { disk, directory: DIRECTORY, flush, logger: silentLogger }
      const states = HardStates.open({ ...options, compactBytes: 200 })
      for (let term = 1; !disk.exists(`${FILE}.tmp`); term++) {
        states.set(P(1), term, term)
        states.write()
      }
      // written to both files while the new one is made durable, and then to that alone
      states.set(P(2), 1, 1)
      states.write()
      for (const done of answers.splice(0)) done(null)
      expect(disk.exists(`${FILE}.tmp`)).toBe(false)
      states.set(P(3), 1, 1)
      states.write()
      disk.flush(DIRECTORY)
      powerCut(seed)
      expect([seed, open().isWhole]).toEqual([seed, true])
    }
  })

  it('says so when something durable is damaged, from then on', () => {
    const { open, disk, settle, kill } = world()
    let states = open(1 << 20)
    for (let term = 1; term <= 3; term++) {
      states.set(P(term), term, term)
      states.write()
      expect(flushed(states, settle)).toBe(null)
    }
    disk.flipBit(FILE, 40)
    for (let round = 0; round < 3; round++) {
      kill()
      states = open()
      // written anew or not
      expect([round, states.isWhole, states.get(P(3))]).toEqual([
        ...[round, false, { term: 3, vote: 3 }],
      ])
      if (round > 0) settle()
    }
  })

  it.each([1, 5, 13])('says so when its header is damaged in byte %i', (at) => {
    const { open, disk, kill, settle } = world()
    const states = open()
    for (const term of [1, 2]) {
      states.set(P(1), term, 1)
      states.write()
      expect(flushed(states, settle)).toBe(null)
    }
    disk.flipBit(FILE, at)
    kill()
    expect([open().isWhole, open().get(P(1))]).toEqual([false, { term: 2, vote: 1 }])
  })

  it('goes on in the old file where the disk has no room for a new one', () => {
    const { open, disk, settle, kill } = world()
    let states = open()
    states.set(P(1), 1, 1)
    states.write()
    kill()
    disk.onOperation = ({ operation, path }) =>
      operation === 'write' && path.endsWith('.tmp') ? { kind: 'error', code: 'ENOSPC' } : null
    states = open()
    states.set(P(1), 2, 2)
    expect(states.write()).toBe(null)
    expect(flushed(states, settle)).toBe('ENOSPC')
    disk.onOperation = null
    expect(flushed(states, settle)).toBe(null)
    kill()
    expect(open().get(P(1))).toEqual({ term: 2, vote: 2 })
  })
})

interface Told {
  /** By partition: term of the last write, of the last that a flush has covered, and of the last that was asked for. */
  readonly written: Map<number, number>
  readonly durable: Map<number, number>
  readonly asked: Map<number, number>
}

/** Elections, flushes, deletions and a reopening, until it is through or the disk says no. */
function live(w: ReturnType<typeof world>, told: Told): void {
  let states = w.open()
  for (let step = 1; step <= 40; step++) {
    for (const p of [step % 3, step % 5]) {
      told.asked.set(p, step)
      states.set(P(p), step, step)
    }
    if (step % 13 === 0) states.forget(P(9))
    else if (step % 6 === 0) states.set(P(9), step, 1)
    expect(states.write()).toBe(null)
    for (const p of [step % 3, step % 5]) told.written.set(p, step)
    if (step % 4 === 0) {
      const covered = new Map(told.written)
      states.requestFlush((failed) => {
        if (failed !== null) return
        for (const [p, term] of covered) {
          told.durable.set(p, Math.max(term, told.durable.get(p) ?? 0))
        }
      })
    }
    if (step % 3 === 0) w.flusher.doWork()
    if (step === 25) {
      w.settle()
      states.close()
      states = w.open()
    }
  }
  w.settle()
}

describe('after every single change on disk', () => {
  it.each(['kill', 'powerCut'] as const)(
    '%s loses nothing that was promised',
    (end) => {
      let changes = 0
      for (let at = 1, more = true; more; at++) {
        for (let seed = 1; seed <= (end === 'kill' ? 1 : SEEDS); seed++) {
          const w = world()
          const told: Told = { written: new Map(), durable: new Map(), asked: new Map() }
          more = liveUntil(w.disk, w.disk.operations + at, () => live(w, told))
          if (end === 'kill') w.kill()
          else w.powerCut(at * 1000 + seed)
          const where = `change ${at}, seed ${seed}`
          for (let round = 0; round < 2; round++) {
            const states = w.open()
            expect(states.isWhole, where).toBe(true)
            const promised = end === 'kill' ? told.written : told.durable
            for (const [p, term] of promised) {
              const found = states.get(P(p))!
              expect(found.term, where).toBeGreaterThanOrEqual(term)
              expect(found.term, where).toBeLessThanOrEqual(told.asked.get(p)!)
              expect(found.vote, where).toBe(found.term)
            }
            states.set(P(1), 1_000 + round, 1_000 + round)
            told.asked.set(1, 1_001)
            expect(states.write(), where).toBe(null)
            expect(flushed(states, w.settle), where).toBe(null)
            told.written.set(1, 1_000 + round)
            told.durable.set(1, 1_000 + round)
            w.powerCut(seed)
          }
        }
        changes = at
      }
      expect(changes).toBeGreaterThan(60)
    },
    TIMEOUT_MS,
  )
})
