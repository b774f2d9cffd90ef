import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import type { MetadataMessage } from '../../src/image/request.ts'
import { FetchSource } from '../../src/link/commands.ts'
import { idempotentBatch, plainBatch } from './batches.ts'
import { CLUSTER, ROOT, TENANT, World } from './world.ts'

describe('a deleted topic', () => {
  it('answers who waits for it, and its files go, a few per turn', () => {
    const world = new World({ settings: { removalsPerTurn: 2 } })
    const partitions = world.createTopic({ partitions: 2 })
    const [other] = world.createTopic()
    for (const partition of [...partitions, other!]) world.front.produce(partition, plainBatch())
    world.front.watch(partitions[1]!, 5)
    world.run()
    world.front.take()
    world.deleteTopic(1)
    world.turn()
    expect(world.front.takeOne('woken')).toMatchObject({
      partition: partitions[1],
      error: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    })
    expect(world.disk.exists(world.directory(1, 1))).toBe(true)
    world.run()
    expect(world.disk.exists(world.directory(1, 0))).toBe(false)
    expect(world.disk.exists(world.directory(1, 1))).toBe(false)
    expect(world.disk.exists(world.directory(2))).toBe(true)
    expect(world.environment.recoveryPoints.dirtyPartitions()).toEqual([other])
    world.front.produce(partitions[0]!, plainBatch())
    world.run()
    expect(world.front.takeOne('produced').error).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
  })

  it('half removed when the process dies, is finished at the next start', () => {
    const world = new World({ settings: { removalsPerTurn: 1 } })
    const [gone] = world.createTopic()
    const [kept] = world.createTopic()
    for (const partition of [gone!, kept!]) world.front.produce(partition, plainBatch())
    world.run()
    // a small log is one file
    world.disk.mkdirs(`${world.directory(1)}/more`)
    expect(world.disk.list(world.directory(1)).length).toBeGreaterThan(1)
    world.deleteTopic(1)
    world.turn()
    expect(world.disk.exists(world.directory(1))).toBe(true)
    world.simulated.kill()
    const next = world.restart()
    expect(next.disk.exists(next.directory(1))).toBe(false)
    expect(next.disk.exists(next.directory(2))).toBe(true)
    expect(next.environment.recoveryPoints.of(gone!).dirty).toBe(false)
    expect(next.lines.map(({ message }) => message)).toContain(
      'Removing a directory that belongs to no topic any more',
    )
  })

  it('while the broker was away leaves nothing in the recovery points, were it clean or not', () => {
    const world = new World({ settings: { dehydrateAfterMs: 1_000 } })
    const [clean] = world.createTopic()
    world.front.produce(clean!, plainBatch())
    world.run()
    world.pass(20_000)
    const [dirty] = world.createTopic()
    const [kept] = world.createTopic()
    for (const partition of [dirty!, kept!]) world.front.produce(partition, plainBatch())
    world.run()
    const { recoveryPoints } = world.environment
    expect(recoveryPoints.partitions().sort()).toEqual([clean, dirty, kept])
    expect(recoveryPoints.dirtyPartitions()).toEqual([dirty, kept])
    world.simulated.kill()
    world.deleteTopic(1)
    world.deleteTopic(2)
    const next = world.restart()
    expect(next.disk.exists(next.directory(1))).toBe(false)
    expect(next.environment.recoveryPoints.partitions()).toEqual([kept])
  })

  it('is looked for only when the image is whole, and what is not named like ours is left alone', () => {
    const world = new World()
    const [partition] = world.createTopic()
    world.front.produce(partition!, plainBatch())
    world.run()
    for (const name of [`${TENANT}/notes`, 'metadata', 'lost+found']) {
      world.disk.mkdirs(`${ROOT}/${name}`)
    }
    world.simulated.kill()
    // the first half of an image, which does not name the topic yet
    const next = new World({ disk: world.disk, entries: [] })
    next.run()
    const [cluster, tenant, topic] = world.entries
    next.controller.post('broker-1-1', {
      kind: 'metadata',
      epoch: 1,
      first: 0,
      offset: 2,
      entries: [cluster!, tenant!],
      more: true,
    })
    next.run()
    expect(next.disk.exists(next.directory(1))).toBe(true)
    const rest = { first: 2, offset: 3, entries: [topic!] }
    next.controller.post('broker-1-1', { kind: 'metadata', epoch: 1, ...rest })
    next.run()
    expect(next.disk.exists(next.directory(1))).toBe(true)
    for (const name of [`${TENANT}/notes`, 'metadata', 'lost+found']) {
      expect(next.disk.exists(`${ROOT}/${name}`)).toBe(true)
    }
  })

  it('is not looked for while a newer image comes, and none of that is taken for one', () => {
    const world = new World()
    for (let n = 1; n <= 2; n++) {
      const [partition] = world.createTopic()
      world.front.produce(partition!, plainBatch())
      world.run()
    }
    world.simulated.kill()
    const next = new World({ disk: world.disk, entries: [] })
    const [cluster, tenant, one, two] = world.entries
    const publish = (message: Omit<MetadataMessage, 'kind'>) =>
      next.controller.post('broker-1-1', { kind: 'metadata', ...message })
    // one that is whole, by which the search begins, and the next controller's, both in one turn
    publish({ epoch: 1, first: 0, offset: 3, entries: [cluster!, tenant!, one!] })
    publish({ epoch: 2, first: 0, offset: 2, entries: [cluster!, tenant!], more: true })
    next.run()
    expect([1, 2].map((n) => next.disk.exists(next.directory(n)))).toEqual([true, true])
    expect(next.agent.nextTimerAtMs).toBeGreaterThan(next.clock.monotonicMs())
    publish({ epoch: 2, first: 2, offset: 4, entries: [two!] })
    next.run()
    expect([1, 2].map((n) => next.disk.exists(next.directory(n)))).toEqual([false, true])
  })

  it('that is named again before its turn has come stays, one that is begun is removed', () => {
    const world = new World({ settings: { removalsPerTurn: 1 } })
    for (let n = 1; n <= 3; n++) {
      const [partition] = world.createTopic()
      world.front.produce(partition!, plainBatch())
      world.run()
      for (const name of ['more', 'most']) world.disk.mkdirs(`${world.directory(n)}/${name}`)
    }
    world.simulated.kill()
    const settings = { removalsPerTurn: 1 }
    const next = new World({ disk: world.disk, entries: CLUSTER, settings })
    next.turn()
    next.turn()
    const before = world.directory(1)
    expect(next.disk.exists(before)).toBe(true)
    next.publish(...world.entries.slice(CLUSTER.length, CLUSTER.length + 2))
    next.run()
    const isThere = [1, 2, 3].map((n) => next.disk.exists(next.directory(n)))
    expect(isThere).toEqual([false, true, false])
  })
})

