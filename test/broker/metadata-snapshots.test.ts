import { describe, expect, it } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { ControllerAgent } from '../../src/controller/agent.ts'
import { decodeEntry } from '../../src/controller/entry-codec.ts'
import { applyMetadata } from '../../src/image/apply-metadata.ts'
import { METADATA_FORMAT } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type { ControllerRequest } from '../../src/image/request.ts'
import { SimulatedCrash, SimulatedDisk } from '../../src/log/simulated-disk.ts'
import { imageOf } from '../controller/image-of.ts'
import { liveUntil } from '../log/workload.ts'
import { METADATA_DIRECTORY, openMetadataLog } from './metadata-world.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 10 : 1
const SEGMENT_BYTES = 1_500
const SNAPSHOT_BYTES = 1_000

/** Every entry that was ever appended, by offset; what the log has lost again is cut off at the next start. */
type Appended = Uint8Array[]

interface Settings {
  readonly maxBytes?: number
  readonly maxIntervalMs?: number
}

/** One life of a controller over its log and its snapshots on a disk. */
function life(
  disk: SimulatedDisk,
  appended: Appended = [],
  { maxBytes = SNAPSHOT_BYTES, maxIntervalMs = 0 }: Settings = {},
) {
  const world = openMetadataLog(disk, () => 0, SEGMENT_BYTES)
  const { log, flush, environment } = world
  const follower = new MetadataImage()
  const answered: { kind: string; first: number }[] = []
  const store = log.snapshots
  appended.length = log.endOffset
  const append = log.append.bind(log)
  let crash: unknown = null
  log.append = (entries) => {
    // noted first: the crash may come when they are written
    appended.length = log.endOffset
    appended.push(...entries)
    try {
      return append(entries)
    } catch (error) {
      // for the agent it is a disk that refuses
      if (error instanceof SimulatedCrash) crash = error
      throw error
    }
  }
  const agent = new ControllerAgent({
    ...{ log, clock: environment.clock, random: new SeededRandom(7), logger: environment.logger },
    settings: { cells: 1, brokersPerCell: 3, defaultPartitions: 2, isReplicated: false },
    snapshots: { store, maxBytes, maxIntervalMs, isOnlyCopy: true },
    publish: (message) => void applyMetadata(follower, structuredClone(message)),
    respond: (_front, _correlation, response) => {
      if (response?.kind === 'allocate-producer-ids') answered.push(response)
    },
  })
  let nowMs = 0
  const turn = (atMs = nowMs) => {
    nowMs = atMs
    const work = world.turn() + agent.doWork(nowMs) + flush.doWork()
    if (crash !== null) throw crash
    return work
  }
  const settle = () => {
    for (let idle = 0; idle < 3; ) idle = turn() > 0 ? 0 : idle + 1
  }
  const ask = (request: ControllerRequest) => {
    agent.onRequest('front-0', follower.defaultTenant!.tenantId, 0, request)
    settle()
  }
  const start = () => settle()
  return { log, agent, follower, store, answered, ask, start, settle, turn }
}

const create = (name: string, partitions: number): ControllerRequest => ({
  kind: 'create-topics',
  validateOnly: false,
  topics: [{ name, partitions, replicationFactor: -1, assignments: [], configs: [] }],
})
const remove = (name: string): ControllerRequest => ({
  kind: 'delete-topics',
  topics: [{ name }],
})

/** What any replay of the whole log up to `offset` gives. */
function imageAt(appended: Appended, offset: number): MetadataImage {
  const image = new MetadataImage()
  for (let at = 0; at < offset; at++) image.apply(decodeEntry(appended[at]!, at))
  return image
}

/** Some topics come and stay, others go. */
function work(
  { ask }: Pick<ReturnType<typeof life>, 'ask'>,
  rounds: number,
  each: () => void = () => {},
): void {
  for (let round = 0; round < rounds; round++) {
    ask(create(`t${round % 3}`, 1 + (round % 4)))
    each()
    ask({ kind: 'allocate-producer-ids', count: 10 })
    each()
    ask(remove(`t${(round + 1) % 3}`))
    each()
  }
}

