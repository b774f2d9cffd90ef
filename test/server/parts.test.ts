import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  claimIdentity,
  makeDataDirectory,
  makeTemporaryDirectory,
  removeAbandoned,
} from '../../src/server/data-directory.ts'
import { DirectoryLock } from '../../src/server/directory-lock.ts'
import { diskMarkBytes, isAloneOnDisk, reserveFileBytes } from '../../src/server/disk-mark.ts'
import { EngineState } from '../../src/server/engine-state.ts'
import { planMemory } from '../../src/server/memory-plan.ts'
import { nearest } from '../../src/server/nearest.ts'
import { formatBytes, formatHostPort } from '../../src/server/units.ts'
import { allocateWiring, connectThreads, listThreads, wiringFor } from '../../src/server/wiring.ts'
import { RingReader } from '../../src/shared/ring-reader.ts'
import { RingWriter } from '../../src/shared/ring-writer.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-parts-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

describe('the memory plan', () => {
  test.each([
    [16, 1],
    [64, 1],
    [64, 3],
    [512, 3],
    [2048, 3],
    [2048, 16],
    [65_536, 16],
  ])('%i MB for %i brokers is kept within, and mostly used', (megabytes, brokers) => {
    const total = megabytes * 2 ** 20
    const plan = planMemory(total, brokers)
    const rings =
      plan.commandRingBytes +
      plan.replyRingBytes +
      2 * plan.smallRingBytes +
      2 * plan.flushRingBytes
    const peers = brokers * (brokers - 1) * plan.peerRingBytes
    const others = plan.fileReadBytes + plan.inFlightBytes + peers
    const sum = brokers * (rings + plan.arenaBytes) + others
    expect(sum).toBeLessThanOrEqual(total)
    expect(sum).toBeGreaterThan(total * 0.95)
    expect(Math.log2(plan.commandRingBytes) % 1).toBe(0)
    expect([64, 128, 256].map((kib) => kib * 1024)).toContain(plan.peerRingBytes)
    expect(plan.arenaBytes % (64 * 1024)).toBe(0)
  })

  test('refuses what is too little', () => {
    expect(() => planMemory(2 ** 20, 3)).toThrow('too few for 3 brokers')
  })
})

describe('the data directory', () => {
  test('is made for its owner only', () => {
    const made = makeDataDirectory(path.join(directory, 'a', 'b'))
    expect(statSync(made).mode & 0o777).toBe(0o700)
    expect(makeDataDirectory(made)).toBe(made)
  })

  test.runIf(process.platform === 'linux')('where none can be made is refused', () => {
    expect(() => makeDataDirectory('/proc/griot/data')).toThrow(
      '/proc/griot/data cannot be used: ENOENT',
    )
  })

  test('that is a file is refused', () => {
    const file = path.join(directory, 'file')
    writeFileSync(file, '')
    expect(() => makeDataDirectory(file)).toThrow(`${file} cannot be used: it is not a directory`)
    expect(() => makeDataDirectory(path.join(file, 'x'))).toThrow('it is not a directory')
  })

  test('keeps its number of brokers, and says both when another is asked for', () => {
    claimIdentity(directory, { cells: 1, brokersPerCell: 3 })
    claimIdentity(directory, { cells: 1, brokersPerCell: 3 })
    expect(() => claimIdentity(directory, { cells: 1, brokersPerCell: 5 })).toThrow(
      'was made with --brokers 3, this start asks for --brokers 5',
    )
  })

  test('of a newer version, damaged or without its identity is refused', () => {
    const file = path.join(directory, 'griot.json')
    const claim = () => claimIdentity(directory, { cells: 1, brokersPerCell: 3 })
    writeFileSync(file, JSON.stringify({ format: 9, cells: 1, brokersPerCell: 3 }))
    expect(claim).toThrow('has data format 9, this version reads up to 1: use a newer griot')
    writeFileSync(file, '{"format": 1')
    expect(claim).toThrow('griot.json is damaged')
    rmSync(file)
    mkdirSync(path.join(directory, 'broker-1', 'metadata'), { recursive: true })
    expect(claim).toThrow('holds broker-1 but no griot.json')
    rmSync(path.join(directory, 'broker-1'), { recursive: true })
    // a file system is mounted there
    mkdirSync(path.join(directory, 'broker-1', 'lost+found'), { recursive: true })
    claim()
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      format: 1,
      cells: 1,
      brokersPerCell: 3,
    })
  })
})

