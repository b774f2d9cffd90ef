import { describe, expect, it } from 'vitest'
import { Role } from '../../../src/raft/types.ts'
import { Cluster } from './cluster.ts'
import { batchesOf } from './kept-batches.ts'
import { PARTITION } from './node.ts'

describe('replicas of a partition', () => {
  it('elect a leader, whose batches all of them have, byte for byte', () => {
    const cluster = new Cluster(3)
    const leader = cluster.elect()
    for (let i = 0; i < 50; i++) {
      expect(cluster.append(leader, 1 + (i % 3))).toBe(true)
      cluster.run(1)
    }
    cluster.run(20)
    expect(cluster.acknowledged.size).toBe(50)
    const all = cluster.nodes.map(({ group }) => batchesOf(group!.log))
    expect(all[0]).toHaveLength(50)
    expect(all[1]).toEqual(all[0])
    expect(all[2]).toEqual(all[0])
    for (const { group } of cluster.nodes) {
      expect(group!.log.highWatermark).toBe(group!.log.logEndOffset)
      expect(group!.log.segments.length).toBeGreaterThan(2)
    }
  })

  it('go quiet: nobody is ticked, nobody asks for a turn', () => {
    const cluster = new Cluster(3)
    cluster.append(cluster.elect())
    cluster.run(50)
    for (const { host } of cluster.nodes) expect(host.nextTimerAtMs).toBe(Number.POSITIVE_INFINITY)
  })

  it('elect another when the leader dies, and nothing acknowledged is lost', () => {
    const cluster = new Cluster(3)
    for (let i = 0; i < 10; i++) {
      const leader = cluster.elect()
      for (let n = 0; n < 10; n++) {
        cluster.append(leader)
        cluster.run(1)
      }
      cluster.crash(leader)
      const next = cluster.elect()
      expect(next).not.toBe(leader)
      cluster.append(next)
      cluster.run(20)
      cluster.start(leader)
      cluster.run(50)
    }
    cluster.settle()
    expect(cluster.acknowledged.size).toBeGreaterThan(90)
  })

  it('lose what only a leader had that was cut off, and no more', () => {
    const cluster = new Cluster(3)
    const leader = cluster.elect()
    cluster.append(leader)
    cluster.run(20)
    // written, and told nobody
    const before = leader.group!.log.logEndOffset
    for (let i = 0; i < 5; i++) cluster.append(leader, 2)
    expect(leader.group!.log.logEndOffset).toBe(before + 10)
    for (const other of cluster.nodes) if (other !== leader) cluster.cut(leader, other)
    cluster.run(20)
    expect(leader.group!.raft.role).not.toBe(Role.LEADER)
    const next = cluster.elect()
    cluster.append(next)
    cluster.run(20)
    cluster.settle()
    expect(cluster.acknowledged.size).toBe(2 + 1)
    expect(leader.group!.log.logEndOffset).toBe(before + 2)
  })

  it('begin with a snapshot where the leader’s log does not go back far enough, producers and all', () => {
    const cluster = new Cluster(3)
    const leader = cluster.elect()
    const late = cluster.nodes.find((node) => node !== leader)!
    cluster.append(leader)
    cluster.run(20)
    cluster.crash(late)
    for (let i = 0; i < 80; i++) {
      cluster.append(leader, 2)
      cluster.run(1)
    }
    cluster.run(20)
    const { log } = leader.group!
    let start = -1
    log.deleteRecords(100, (_error, at) => {
      start = at
    })
    cluster.run(10)
    // within the batch of 99 and 100: a log begins with a whole one
    expect(start).toBe(100)
    leader.group!.startMoved()
    cluster.start(late)
    cluster.run(100)
    cluster.settle()
    expect(late.host.get(PARTITION)!.log.logStartOffset).toBe(99)
    expect(late.failures).toBe(0)
  })

  it('with flush.messages=1 commit what a majority has on its disk', () => {
    const cluster = new Cluster(3, { config: { flushMessages: 1 } })
    const leader = cluster.elect()
    const others = cluster.nodes.filter((node) => node !== leader)
    for (const other of others) other.isPaused = true
    cluster.append(leader)
    cluster.run(20)
    expect(cluster.acknowledged.size).toBe(0)
    others[0]!.isPaused = false
    cluster.run(20)
    expect(cluster.acknowledged.size).toBe(1)
    cluster.settle()
  })

  it('move to brokers that had none, while batches come', () => {
    const cluster = new Cluster(3, { spare: 3 })
    cluster.append(cluster.elect())
    cluster.wanted = [4, 5, 6]
    // the first three lead one after the other, and each is missed when it goes: this harness hands nothing over
    for (let i = 0; i < 600; i++) {
      const { leader } = cluster
      if (leader !== undefined) cluster.append(leader, 1 + (i % 3))
      cluster.moveOn()
      cluster.run(1)
    }
    cluster.moveAll()
    cluster.settle()
    expect(cluster.leader!.id).toBeGreaterThan(3)
    expect(cluster.acknowledged.size).toBeGreaterThan(300)
  })

  it('get another in the place of one whose directory is lost, which votes for nobody before', () => {
    const cluster = new Cluster(3)
    const leader = cluster.elect()
    for (let i = 0; i < 30; i++) {
      cluster.append(leader)
      cluster.run(1)
    }
    const lost = cluster.nodes.find((node) => node !== leader)!
    cluster.lose(lost)
    expect(lost.group!.raft.configuration.voters).toEqual([])
    cluster.run(30)
    // not a word of who votes has come to it, and it is none of them
    expect(lost.group!.log.logEndOffset).toBe(0)
    cluster.moveAll()
    cluster.settle()
    expect(lost.group!.log.logEndOffset).toBeGreaterThan(30)
    expect(lost.group!.raft.configuration.voters).toContain(lost.replica)
  })

  it('elect another at once when the leader’s disk fails, though its thread lives', () => {
    const cluster = new Cluster(3)
    const leader = cluster.elect()
    cluster.append(leader)
    cluster.run(20)
    cluster.breakDisk(leader, 1)
    expect(cluster.append(leader)).toBe(false)
    leader.group!.log.fail('its disk fails')
    leader.host.touch(leader.group!)
    // it was the first voter, so the others wait for their ticks
    cluster.run(80)
    expect(leader.failures).toBeGreaterThan(0)
    const next = cluster.leader!
    expect(next).not.toBe(leader)
    expect(cluster.append(next)).toBe(true)
    cluster.run(20)
    expect(cluster.acknowledged.size).toBe(2)
    cluster.settle()
  })

  it('write what changes who votes before the batches that follow it, in one turn', () => {
    const cluster = new Cluster(3, { spare: 1 })
    const leader = cluster.elect()
    cluster.append(leader)
    cluster.run(20)
    cluster.wanted = [1, 2, 3, 4]
    // no turn between them
    expect(cluster.moveOn()).toBe(true)
    expect(cluster.append(leader, 3)).toBe(true)
    const { controls, log, raft } = leader.group!
    expect(controls.positionOf(log.logEndOffset)).toBe(raft.end)
    cluster.moveAll()
    cluster.settle()
  })

  it('with flush.messages=1 have no election committed before a majority has its start on disk', () => {
    const cluster = new Cluster(3, { config: { flushMessages: 1 } })
    for (const { holding } of cluster.nodes) {
      holding.slow = (path) => path.endsWith('.control-entries')
    }
    cluster.run(300)
    const leader = cluster.leader!
    expect(leader.group!.takesAppends).toBe(true)
    expect([leader.group!.raft.commit, leader.group!.knowsCommit]).toEqual([0, false])
    for (const { holding } of cluster.nodes.slice(0, 2)) {
      holding.slow = () => false
      holding.settle()
    }
    cluster.run(100)
    expect(cluster.leader!.group!.knowsCommit).toBe(cluster.leader!.id <= 2)
    cluster.nodes[2]!.holding.slow = () => false
    cluster.nodes[2]!.holding.settle()
    cluster.settle()
  })
})