const logNames = (disk: SimulatedDisk) =>
  disk.list(METADATA_DIRECTORY).filter((name) => name.endsWith('.log'))

describe('a metadata log with snapshots', () => {
  it('is cut short again and again, and the next start has the same state and goes on with the ids', () => {
    const disk = new SimulatedDisk()
    const appended: Appended = []
    const first = life(disk, appended)
    first.start()
    work(first, 60)
    const { log, store, follower, answered } = first
    expect(store.kept).toHaveLength(2)
    expect(log.startOffset).toBe(store.kept[0]!.offset)
    expect(log.startOffset).toBeGreaterThan(100)
    expect(logNames(disk).length).toBeLessThan(6)
    const number = follower.nextPartition
    const nextId = answered.at(-1)!.first + 10
    disk.kill()
    const second = life(disk, appended)
    second.start()
    expect(second.follower.offset).toBe(follower.offset)
    expect(second.follower.hash()).toBe(follower.hash())
    expect(second.follower.hash()).toBe(imageAt(appended, follower.offset).hash())
    expect(second.follower.nextPartition).toBe(number)
    second.ask({ kind: 'allocate-producer-ids', count: 1 })
    expect(second.answered).toMatchObject([{ first: nextId }])
    second.ask(create('after', 1))
    const [topic] = [...second.follower.topics(second.follower.defaultTenant!.tenantId)]
    expect(topic?.name).toBe('after')
    expect(topic?.numberOf(0 as never)).toBe(number)
    work(second, 60)
    expect(second.log.startOffset).toBeGreaterThan(log.startOffset)
    expect(imageOf(second.agent).hash()).toBe(imageAt(appended, second.log.endOffset).hash())
  })

  it('does not need its newest snapshot, but says so, and one that it needs', () => {
    const disk = new SimulatedDisk()
    const appended: Appended = []
    const first = life(disk, appended)
    first.start()
    work(first, 60)
    const hash = first.follower.hash()
    const [older, newest] = disk.list(METADATA_DIRECTORY).filter((one) => /\.checkpoint$/.test(one))
    const spoil = (name: string) => {
      const path = `${METADATA_DIRECTORY}/${name}`
      const bytes = disk.readFile(path).slice()
      // an epoch is not within a batch's CRC, and four bytes long
      for (let i = 0; i < 8; i++) bytes[(bytes.length >> 1) + i]! ^= 1
      disk.writeFileAtomic(path, bytes)
    }
    spoil(newest!)
    const second = life(disk, appended, { maxBytes: 2 ** 40 })
    second.start()
    expect(second.follower.hash()).toBe(hash)
    expect(second.store.complaints.join()).toContain(newest)
    // a next one does not let the log begin with the one that is damaged
    const third = life(disk, appended)
    third.start()
    work(third, 2)
    expect(third.store.kept.map(({ offset }) => offset)).toHaveLength(2)
    expect(third.log.startOffset).toBe(Number(older!.slice(0, 20)))
    const last = disk.list(METADATA_DIRECTORY).findLast((one) => /\.checkpoint$/.test(one))
    spoil(older!)
    spoil(last!)
    expect(() => life(disk, appended).start()).toThrow(
      new RegExp(
        `it begins at offset \\d+, and no snapshot .*${last} is damaged.*${newest} is.*${older}`,
      ),
    )
    for (const name of [older!, newest!, last!]) disk.remove(`${METADATA_DIRECTORY}/${name}`)
    expect(() => life(disk, appended).start()).toThrow('there is none in its directory')
  })

  it('is refused where it has lost what its snapshot says', () => {
    const disk = new SimulatedDisk()
    const first = life(disk)
    first.start()
    work(first, 60)
    for (const name of disk.list(METADATA_DIRECTORY)) {
      if (!name.endsWith('.checkpoint')) disk.remove(`${METADATA_DIRECTORY}/${name}`)
    }
    disk.removeDirectory('/data/broker-1/recovery')
    for (const name of disk.list('/data/broker-1')) {
      if (/recovery/.test(name)) disk.remove(`/data/broker-1/${name}`)
    }
    expect(() => life(disk).start()).toThrow('it ends at offset 0, but a snapshot')
  })

  it('gets one after an hour of few changes, and none where nothing has changed', () => {
    const disk = new SimulatedDisk()
    const hour = 3_600_000
    const { start, store, ask, agent, turn, settle } = life(disk, [], {
      maxBytes: 2 ** 40,
      maxIntervalMs: hour,
    })
    start()
    expect(agent.nextTimerAtMs).toBe(hour)
    turn(hour - 1)
    settle()
    expect(store.kept).toEqual([])
    turn(hour)
    settle()
    expect(store.kept).toHaveLength(1)
    expect(agent.nextTimerAtMs).toBe(Number.POSITIVE_INFINITY)
    turn(5 * hour)
    settle()
    expect(store.kept).toHaveLength(1)
    ask(create('t', 1))
    turn(5 * hour + 1)
    expect(store.kept.length + Number(store.isWriting)).toBe(2)
  })

  it('still holds, when it is cut short, an entry that older versions refuse', () => {
    const disk = new SimulatedDisk()
    const { start, log, ask, store } = life(disk)
    const append = log.append.bind(log)
    // as an older version would have written them
    log.append = (entries) => {
      for (const bytes of entries) bytes[0] = 3
      return append(entries)
    }
    start()
    work({ ask }, 60)
    expect(store.kept).toHaveLength(2)
    expect(log.startOffset).toBe(0)
    const again = life(disk)
    again.start()
    work(again, 20)
    expect(again.log.startOffset).toBeGreaterThan(100)
    const formats: number[] = []
    again.log.read(again.log.startOffset, again.log.endOffset, (_, bytes) =>
      formats.push(bytes[0]!),
    )
    expect(formats).toContain(METADATA_FORMAT)
  })
})

