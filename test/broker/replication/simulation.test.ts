import { expect, it } from 'vitest'
import { SeededRandom } from '../../../src/base/random.ts'
import { Cluster } from './cluster.ts'
import type { Node } from './node.ts'

const SEED = Number(process.env.RAFT_SEED ?? 0)
const SEEDS = Number(process.env.RAFT_SEEDS ?? (process.env.GRIOT_TEST_LONG ? 1_000 : 60))
const STEPS = 600

/** Lives of a partition: brokers die, hang and are cut off from each other; logs roll, and lose their beginning. */
function live(seed: number): Cluster {
  const random = new SeededRandom(seed)
  const count = random.chance(0.8) ? 3 : 5
  const flushMessages = random.chance(0.4) ? 1 : Number.MAX_SAFE_INTEGER
  const spare = random.below(3)
  const slowFlushes = random.chance(0.5)
  const drops = random.chance(0.3) ? 0.1 : 0
  const cluster = new Cluster(count, { seed, spare, slowFlushes, drops, config: { flushMessages } })
  // what a vote or an acknowledgement was worth shows when the power goes again and again
  const cuts = flushMessages === 1 && random.chance(0.5) ? 0.04 : 0
  const nodes = count + spare
  const any = (): Node => cluster.nodes[random.below(nodes)]!
  for (let step = 0; step < STEPS; step++) {
    const node = any()
    if (random.chance(cuts)) cluster.killAll(true)
    const dice = random.below(1_000)
    if (dice < 350) cluster.turn(node)
    else if (dice < 650) cluster.run(1 + random.below(3))
    else if (dice < 900) cluster.append(node, 1 + random.below(4))
    else if (dice < 950) cluster.clock.advance(1 + random.below(20))
    else if (dice < 955) {
      if (node.isUp) cluster.crash(node)
      else cluster.start(node)
    } else if (dice < 963) {
      if (!node.isUp) cluster.start(node)
    } else if (dice < 973) {
      const other = any()
      if (node !== other) {
        if (cluster.isCut(node, other)) cluster.heal(node, other)
        else cluster.cut(node, other)
      }
    } else if (dice < 981) node.isPaused = !node.isPaused
    else if (dice < 984) cluster.run(10)
    else if (dice < 986) wantOthers(cluster, random)
    else if (dice < 987) {
      // another one only once the place of the last is taken: a majority must be left
      if (cluster.isComplete) cluster.lose(node)
    } else if (dice < 989) cluster.moveOn()
    else if (dice < 992) deleteSome(node, random)
    else if (dice < 994) cluster.killAll(flushMessages === 1 && random.chance(0.5))
    else if (dice < 996) {
      if (cluster.broken.size === 0) cluster.breakDisk(node)
      else cluster.mendDisks()
    } else cluster.checkCommitted(node)
  }
  cluster.settle()
  return cluster
}

/** One replica is to be on another broker. */
function wantOthers(cluster: Cluster, random: SeededRandom): void {
  const spare = cluster.nodes.filter(({ replica }) => !cluster.wanted.includes(replica))
  if (spare.length === 0) return
  const gone = random.below(cluster.wanted.length)
  const { replica } = spare[random.below(spare.length)]!
  cluster.wanted = cluster.wanted.map((one, i) => (i === gone ? replica : one))
}

function deleteSome(node: Node, random: SeededRandom): void {
  const group = node.isUp ? node.group : null
  if (group === null || group.log.highWatermark <= group.log.logStartOffset) return
  const { highWatermark, logStartOffset } = group.log
  const offset = logStartOffset + 1 + random.below(highWatermark - logStartOffset)
  group.log.deleteRecords(offset, (error) => {
    if (error === 0 && node.host.get(group.partition) === group) group.startMoved()
  })
}

it(`whatever happens, what is acknowledged stays and replicas agree (${SEEDS} seeds)`, () => {
  let acknowledged = 0
  let terms = 0
  let forgetful = 0
  const seeds = SEED > 0 ? [SEED] : Array.from({ length: SEEDS }, (_, i) => i + 1)
  for (const seed of seeds) {
    try {
      const cluster = live(seed)
      acknowledged += cluster.acknowledged.size
      terms += cluster.leaders.size
      forgetful += cluster.forgetful
    } catch (error) {
      throw new Error(`RAFT_SEED=${seed}: ${(error as Error).message}`, { cause: error })
    }
  }
  if (SEED > 0) return
  expect(acknowledged).toBeGreaterThan(seeds.length * 5)
  expect(forgetful).toBe(0)
  expect(terms).toBeGreaterThan(seeds.length * 2)
}, 600_000)
