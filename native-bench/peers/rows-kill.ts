/** The broker that leads a partition dies while that is written: for how long is nothing acknowledged, and is all of it there? */
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster, LATEST } from '../load/cluster.ts'
import { keyOf, type TopicPartition } from '../load/messages.ts'
import { topicNames } from '../load/plan.ts'
import type { WorkloadResult } from '../load/result.ts'
import type { Workload } from '../load/workload.ts'
import { withClient } from './cluster.ts'
import { type Goal, type Measure, note, outcome } from './measures.ts'
import type { Standing, StandingRow, Timing } from './row.ts'
import { load } from './rows-load.ts'
import { workloadFile } from './variants.ts'

const MB = 1e6
const MS = 1_000
const KILLED_AFTER_MS = 2_000
/** In a short run the kill comes sooner, so that most of the window is left for what follows. */
const KILLED_WITHIN_SHARE = 1 / 4
/** Kafka's controller waits nine seconds for a broker that is gone, and then there is an election. */
const WINDOW_TIMES = { griot: 1, kafka: 2 } as const

export const killMeasures = (goal: Goal | null): readonly Measure[] => [
  { key: 'gapMs', label: 'longest time without an acknowledgement', unit: 'ms', goal },
  note('resent', 'requests that the client sent again', ''),
  note('rateMB', 'throughput, the gap included', 'MB/s'),
  note('p50', 'p50', 'ms'),
]

export const killFigures = ({ produced, replicas }: WorkloadResult) => ({
  gapMs: (produced!.longestGapUs ?? Number.NaN) / MS,
  resent: produced!.resent,
  rateMB: produced!.bytesPerSecond / MB,
  p50: (produced!.latencyUs?.p50 ?? Number.NaN) / MS,
  replicas,
})

interface Kept {
  readonly prefix: string
  readonly at: TopicPartition
  /** Of the log, after the last run. */
  readonly end: number
}

/** A row's run and warm-up, with the same topic all the time. */
export function killLeader(
  workload: Workload = workloadFile('kill-leader'),
): Pick<StandingRow, 'run' | 'warmup'> {
  const known = new Map<string, Kept>()

  const write = async (
    standing: Standing,
    timing: Pick<Timing, 'seconds' | 'warmupSeconds'>,
    during: (topics: readonly string[]) => Promise<void>,
  ): Promise<{ readonly result: WorkloadResult; readonly notes: string[] }> => {
    const { bootstrap } = standing.broker
    const before = known.get(bootstrap)
    const kept = before === undefined ? { keep: true } : { prefix: before.prefix }
    // a process that dies has no figures
    const result = await load(workload, standing, timing, { ...kept, during, pids: [] })
    const { prefix } = result
    const at = { topic: topicNames(prefix, workload.topics[0]!)[0]!, partition: 0 }
    const end = await endOf(bootstrap, at)
    known.set(bootstrap, { prefix, at, end })
    return { result, notes: [...result.notes, ...lossNotes(result, end - (before?.end ?? 0))] }
  }

  return {
    warmup: async (standing, timing) => {
      await write(standing, timing, async () => undefined)
    },
    run: async (standing, timing) => {
      const { broker, side } = standing
      const seconds = timing.seconds * WINDOW_TIMES[side.name]
      const afterMs = Math.min(KILLED_AFTER_MS, timing.seconds * MS * KILLED_WITHIN_SHARE)
      let leader: number | null = null
      const { result, notes } = await write(standing, { ...timing, seconds }, async ([topic]) => {
        await sleep(afterMs)
        leader = await leaderOf(broker.bootstrap, topic!)
        await broker.kill(leader)
      })
      if (leader !== null) await broker.revive(leader)
      return outcome(killFigures(result), notes)
    },
  }
}

const leaderOf = (bootstrap: string, topic: string): Promise<number> =>
  withClient(bootstrap, async (client) => await client.leaderOf(topic, 0))

/** Of one that leads by now. */
async function endOf(bootstrap: string, at: TopicPartition): Promise<number> {
  const cluster = await Cluster.open(bootstrap)
  try {
    await cluster.waitForLeaders([at.topic])
    const found = await cluster.offsets([at], LATEST)
    return found.get(keyOf(at))!
  } finally {
    cluster.close()
  }
}

/** Loud, since it is what replication is for. What has no answer may be there or not. */
export function lossNotes({ produced, workload }: WorkloadResult, written: number): string[] {
  const { total, unanswered } = produced!
  const most = total.records + unanswered * workload.produce[0]!.recordsPerBatch
  if (written >= total.records && written <= most) return []
  return [`**${total.records} records were acknowledged, and ${written} are in the log**`]
}