describe('temporary directories', () => {
  test('of dead engines go, those in use and those just made stay', async () => {
    const used = makeTemporaryDirectory(directory)
    const lock = await DirectoryLock.acquire(used)
    const released = makeTemporaryDirectory(directory)
    await (await DirectoryLock.acquire(released)).release()
    const young = makeTemporaryDirectory(directory)
    const old = makeTemporaryDirectory(directory)
    utimesSync(old, 1_000, 1_000)
    mkdirSync(path.join(directory, 'griot-notes'))
    await removeAbandoned(directory, Date.now())
    const left = [used, released, young, old].map((name) => existsSync(name))
    expect(left).toEqual([true, false, true, false])
    expect(existsSync(path.join(directory, 'griot-notes'))).toBe(true)
    await lock.release()
  })

  test('of other users stay, and so do links and names that people give', async () => {
    const linked = path.join(directory, 'precious')
    mkdirSync(linked)
    utimesSync(linked, 1_000, 1_000)
    const link = path.join(directory, 'griot-tmp-0123456789ab')
    symlinkSync(linked, link, 'dir')
    // a container's id, of a data directory whose engine is stopped
    const named = path.join(directory, 'griot-0123456789ab')
    mkdirSync(named)
    await (await DirectoryLock.acquire(named)).release()
    const others = makeTemporaryDirectory(directory)
    utimesSync(others, 1_000, 1_000)
    const { geteuid } = process
    if (geteuid !== undefined) process.geteuid = () => geteuid() + 1
    try {
      await removeAbandoned(directory, Date.now())
      expect(existsSync(others)).toBe(geteuid !== undefined)
    } finally {
      if (geteuid !== undefined) process.geteuid = geteuid
    }
    await removeAbandoned(directory, Date.now())
    const left = [linked, link, named].map((at) => path.basename(at))
    expect(readdirSync(directory).sort()).toEqual(left.sort())
  })
})

describe('the state of the engine', () => {
  test('is starting for a reason that there may be', () => {
    const told: string[] = []
    const state = new EngineState((name, reason) => told.push(`${name}: ${reason}`))
    state.setReason('metadata', 'nobody leads the controllers')
    state.setReason('metadata', null)
    expect(told).toEqual([
      'starting: the engine is starting; nobody leads the controllers',
      'starting: the engine is starting',
    ])
  })

  test('is degraded while there are reasons, and tells every change', () => {
    const told: string[] = []
    const state = new EngineState((name, reason) => told.push(`${name}: ${reason}`))
    state.setPhase('serving')
    state.setReason('broker-1-2', 'broker 2 died')
    state.setReason('disk', 'disk full')
    state.setReason('disk', null)
    state.setPhase('stopping', 'the engine is stopping')
    expect(told).toEqual([
      'serving: ',
      'degraded: broker 2 died',
      'degraded: broker 2 died; disk full',
      'degraded: broker 2 died',
      'stopping: broker 2 died; the engine is stopping',
    ])
  })
})

test('a channel joins every pair that talks, and no other', () => {
  const threads = listThreads(3, true)
  const ends = connectThreads(allocateWiring(threads, planMemory(2 ** 26, 3)))
  const peers = (name: string) =>
    ends
      .get(name)!
      .map(({ peer }) => peer)
      .sort()
  const brokers = ['broker-1-1', 'broker-1-2', 'broker-1-3']
  expect(peers('server')).toEqual([...brokers, 'flusher', 'front-0', 'front-1'].sort())
  expect(peers('front-0')).toEqual([...brokers, 'front-1', 'server'])
  expect(peers('broker-1-1')).toEqual(['broker-1-2', 'broker-1-3', 'front-0', 'front-1', 'server'])
  expect(peers('broker-1-2')).toEqual(['broker-1-1', 'broker-1-3', 'front-0', 'front-1', 'server'])
  expect(peers('flusher')).toEqual(['server'])
  // only what has no event loop is rung
  expect(
    ends
      .get('server')!
      .filter(({ bell }) => bell !== null)
      .map(({ peer }) => peer),
  ).toEqual(brokers)
  for (const list of ends.values()) for (const { port } of list) port.close()
})

