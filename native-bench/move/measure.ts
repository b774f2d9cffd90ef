/** The same load on a partition that stays and on one that moves to other brokers, by AlterPartitionReassignments. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaClient } from '../../src/kafka-client/client.ts'
import { throwOnError } from '../../src/kafka-client/errors.ts'
import { alterPartitionReassignments } from '../../src/protocol/45-alter-partition-reassignments.ts'
import { listPartitionReassignments } from '../../src/protocol/46-list-partition-reassignments.ts'
import { Cluster, EARLIEST, LATEST } from '../load/cluster.ts'
import { keyOf } from '../load/messages.ts'
import { topicNames } from '../load/plan.ts'
import type { WorkloadResult } from '../load/result.ts'
import { runWorkload } from '../load/run-workload.ts'
import type { Workload } from '../load/workload.ts'
import type { Broker } from '../peers/broker.ts'
import { withClient } from '../peers/cluster.ts'

const ASK_EVERY_MS = 50
const MOVE_TIMEOUT_MS = 1_800_000
const SAY_EVERY_MS = 10_000

export interface MoveFound {
  readonly still: WorkloadResult
  readonly moving: WorkloadResult
  readonly from: readonly number[]
  readonly to: readonly number[]
  /** Of record values, as the move began. */
  readonly bytes: number
  /** From the request until nothing is under way. */
  readonly moveMs: number
  /** What was acknowledged and is not there; null: all of it is. */
  readonly lost: string | null
}

export interface MeasureMoveOptions {
  readonly workload: Workload
  readonly broker: Broker
  readonly brokers: number
  readonly seconds: number
  readonly warmupSeconds: number
  readonly print: (line: string) => void
}

/** Throws where a client gets an error that does not pass, or the move does not end. */
export async function measureMove(options: MeasureMoveOptions): Promise<MoveFound> {
  const { workload, broker, seconds, warmupSeconds, print } = options
  const { bootstrap, pids } = broker
  const run = { bootstrap, pids, warmupSeconds, measureSeconds: seconds }
  const [set] = workload.topics
  print(`writing ${set!.preloadBytes / 1e9} GB, then ${seconds} s without a move`)
  const still = await runWorkload(workload, { ...run, keep: true })
  const topic = topicNames(still.prefix, set!)[0]!
  const recordBytes = workload.produce[0]!.recordBytes
  const bytes = (await recordsOf(bootstrap, topic)) * recordBytes
  let moved = { from: [] as number[], to: [] as number[], moveMs: Number.NaN }
  print(`the same with a move of ${(bytes / 1e9).toFixed(1)} GB`)
  const during = async () => {
    moved = await withClient(bootstrap, (client) => move(client, topic, options))
    print(`moved from ${moved.from} to ${moved.to} in ${(moved.moveMs / 1000).toFixed(1)} s`)
  }
  const moving = await runWorkload(workload, { ...run, prefix: still.prefix, during })
  const preloaded = still.preloaded!.bytes / recordBytes
  const acknowledged = preloaded + still.produced!.total.records + moving.produced!.total.records
  const open =
    (still.produced!.unanswered + moving.produced!.unanswered) *
    workload.produce[0]!.recordsPerBatch
  const written = await recordsOf(bootstrap, topic)
  const isThere = written >= acknowledged && written <= acknowledged + open
  const lost = isThere ? null : `${acknowledged} records were acknowledged, ${written} are there`
  return { still, moving, ...moved, bytes, lost }
}

async function move(
  client: KafkaClient,
  topic: string,
  { brokers, print }: MeasureMoveOptions,
): Promise<{ from: number[]; to: number[]; moveMs: number }> {
  const { topics } = await client.metadata([topic])
  const from = [...topics[0]!.partitions[0]!.replicas]
  const others = Array.from({ length: brokers }, (_, i) => i + 1).filter((id) => !from.includes(id))
  const to = others.slice(0, from.length)
  const startedMs = performance.now()
  const answer = await client.requestAny(alterPartitionReassignments, {
    timeoutMs: 60_000,
    allowReplicationFactorChange: true,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, replicas: to }] }],
  })
  throwOnError(answer.errorCode, 'AlterPartitionReassignments')
  throwOnError(answer.responses[0]!.partitions[0]!.errorCode, `the move of ${topic}`)
  let saidMs = startedMs
  for (;;) {
    const { topics: moving } = await client.requestAny(listPartitionReassignments, {
      timeoutMs: 60_000,
      topics: null,
    })
    const nowMs = performance.now()
    if (moving.length === 0) return { from, to, moveMs: nowMs - startedMs }
    if (nowMs - startedMs > MOVE_TIMEOUT_MS) throw new Error('the move has not ended')
    if (nowMs - saidMs > SAY_EVERY_MS) {
      saidMs = nowMs
      print(`  moving for ${((nowMs - startedMs) / 1000).toFixed(0)} s`)
    }
    await sleep(ASK_EVERY_MS)
  }
}

async function recordsOf(bootstrap: string, topic: string): Promise<number> {
  const cluster = await Cluster.open(bootstrap)
  try {
    const at = { topic, partition: 0 }
    await cluster.waitForLeaders([topic])
    const end = await cluster.offsets([at], LATEST)
    const start = await cluster.offsets([at], EARLIEST)
    return end.get(keyOf(at))! - start.get(keyOf(at))!
  } finally {
    cluster.close()
  }
}
