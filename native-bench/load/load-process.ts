/** One load process: does its share of a group's work, and nothing else. Never in the broker's process. */

import { produce } from '../../src/protocol/00-produce.ts'
import { fetch } from '../../src/protocol/01-fetch.ts'
import { Cluster, EARLIEST, LATEST } from './cluster.ts'
import { Consumer } from './consume-connection.ts'
import { ConsumeLoad } from './consume-load.ts'
import { FETCH_VERSION_MAX } from './fetch-frames.ts'
import { type Connect, LoadConnection } from './load-connection.ts'
import type { LoadProducer, ProducerEvents } from './load-producer.ts'
import {
  type ChildResult,
  type Counts,
  type Due,
  type FromChild,
  type Job,
  keyOf,
  type Leader,
  type Times,
  type ToChild,
  type TopicPartition,
} from './messages.ts'
import { buildTemplates, PRODUCE_VERSION_MAX } from './produce-batches.ts'
import { Producer } from './produce-connection.ts'
import { ProduceLoad } from './produce-load.ts'
import { ResendingProducer } from './resending-producer.ts'
import type { ConsumeGroup, ProduceGroup } from './workload.ts'

const TICK_MS = 500

/** A group's part that is connected and waits for its begin. */
interface Prepared {
  begin(times: Times, done: (result: ChildResult) => void): Running
}

interface Running {
  readonly counts: Counts
  finish?(due: Due): void
}

const tell = (message: FromChild): void => void process.send!(message)

function failed(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  if (process.connected) process.send!({ kind: 'failed', message }, () => process.exit(1))
  else process.exit(1)
}

async function prepareProduce(job: Job, group: ProduceGroup, cluster: Cluster): Promise<Prepared> {
  const version = cluster.version(produce, PRODUCE_VERSION_MAX)
  const templates = await buildTemplates(group, job.isStamped || group.idempotence)
  const producers: LoadProducer[] = []
  let load: ProduceLoad | undefined
  for (const share of job.shares) {
    const producerId = group.idempotence ? await cluster.producerId() : null
    const leaderOf = cluster.leaderOf.bind(cluster)
    const options = {
      ...{
        connect: connectOf(job),
        group,
        share,
        version,
        templates,
        isStamped: job.isStamped,
        producerId,
        leaderOf,
      },
    }
    const events: ProducerEvents = {
      onDone: (...done) => load?.answered(...done),
      onFailure: failed,
    }
    producers.push(
      group.retries
        ? await ResendingProducer.open({ ...options, findLeader: leaderFinder(job) }, events)
        : await Producer.open(options, events),
    )
  }
  return {
    begin: (times, done) => {
      load = new ProduceLoad(job, group, producers, times, done)
      load.begin()
      return load
    },
  }
}

const connectOf =
  ({ security }: Job): Connect =>
  (leader, events) =>
    LoadConnection.open(leader, events, security)

/** Asks any broker that it has heard of, with a connection of its own: the one of before may be gone. */
function leaderFinder(job: Job): (at: TopicPartition) => Promise<Leader> {
  let known = job.bootstrap
  return async (at) => {
    const cluster = await Cluster.open(known, { security: job.security })
    try {
      await cluster.waitForLeaders([at.topic])
      known = cluster.brokers
      return cluster.leaderOf(at)
    } finally {
      cluster.close()
    }
  }
}

/** By connections of its own: it is asked for hardly ever, and others are closed by then. */
async function earliestOf(job: Job, partitions: readonly TopicPartition[]) {
  const cluster = await Cluster.open(job.bootstrap, { security: job.security })
  try {
    await cluster.waitForLeaders([...new Set(partitions.map(({ topic }) => topic))])
    return await cluster.offsets(partitions, EARLIEST)
  } finally {
    cluster.close()
  }
}

async function prepareConsume(job: Job, group: ConsumeGroup, cluster: Cluster): Promise<Prepared> {
  const version = cluster.version(fetch, FETCH_VERSION_MAX)
  const all = job.shares.flatMap(({ partitions }) => partitions)
  const offsets = await cluster.offsets(all, group.from === 'end' ? LATEST : EARLIEST)
  const consumers: Consumer[] = []
  let load: ConsumeLoad | undefined
  for (const share of job.shares) {
    const consumer = await Consumer.open(
      {
        ...{
          connect: connectOf(job),
          group,
          share,
          version,
          leaderOf: cluster.leaderOf.bind(cluster),
        },
        offsetOf: (at) => offsets.get(keyOf(at))!,
        earliestOf: (partitions) => earliestOf(job, partitions),
      },
      {
        onFetched: (...fetched) => load?.onFetched(...fetched),
        onBatch: (...batch) => load?.onBatch(...batch),
        onEnd: () => load?.onEnd(),
        onFailure: failed,
      },
    )
    consumers.push(consumer)
  }
  return {
    begin: (times, done) => {
      load = new ConsumeLoad(job, group, consumers, times, done)
      load.begin()
      return load
    },
  }
}

async function prepare(job: Job): Promise<Prepared> {
  const cluster = await Cluster.open(job.bootstrap, { security: job.security })
  const partitions = job.shares.flatMap((share) => share.partitions)
  const topics = [...new Set(partitions.map(({ topic }) => topic))]
  await cluster.waitForLeaders(topics)
  const { group } = job
  const prepared =
    group.kind === 'produce'
      ? await prepareProduce(job, group, cluster)
      : await prepareConsume(job, group, cluster)
  cluster.close()
  return prepared
}

function begin(prepared: Prepared, times: Times): Running {
  const running = prepared.begin(times, (result) => {
    clearInterval(timer)
    process.send!({ kind: 'done', result } satisfies FromChild, () => process.exit(0))
  })
  const timer = setInterval(() => tell({ kind: 'tick', counts: running.counts }), TICK_MS)
  return running
}

let prepared: Promise<Prepared> | undefined
let running: Running | undefined

async function take(message: ToChild): Promise<void> {
  switch (message.kind) {
    case 'job':
      prepared = prepare(message.job)
      await prepared
      tell({ kind: 'ready' })
      return
    case 'start':
      running = begin(await prepared!, message.times)
      return
    case 'finish':
      running?.finish?.(message.due)
      return
    default:
      message satisfies never
  }
}

process.on('message', (message: ToChild) => take(message).catch(failed))
process.on('uncaughtException', failed)
// Ctrl-C goes to the whole group of processes; the reporter ends this one when it has cleaned up
process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit(1))