describe('a controller after every single change that its log and its snapshots make on disk', () => {
  const strike = (after: (disk: SimulatedDisk, seed: number) => void): number => {
    let cuts = 0
    for (let at = 1; ; at++) {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const disk = new SimulatedDisk()
        const appended: Appended = []
        let promised = 0
        let cutTo = 0
        const isThrough = !liveUntil(disk, at, () => {
          for (let n = 0; n < 2; n++) {
            const one = life(disk, appended, { maxBytes: 500 })
            one.start()
            work(one, 9, () => {
              promised = one.follower.offset
              cutTo = one.log.startOffset
            })
            disk.kill()
          }
        })
        cuts = Math.max(cuts, cutTo)
        if (isThrough) {
          expect(cuts).toBeGreaterThan(15)
          return at - 1
        }
        after(disk, at * 100 + seed)
        const when = `struck at change ${at}, seed ${seed}`
        const next = life(disk, [...appended], { maxBytes: 500 })
        next.start()
        const { offset } = next.follower
        expect(offset, when).toBeGreaterThanOrEqual(promised)
        if (offset <= appended.length) {
          expect(next.follower.hash(), when).toBe(imageAt(appended, offset).hash())
        }
        next.ask(create('afterwards', 1))
        disk.powerCut(at)
        const last = life(disk)
        last.start()
        expect(last.follower.hash(), when).toBe(next.follower.hash())
      }
    }
  }

  it('loses nothing that was told over a power cut', () => {
    expect(strike((disk, seed) => disk.powerCut(seed))).toBeGreaterThan(100)
  })

  it('loses nothing that was told over a death of the process', () => {
    expect(strike((disk) => disk.kill())).toBeGreaterThan(100)
  })
})