describe('a quiet partition', () => {
  const settings = { dehydrateAfterMs: 10_000 }

  it('is dehydrated, clean, and touched again as if nothing had been', () => {
    const world = new World({ settings })
    const partitions = world.createTopic({ partitions: 20 })
    for (const partition of partitions) world.front.produce(partition, idempotentBatch(3, 0, 2))
    world.run()
    world.front.take()
    expect(world.agent.openLogs).toBe(20)
    world.pass(15_000)
    expect(world.agent.openLogs).toBe(0)
    expect(world.environment.recoveryPoints.dirtyPartitions()).toEqual([])
    world.pass(15_000)
    expect(world.agent.nextTimerAtMs).toBeGreaterThan(world.clock.monotonicMs() + 60_000)
    world.front.produce(partitions[4]!, idempotentBatch(3, 0, 2))
    world.front.produce(partitions[4]!, idempotentBatch(3, 2))
    world.run()
    expect(world.front.take()).toMatchObject([
      { error: 0, baseOffset: 0 },
      { error: 0, baseOffset: 2 },
    ])
    expect(world.agent.openLogs).toBe(1)
  })

  it('that is fetched at its end stays closed, and its watchers are woken by the next write', () => {
    const world = new World({ settings: { openLogsMax: 4, dehydrateAfterMs: 1e9 } })
    const partitions = world.createTopic({ partitions: 12 })
    for (const partition of partitions) {
      world.front.produce(partition, plainBatch())
      world.run()
    }
    world.front.take()
    expect(world.agent.openLogs).toBeLessThanOrEqual(5)
    const opened = world.agent.openLogs
    for (const partition of partitions.slice(0, 6)) {
      world.front.locate(partition, 1)
      world.front.watch(partition, 1)
    }
    world.run()
    const located = { kind: 'located', error: 0, source: FetchSource.NONE, highWatermark: 1 }
    expect(world.front.take()).toMatchObject(Array.from({ length: 6 }, () => located))
    expect(world.agent.openLogs).toBe(opened)
    world.front.produce(partitions[0]!, plainBatch())
    world.run()
    expect(world.front.take()).toMatchObject([
      { kind: 'produced', error: 0, baseOffset: 1 },
      { kind: 'woken', partition: partitions[0], highWatermark: 2 },
    ])
  })

  it('has no directory before its first write', () => {
    const world = new World()
    const [partition] = world.createTopic()
    world.front.locate(partition!, 0)
    world.front.listOffsets(partition!, -1)
    world.run()
    expect(world.front.take()).toMatchObject([
      { kind: 'located', error: 0, highWatermark: 0 },
      { kind: 'offsets', error: 0, offset: 0 },
    ])
    expect(world.disk.exists(world.directory(1))).toBe(false)
  })

  it('is visited by retention, too', () => {
    const world = new World({ settings: { dehydrateAfterMs: 5_000, retentionSweepMs: 60_000 } })
    const configs = { 'retention.ms': '100000', 'segment.bytes': '1048576' }
    const [limited] = world.createTopic({ configs })
    const [unlimited] = world.createTopic({ configs: { ...configs, 'retention.ms': '-1' } })
    for (let i = 0; i < 30; i++) {
      const batch = plainBatch(1, 20_000, world.clock.wallMs())
      for (let n = 0; n < 4; n++) {
        world.front.produce(limited!, batch)
        world.front.produce(unlimited!, batch)
      }
      world.run()
    }
    expect(world.front.take().every(({ error }) => error === 0)).toBe(true)
    world.pass(50_000)
    expect(world.agent.openLogs).toBe(0)
    const before = world.disk.list(world.directory(1)).length
    expect(world.disk.list(world.directory(2)).length).toBe(before)
    world.pass(400_000, 5_000)
    expect(world.disk.list(world.directory(1)).length).toBeLessThan(before)
    expect(world.disk.list(world.directory(2)).length).toBe(before)
    expect(world.agent.openLogs).toBe(0)
    expect(world.complaints()).toEqual([])
  })
})

