import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { Role } from '../../src/raft/types.ts'
import { SimulatedCluster, type SimulatedReplica } from './cluster.ts'

const EVENTS = 1_500
const SEEDS = Number(process.env.RAFT_SEEDS ?? 150)
const FIRST_SEED = Number(process.env.RAFT_SEED ?? 1)

/** Classes of faults, each switched off in half of the seeds: what one hides another shows. */
interface Faults {
  readonly loses: boolean
  readonly repeats: boolean
  readonly reorders: boolean
  readonly cuts: boolean
  readonly crashes: boolean
  readonly changes: boolean
  readonly forgets: boolean
  /** Hosts have their replicas campaign for no reason. */
  readonly campaigns: boolean
  /** Of 100 events: how many disturb, and how many are proposals. */
  readonly disturbances: number
  readonly proposals: number
}

const faultsOf = (random: SeededRandom): Faults => {
  const coin = () => random.below(2) === 0
  return {
    ...{ loses: coin(), repeats: coin(), reorders: coin(), cuts: coin() },
    ...{ crashes: coin(), changes: coin(), forgets: coin(), campaigns: coin() },
    ...{ disturbances: 2 + random.below(12), proposals: 1 + random.below(12) },
  }
}

const pick = <T>(random: SeededRandom, from: readonly T[]): T => from[random.below(from.length)]!

function message(cluster: SimulatedCluster, faults: Faults): void {
  const { random, inFlight } = cluster
  if (inFlight.length === 0) return
  const at = faults.reorders ? random.below(Math.min(inFlight.length, 20)) : 0
  if (faults.loses && random.below(20) === 0) {
    inFlight.splice(at, 1)
    return
  }
  if (faults.repeats && random.below(20) === 0) inFlight.push(inFlight[at]!)
  cluster.deliver(at)
}

function disturb(cluster: SimulatedCluster, faults: Faults): void {
  const { random, all } = cluster
  const replica = pick(random, all)
  const kind = random.below(5)
  if (kind === 4 && faults.campaigns && replica.isUp) {
    replica.group.campaign()
    cluster.settle(replica)
  } else if (kind === 0 && faults.crashes) {
    if (replica.isUp) cluster.crash(replica)
    else cluster.restart(replica)
  } else if (kind === 1 && faults.cuts) {
    const other = pick(random, all)
    if (other !== replica) {
      cluster.setLink(replica.id, other.id, cluster.isCut(replica.id, other.id))
    }
  } else if (kind === 2 && faults.changes) change(cluster)
  else if (kind === 3 && faults.forgets && replica.isUp) {
    cluster.forget(replica, replica.disk.start + random.below(10))
  }
}

/** A membership change, legal or not, or a transfer. */
function change(cluster: SimulatedCluster): void {
  const { random, all, leader } = cluster
  if (leader === undefined) return
  const { voters, learners } = leader.group.configuration
  const { id } = pick(random, all)
  const kind = random.below(3)
  if (kind === 0) leader.group.transferTo(id)
  else if (voters.includes(id)) {
    const next = { voters: voters.filter((v) => v !== id), learners }
    leader.group.proposeMembership(next)
  } else if (learners.includes(id)) {
    const next = { voters: [...voters, id], learners: learners.filter((l) => l !== id) }
    leader.group.proposeMembership(next)
  } else leader.group.proposeMembership({ voters, learners: [...learners, id] })
  cluster.settle(leader)
}

function event(cluster: SimulatedCluster, faults: Faults): void {
  const { random, all } = cluster
  const replica = pick(random, all)
  let kind = random.below(100)
  kind -= faults.disturbances
  if (kind < 0) {
    disturb(cluster, faults)
    return
  }
  kind -= faults.proposals
  if (kind < 0) {
    const leaders = all.filter(({ isUp, group }) => isUp && group.role === Role.LEADER)
    if (leaders.length > 0) cluster.propose(pick(random, leaders), 1 + random.below(5))
  } else if (kind < 42) message(cluster, faults)
  else if (kind < 54) cluster.tick(replica)
  else if (kind < 66) {
    if (replica.isUp) cluster.copySome(replica)
  } else if (replica.isUp) cluster.store(replica)
}

/** Everything works again: within bounded time a leader is there, and what it takes is committed by all members. */
function heal(cluster: SimulatedCluster, faults: Faults): void {
  const { all } = cluster
  for (const replica of all) if (!replica.isUp) cluster.restart(replica)
  for (const a of all) {
    for (const b of all) {
      if (a.id >= b.id) continue
      // breaks in which messages are lost are told to both sides
      if (faults.loses || faults.reorders) cluster.setLink(a.id, b.id, false)
      if (cluster.isCut(a.id, b.id)) cluster.setLink(a.id, b.id, true)
    }
  }
  const calm = (): void => {
    for (let i = 0; i < 10_000; i++) {
      if (cluster.inFlight.length > 0) cluster.deliver(0)
      else {
        const before = cluster.inFlight.length
        for (const replica of all) {
          cluster.copySome(replica)
          cluster.store(replica)
        }
        if (cluster.inFlight.length === before) return
      }
    }
    throw new Error('messages go on for ever')
  }
  let proposed = false
  for (let round = 0; round < 200; round++) {
    calm()
    const { leader } = cluster
    if (leader !== undefined && !proposed) {
      proposed = cluster.propose(leader, 2)
      if (proposed) continue
    }
    if (leader !== undefined && proposed && isDone(cluster, leader)) return
    for (const replica of all) cluster.tick(replica)
  }
  const state = all.map(({ id, group }) => ({
    ...{ id, role: group.role, term: group.term, end: group.end, commit: group.commit },
    ...{ leader: group.leader, voters: group.configuration.voters.join() },
  }))
  throw new Error(`no progress: ${JSON.stringify(state)}`)
}

function isDone({ replicas }: SimulatedCluster, { group }: SimulatedReplica): boolean {
  if (group.needsTicks || group.commit < group.end) return false
  return [...group.configuration.voters, ...group.configuration.learners].every(
    (id) => replicas.get(id)!.group.commit === group.end,
  )
}

describe('a Raft group', () => {
  test(`keeps what it has committed, and goes on once the faults end, over ${SEEDS} seeds`, () => {
    let committed = 0
    let terms = 0
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const random = new SeededRandom(Math.imul(seed, 0x9e37_79b1))
      const faults = faultsOf(random)
      const cluster = new SimulatedCluster(pick(random, [1, 3, 3, 5]), random, 2)
      try {
        for (let i = 0; i < EVENTS; i++) event(cluster, faults)
        heal(cluster, faults)
        cluster.checkAll()
      } catch (error) {
        const at = `seed ${seed} (RAFT_SEED=${seed} RAFT_SEEDS=1), ${JSON.stringify(faults)}`
        throw new Error(`${at}: ${(error as Error).message}`, { cause: error })
      }
      committed += cluster.committed.length
      terms += cluster.leaders.size
    }
    // otherwise the seeds have shown nothing
    expect(committed).toBeGreaterThan(SEEDS * 20)
    expect(terms).toBeGreaterThan(SEEDS * 2)
  })
})
