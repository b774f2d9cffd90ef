import { describe, expect, it } from 'vitest'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'
import type { EntryLog } from '../../src/machine/entry-log.ts'
import { liveUntil } from '../log/workload.ts'
import { openMetadataLog } from './metadata-world.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 50 : 3
const LIVES = 3
const APPENDS_PER_LIFE = 4

/** What was asked of the log, in order, and how much of it was promised. */
interface Story {
  readonly entries: string[]
  /** Log ends at which no append is torn: an append is one batch, whole or not at all. */
  readonly ends: Set<number>
  promised: number
}

/** Several processes one after another: each appends and flushes, the last append of each is left unflushed. */
function live(disk: SimulatedDisk, story: Story): void {
  for (let life = 0; life < LIVES; life++) {
    const { log, settle } = openMetadataLog(disk)
    for (let n = 0; n < APPENDS_PER_LIFE; n++) {
      const texts = Array.from({ length: 1 + (n % 3) }, (_, i) =>
        `${life}.${n}.${i}`.padEnd(30 * n, '.'),
      )
      story.entries.push(...texts)
      story.ends.add(story.entries.length)
      log.append(texts.map((text) => new TextEncoder().encode(text)))
      if (n === APPENDS_PER_LIFE - 1) break
      // Looked at before anything is flushed, and after: the crash comes between the two.
      story.promised = Math.max(story.promised, log.committedOffset)
      settle()
      story.promised = Math.max(story.promised, log.committedOffset)
    }
    log.close()
  }
}

const contents = (log: EntryLog): string[] => {
  const found: string[] = []
  log.read(0, log.endOffset, (_, bytes) => found.push(new TextDecoder().decode(bytes.slice())))
  return found
}

/** Strikes at every change on disk and lets `after` make of it what it wants; returns how many changes there are. */
function strikeEverywhere(after: (disk: SimulatedDisk, seed: number) => void): number {
  for (let at = 1; ; at++) {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const disk = new SimulatedDisk()
      const story: Story = { entries: [], ends: new Set([0]), promised: 0 }
      if (!liveUntil(disk, at, () => live(disk, story))) {
        expect(story.promised).toBeGreaterThan(LIVES * APPENDS_PER_LIFE)
        return at - 1
      }
      after(disk, at * 1_000 + seed)
      checkAfter(disk, story, `struck at change ${at}, seed ${seed}`)
    }
  }
}

/** Nothing promised is lost, nothing is there by halves, and the log takes more; also a second time. */
function checkAfter(disk: SimulatedDisk, story: Story, when: string): void {
  const first = openMetadataLog(disk)
  expect(first.log.endOffset, when).toBeGreaterThanOrEqual(story.promised)
  expect(story.ends, when).toContain(first.log.endOffset)
  const kept = contents(first.log)
  expect(kept, when).toEqual(story.entries.slice(0, first.log.endOffset))
  first.log.append([new TextEncoder().encode('afterwards')])
  first.settle()
  expect(first.log.committedOffset, when).toBe(kept.length + 1)
  disk.powerCut(1)
  expect(contents(openMetadataLog(disk).log), when).toEqual([...kept, 'afterwards'])
}

describe('the metadata log after every single change that it makes on disk', () => {
  it('keeps over a power cut what was durable, and nothing by halves', () => {
    const changes = strikeEverywhere((disk, seed) => disk.powerCut(seed))
    expect(changes).toBeGreaterThan(30)
  })

  it('keeps over a death of the process what was durable, and nothing by halves', () => {
    const changes = strikeEverywhere((disk) => disk.kill())
    expect(changes).toBeGreaterThan(30)
  })
})
