import { expect, it } from 'vitest'
import { DirectoryRemover } from '../../src/broker/directory-remover.ts'
import { DiskError } from '../../src/log/disk.ts'
import { append, batchOf, PARTITION, ROOT, simulated } from '../log/support.ts'

const OPTIONS = {
  perTurn: 64,
  isOrphan: () => false,
  mayReturn: () => true,
  forget: (_number: number, done: ((failed: null) => void) | null) => done?.(null),
  onDone: () => {},
}

/** A log that was closed clean, and counts of the flushes of the recovery points since. */
function closed() {
  const { broker, disk, flusher } = simulated(false)
  const log = broker.open()
  append(log, batchOf(['a', 'b']))
  log.flushAll(() => {})
  const settle = () => {
    while (flusher.doWork() > 0);
  }
  settle()
  log.close()
  settle()
  const world = { broker, disk, settle, directory: log.directory, flushes: 0, isFailing: false }
  disk.onOperation = ({ operation, path }) => {
    if (operation !== 'flush' || !path.includes('recovery-points')) return null
    world.flushes++
    return world.isFailing ? { kind: 'error', code: 'EIO' } : null
  }
  return world
}

it('a replica that is moved away and back is not taken for damaged, whenever the power goes', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const { broker, disk, flusher } = simulated(false)
    const config = { segmentBytes: 300, flushMessages: 1 }
    const settle = () => {
      while (flusher.doWork() > 0);
    }
    const log = broker.open(config)
    for (let i = 0; i < 10; i++) append(log, batchOf(['a', 'b']))
    log.flushAll(() => {})
    settle()
    log.close()
    for (const name of disk.list(ROOT)) {
      if (name.startsWith('recovery-points')) disk.flush(`${ROOT}/${name}`)
    }
    const remover = new DirectoryRemover(broker.environment, OPTIONS)
    remover.add(PARTITION, log.directory)
    for (let now = 0; remover.pending > 0; now++) remover.doWork(now)
    expect([disk.list(log.directory), remover.has(log.directory)]).toEqual([[], true])
    settle()
    expect(remover.has(log.directory)).toBe(false)
    append(broker.open(config), batchOf(['new']))
    settle()
    disk.powerCut(seed)
    flusher.forget()
    broker.start()
    expect(broker.open(config).failure).toBe(null)
  }
})

it('a directory stays taken until what the recovery points said of it is durably gone, however often that fails', () => {
  const world = closed()
  const { broker, directory, settle } = world
  const remover = new DirectoryRemover(broker.environment, OPTIONS)
  world.isFailing = true
  remover.add(PARTITION, directory)
  let nowMs = 0
  const passTo = (untilMs: number) => {
    for (; nowMs < untilMs; nowMs += 100) {
      remover.doWork(nowMs)
      settle()
    }
  }
  for (let tries = 1; tries <= 4; tries++) {
    passTo(tries * 5_000)
    expect([remover.has(directory), world.flushes]).toEqual([true, tries])
    expect(remover.nextTimerAtMs).toBe(tries * 5_000)
  }
  world.isFailing = false
  passTo(25_000)
  expect([remover.has(directory), remover.nextTimerAtMs]).toEqual([false, Number.POSITIVE_INFINITY])
})

it('a deleted topic is taken from the recovery points without a flush', () => {
  const world = closed()
  const { broker, directory, settle, disk } = world
  const remover = new DirectoryRemover(broker.environment, { ...OPTIONS, mayReturn: () => false })
  remover.add(PARTITION, directory)
  remover.doWork(0)
  settle()
  expect([remover.has(directory), remover.pending, world.flushes]).toEqual([false, 0, 0])
  expect(broker.environment.recoveryPoints.partitions()).toEqual([])
  expect(disk.exists(directory)).toBe(false)
})

it('what was found is asked about once more, and what its replica has voted is forgotten before its files go', () => {
  const { broker, directory, disk, settle } = closed()
  const forgotten: [number, boolean][] = []
  let isOrphan = false
  const remover = new DirectoryRemover(broker.environment, {
    ...OPTIONS,
    isOrphan: () => isOrphan,
    forget: (number, done) => {
      forgotten.push([number, disk.list(directory).length > 0])
      done?.(null)
    },
  })
  remover.addFound(PARTITION, directory)
  remover.doWork(0)
  expect([remover.has(directory), forgotten, disk.exists(directory)]).toEqual([false, [], true])
  isOrphan = true
  remover.addFound(PARTITION, directory)
  remover.addFound(PARTITION, directory)
  expect(remover.pending).toBe(1)
  remover.doWork(0)
  expect([forgotten, disk.exists(directory)]).toEqual([[[PARTITION, true]], false])
  settle()
  expect([remover.has(directory), remover.pending]).toEqual([false, 0])
})

it('no file goes before what was voted is durably forgotten, and what tells which replica it was goes last', () => {
  const { broker, disk, directory } = closed()
  const tell = disk.open(`${directory}/${'0'.repeat(20)}.control-entries`, 'create')
  tell.close()
  const before = disk.list(directory)
  const asked: ((failed: DiskError | null) => void)[] = []
  const remover = new DirectoryRemover(broker.environment, {
    ...OPTIONS,
    perTurn: 1,
    forget: (_number, done) => asked.push(done!),
  })
  remover.add(PARTITION, directory)
  for (let now = 0; now < 100; now++) remover.doWork(now)
  expect([asked.length, disk.list(directory)]).toEqual([1, before])
  // it cannot be made durable: tried again after a while, and nothing goes until then
  asked[0]!(new DiskError('EIO', '/', 'flush'))
  for (let now = 100; now < 6_000; now += 100) remover.doWork(now)
  expect([asked.length, disk.list(directory)]).toEqual([2, before])
  asked[1]!(null)
  let left = before
  for (let now = 6_000; remover.pending > 0; now++) {
    if (left.length > 0) expect(disk.list(directory)).toContain(`${'0'.repeat(20)}.control-entries`)
    remover.doWork(now)
    left = disk.list(directory)
  }
  expect(left).toEqual([])
  expect(asked).toHaveLength(2)
})

it('says when nothing more in a directory waits to be removed', () => {
  const { broker, disk, directory, settle } = closed()
  const parent = directory.slice(0, directory.lastIndexOf('/'))
  const [second, elsewhere] = [`${parent}/second`, '/elsewhere/third']
  for (const path of [second, elsewhere]) disk.mkdirs(path)
  const done: [string, boolean][] = []
  const remover = new DirectoryRemover(broker.environment, {
    ...OPTIONS,
    mayReturn: () => false,
    onDone: (path) => done.push([path, disk.list(path).length > 0]),
  })
  remover.add(PARTITION, directory)
  remover.addFound(null, elsewhere)
  remover.add(PARTITION, directory)
  remover.add((PARTITION + 1) as typeof PARTITION, second)
  for (let now = 0; remover.pending > 0; now++) remover.doWork(now)
  settle()
  // nobody said that the third is to go, and it is no orphan
  expect(done).toEqual([
    ['/elsewhere', true],
    [parent, false],
  ])
})
