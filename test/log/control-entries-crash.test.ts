import { describe, expect, it } from 'vitest'
import { ControlEntries } from '../../src/log/control-entries.ts'
import type { ControlEntry } from '../../src/raft/types.ts'
import {
  entriesOf,
  HEADER,
  host,
  membership,
  opened,
  settle,
  termStart,
} from './control-support.ts'
import { append, batchOf, simulated, storedBatches } from './support.ts'
import { liveUntil } from './workload.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 50 : 4
const TIMEOUT_MS = process.env.GRIOT_TEST_LONG ? 600_000 : 60_000

/** What was asked and what was promised. */
class Told {
  /** Of each batch, by its bytes. */
  readonly positions = new Map<string, number>()
  /** Entries that were appended, in order, and of those how many a flush has covered. */
  entries: ControlEntry[] = []
  flushedEntries = 0
  isCreated = false
  durable = 0
}

/** Terms, other entries where `withOthers`, data, a truncation and a new term, until it is through or the disk says no. */
function live(world: ReturnType<typeof simulated>, told: Told, withOthers: boolean): void {
  const { broker, flusher } = world
  broker.start()
  const log = broker.open({ segmentBytes: 300, indexIntervalBytes: 50, flushMessages: 1 })
  const controls = ControlEntries.create(log, HEADER)
  let term = 0
  const end = () => controls.positionOf(log.logEndOffset)
  const control = (entry: ControlEntry) => {
    told.entries.push(entry)
    controls.append([entry])
  }
  const flush = () => {
    const count = told.entries.length
    const offset = log.logEndOffset
    log.requestFlush((failed) => {
      if (failed !== null) return
      told.isCreated = true
      told.flushedEntries = Math.max(told.flushedEntries, count)
      told.durable = Math.max(told.durable, offset)
    })
  }
  for (let step = 0; step < 16; step++) {
    if (step === 11) {
      const offset = log.logEndOffset - 2
      told.flushedEntries = Math.min(told.flushedEntries, controls.count)
      told.durable = Math.min(told.durable, offset)
      log.truncateTo(offset)
      controls.truncate(controls.positionOf(log.logEndOffset))
      told.entries.length = controls.count
      told.flushedEntries = Math.min(told.flushedEntries, controls.count)
    }
    if (step % 3 === 0 || step === 11) control(termStart(end(), ++term))
    if (step % 5 === 2 && withOthers) control(membership(end(), term, [11, step]))
    if (step % 7 === 3 && withOthers) control(host(end(), term, [step, 1, 2, 3]))
    const batch = batchOf([`${step}-a`, `${step}-b`])
    told.positions.set(Buffer.from(batch.slice(17)).toString('latin1'), end())
    append(log, batch, term)
    if (step % 4 === 1) flush()
    if (step % 2 === 1) flusher.doWork()
    if (step % 4 === 3) settle(flusher)
  }
  flush()
  settle(flusher)
}

function checkAfter(world: ReturnType<typeof simulated>, told: Told, where: string): void {
  const { broker } = world
  broker.start()
  const log = broker.open()
  expect(log.failure, where).toBe(null)
  const found = ControlEntries.open(log)
  if (found.kind !== 'open') {
    expect(told.isCreated, `${where}: ${JSON.stringify(found)}`).toBe(false)
    return
  }
  const { controls } = found
  const entries = entriesOf(controls, log)
  expect(entries.length, where).toBeGreaterThanOrEqual(told.flushedEntries)
  for (const { base, tail } of storedBatches(log)) {
    expect(controls.positionOf(base), `${where}, offset ${base}`).toBe(told.positions.get(tail))
  }
  expect(log.logEndOffset, where).toBeGreaterThanOrEqual(told.durable)
  controls.append([termStart(controls.positionOf(log.logEndOffset), 90)])
  append(log, batchOf(['on']), 90)
  expect(opened(log).positionOf(log.logEndOffset - 1)).toBe(
    controls.positionOf(log.logEndOffset - 1),
  )
}

function strike(
  withOthers: boolean,
  seeds: number,
  crash: (world: ReturnType<typeof simulated>, seed: number) => void,
) {
  for (let at = 1; ; at++) {
    for (let seed = 1; seed <= seeds; seed++) {
      const world = simulated(seed % 2 === 0)
      const told = new Told()
      const from = world.disk.operations
      const struck = liveUntil(world.disk, from + at, () => live(world, told, withOthers))
      if (!struck) return at - 1
      crash(world, at * 1000 + seed)
      world.flusher.forget()
      checkAfter(world, told, `change ${at}, seed ${seed}`)
    }
  }
}

describe('after every single change on disk', () => {
  it(
    'a death loses no entry, and every record is at its position',
    () => {
      expect(strike(true, 2, ({ disk }) => disk.kill())).toBeGreaterThan(60)
    },
    TIMEOUT_MS,
  )

  it(
    'a power cut loses no flushed entry, and leaves no record at another position',
    () => {
      expect(strike(false, SEEDS, ({ disk }, seed) => disk.powerCut(seed))).toBeGreaterThan(60)
    },
    TIMEOUT_MS,
  )
})
