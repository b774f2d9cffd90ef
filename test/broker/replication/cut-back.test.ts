import { expect, it } from 'vitest'
import { SimulatedCrash } from '../../../src/log/simulated-disk.ts'
import { Cluster } from './cluster.ts'
import { type Node, PARTITION } from './node.ts'

const SEEDS = process.env.GRIOT_TEST_LONG ? 30 : 4

/** A leader that was cut off has, durably and as its recovery points say, what nobody else has; another leads. */
function diverged(seed: number): { cluster: Cluster; old: Node } {
  const cluster = new Cluster(3, { seed, config: { flushMessages: 1, segmentBytes: 400 } })
  cluster.elect()
  // the first may be deposed by one that could not wait
  cluster.run(50)
  const old = cluster.elect()
  const others = cluster.nodes.filter((node) => node !== old)
  cluster.append(old)
  cluster.run(20)
  for (const other of others) other.isPaused = true
  // each segment's first flush is noted
  for (let i = 0; i < 8; i++) {
    cluster.append(old, 2)
    while (cluster.turn(old) > 0);
  }
  expect(old.environment.recoveryPoints.of(PARTITION).flushedOffset).toBeGreaterThan(10)
  for (const name of cluster.disk.list(old.root)) {
    if (name.startsWith('recovery-points')) cluster.disk.flush(`${old.root}/${name}`)
  }
  for (const other of others) {
    other.isPaused = false
    cluster.cut(old, other)
  }
  cluster.append(cluster.elect())
  cluster.run(20)
  expect(old.log!.logEndOffset).toBe(17)
  return { cluster, old }
}

it('whenever the power goes while a replica is cut back, no replica seems to have lost what was durable', () => {
  let changes = 0
  for (let at = 1, isOver = false; !isOver; at++) {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { cluster, old } = diverged(seed)
      const { disk } = cluster
      const from = disk.operations
      disk.onOperation = ({ number }) => (number === from + at ? { kind: 'crash' } : null)
      for (const other of cluster.nodes) if (other !== old) cluster.heal(old, other)
      try {
        cluster.run(60)
        expect(old.log!.logEndOffset).toBe(2)
        isOver = true
      } catch (error) {
        if (!(error instanceof SimulatedCrash)) throw error
      }
      cluster.killAll(true)
      cluster.run(600)
      const where = `change ${at}, seed ${seed}`
      expect(
        cluster.nodes.map(({ isForgetful }) => isForgetful),
        where,
      ).toEqual([false, false, false])
      cluster.settle()
    }
    changes = at
  }
  expect(changes).toBeGreaterThan(20)
}, 120_000)