describe('a start after a crash', () => {
  it('checks what was written since it was clean, before anybody asks, and then has nothing left to check', () => {
    const world = new World()
    const partitions = world.createTopic({ partitions: 5 })
    for (const partition of partitions.slice(0, 3)) world.front.produce(partition, plainBatch())
    world.run()
    expect(world.environment.recoveryPoints.dirtyPartitions().length).toBe(3)
    world.simulated.kill()
    const next = world.restart({ settings: { dehydrateAfterMs: 2_000 } })
    expect(next.agent.openLogs).toBe(3)
    next.pass(10_000)
    expect(next.environment.recoveryPoints.dirtyPartitions()).toEqual([])
    expect(next.agent.openLogs).toBe(0)
  })
})

describe('a stop', () => {
  it('finishes what is under way, refuses the rest, and leaves nothing to recover', () => {
    const world = new World({ withMetadataLog: true })
    const [durable] = world.createTopic({ configs: { 'flush.messages': '1' } })
    const [quick] = world.createTopic()
    world.run()
    world.metadataLog!.append([Uint8Array.of(1, 2, 3)])
    world.front.produce(durable!, plainBatch())
    world.front.produce(quick!, plainBatch())
    world.fronts[1]!.watch(quick!, 9)
    world.turn()
    world.front.take()
    world.server.post('broker-1-1', { kind: 'stop', deadlineMs: 1_000 })
    world.turn()
    world.front.produce(quick!, plainBatch())
    world.front.locate(quick!, 0)
    world.run()
    const errors = world.front.take().map(({ error }) => error)
    expect(errors.slice(-2)).toEqual([
      ErrorCode.NOT_LEADER_OR_FOLLOWER,
      ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ])
    expect(errors.slice(0, -2).every((error) => error === 0)).toBe(true)
    expect(world.fronts[1]!.takeOne('woken').error).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    expect(world.agent.isStopped).toBe(true)
    expect(world.toServer()).toEqual([{ kind: 'stopped' }])
    expect(world.turn()).toBe(0)
    // power is cut after the stop: everything is there
    world.simulated.powerCut(5)
    const next = world.restart({ withMetadataLog: true })
    expect(next.environment.recoveryPoints.dirtyPartitions()).toEqual([])
    for (const partition of [durable!, quick!]) {
      next.front.locate(partition, 0)
      next.run()
      expect(next.front.takeOne('located')).toMatchObject({ error: 0, highWatermark: 1 })
    }
    expect(next.metadataLog!.committedOffset).toBe(1)
  })

  it('does not wait for a disk that hangs', () => {
    const stuck = { pending: 1, doWork: () => 0, request: () => {}, remove: () => {} }
    const world = new World({ flush: stuck })
    const [partition] = world.createTopic({ configs: { 'flush.messages': '1' } })
    world.front.produce(partition!, plainBatch())
    world.run()
    expect(world.front.take()).toEqual([])
    world.stop(1_000)
    expect(world.agent.isStopped).toBe(false)
    expect(world.agent.nextTimerAtMs).toBeLessThan(world.clock.monotonicMs() + 1_000)
    world.pass(1_000, 100)
    expect(world.agent.isStopped).toBe(true)
    expect(world.front.takeOne('produced').error).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    expect(world.toServer()).toEqual([{ kind: 'stopped' }])
  })

  it('comes to its end also when the disk takes no mark of it', () => {
    const world = new World({ withMetadataLog: true })
    const [partition] = world.createTopic()
    world.run()
    world.metadataLog!.append([Uint8Array.of(1, 2, 3)])
    world.front.produce(partition!, plainBatch())
    world.run()
    world.simulated.onOperation = ({ path }) =>
      path.includes('recovery-points') ? { kind: 'error', code: 'EIO' } : null
    world.stop()
    expect(world.agent.isStopped).toBe(true)
    expect(world.toServer()).toEqual([{ kind: 'stopped' }])
    world.simulated.onOperation = null
    const next = world.restart({ withMetadataLog: true })
    next.run()
    expect([
      next.metadataLog!.endOffset,
      next.environment.recoveryPoints.of(partition!).dirty,
    ]).toEqual([1, true])
  })

  it('tells the controller on the same thread, and hands it what is not for a broker', () => {
    const world = new World()
    world.fronts[0]!.control.post('broker-1-1', {
      kind: 'controller-request',
      correlation: 3,
      tenantId: TENANT,
      request: { kind: 'allocate-producer-ids', count: 1 },
    })
    world.run()
    expect(world.others).toMatchObject([{ kind: 'controller-request', correlation: 3 }])
  })
})