test('a thread holds the arenas that it uses, and no others', () => {
  const wiring = allocateWiring(listThreads(2, true), planMemory(64 * 2 ** 20, 2))
  const held = wiring.threads.map((thread) =>
    wiringFor(wiring, thread).arenas.map((arena, index) => arena === wiring.arenas[index]),
  )
  expect(wiring.threads.map(({ name }) => name)).toEqual([
    ...['front-0', 'flusher', 'broker-1-1', 'broker-1-2', 'front-1'],
  ])
  expect(held).toEqual([
    ...[
      [true, true],
      [false, false],
      [true, false],
      [false, true],
      [false, false],
    ],
  ])
})

test('every two brokers have a ring each way of their own', () => {
  const wiring = allocateWiring(listThreads(3, true), planMemory(64 * 2 ** 20, 3))
  const rings = wiring.peers.flat().filter((ring) => ring !== null)
  expect(wiring.peers.map((row, from) => row.indexOf(null) === from)).toEqual([
    ...[true, true, true],
  ])
  expect(new Set(rings.map(({ byteOffset }) => byteOffset)).size).toBe(6)
  const one = new RingWriter(wiring.peers[0]![2]!)
  expect(one.claim(1, 8)).toBe(8)
  one.commit()
  expect(new RingReader(wiring.peers[2]![0]!).isEmpty).toBe(true)
  expect(new RingReader(wiring.peers[0]![2]!).isEmpty).toBe(false)
  expect(allocateWiring(listThreads(1, false), planMemory(16 * 2 ** 20, 1)).peers).toEqual([[null]])
})

test('the disk mark is the smaller of bytes and share', () => {
  const huge = 2 ** 60
  expect(diskMarkBytes({ bytes: 1_000, fraction: null }, directory)).toBe(1_000)
  const share = diskMarkBytes({ bytes: huge, fraction: 0.05 }, directory)
  expect(share).toBeGreaterThan(0)
  expect(share).toBeLessThan(huge)
  expect(diskMarkBytes({ bytes: 1, fraction: 0.05 }, directory)).toBe(1)
})

test('a broker is alone on its disk where no other is, or will be, on the same file system', () => {
  const brokers = ['broker-1', 'broker-2'].map((name) => path.join(directory, name))
  expect(isAloneOnDisk(brokers[0]!, [brokers[1]!])).toBe(false)
  mkdirSync(brokers[0]!)
  expect(isAloneOnDisk(brokers[0]!, [brokers[1]!])).toBe(false)
  if (!existsSync('/proc/self')) return
  expect(isAloneOnDisk('/proc/self/x', brokers)).toBe(true)
  expect(isAloneOnDisk(brokers[0]!, ['/proc/self', brokers[1]!])).toBe(false)
})

test('names that are nearly right are guessed, others are not', () => {
  const names = ['brokers', 'data-dir', 'kafka-listen', 'http-listen']
  const guesses = ['broker', 'datadir', 'dataDir', 'kafka', 'kakfa-listen', 'zzz', 'memory']
  expect(guesses.map((wrong) => nearest(wrong, names))).toEqual([
    'brokers',
    'data-dir',
    'data-dir',
    'kafka-listen',
    'kafka-listen',
    null,
    null,
  ])
})

test('sizes and addresses are written for people', () => {
  expect([512, 2 ** 20 * 1.5, 2 ** 31].map(formatBytes)).toEqual(['512 bytes', '1.5 MB', '2 GB'])
  expect(formatHostPort({ host: '::1', port: 9092 })).toBe('[::1]:9092')
})

test('the reserve of a full disk is a thousandth of the file system, and at most 16 MB', () => {
  const { blocks, bsize } = statfsSync(directory)
  expect(reserveFileBytes(directory)).toBe(Math.min(2 ** 24, Math.floor((blocks * bsize) / 1_000)))
})
