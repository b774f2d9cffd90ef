/** One run under faults, from start to verdict: workloads at full speed, events on the way, then quiet, final read, check and gaps. */
import { join } from 'node:path'
import { checkHistoryFiles, describeReport, type Report } from './check.ts'
import { describeGaps, type GapReport, measureGaps } from './gaps.ts'
import { nowMs } from './history.ts'
import { HistoryWriter, mergeHistories } from './history-file.ts'
import { KafkajsWorkload, recordFinal } from './recorder-kafkajs.ts'
import { LibrdkafkaWorkload } from './recorder-librdkafka.ts'
import { sleep } from './workload.ts'

export interface ChaosOptions {
  readonly bootstrap: string
  /** Must be there, and be nobody else's. */
  readonly topic: string
  readonly partitions: number
  /** Of the histories; must be there. */
  readonly directory: string
  readonly rounds: number
  /** Rounds before those, in which nothing is done: how long clients wait on such a machine anyway. None unless given. */
  readonly calmRounds?: number
  /** Each is done this long after the one before began, or when that is over. The first after as long, and as long quiet at the end. */
  readonly everyMs: number
  /** Does something to the cluster; calls `mark` right before, with a name for it. */
  readonly event: (mark: (name: string) => void, round: number) => Promise<void>
  /** After everything: brings back what is still away. */
  readonly heal?: () => Promise<void>
  readonly kafkajs: boolean
  readonly librdkafka: boolean
  /** Members join and leave on the way. */
  readonly membersComeAndGo?: boolean
  readonly idempotentProducers?: number
  readonly plainProducers?: number
  readonly members?: number
  readonly recordsPerSend?: number
  readonly valueBytes?: number
}

export interface ChaosResult {
  readonly report: Report
  /** Of all clients. */
  readonly gaps: GapReport
  /** Errors that a client gave to its caller instead of trying again. */
  readonly errors: readonly string[]
  /** Of kafkajs consumers, by themselves. */
  readonly restarts: readonly string[]
  readonly paths: readonly string[]
  /** For people: verdict, gaps, errors. */
  readonly summary: string
}

const WARM_UP_MS = 20_000
/** The mark of a round in which nothing is done. */
const CALM = 'nothing'
const isCalm = (name: string) => name === CALM
const isEvent = (name: string) => name !== CALM

class Workloads {
  readonly kafkajs: KafkajsWorkload | null
  readonly librdkafka: LibrdkafkaWorkload | null

  private constructor(kafkajs: KafkajsWorkload | null, librdkafka: LibrdkafkaWorkload | null) {
    this.kafkajs = kafkajs
    this.librdkafka = librdkafka
  }

  static async start(options: ChaosOptions, sink: HistoryWriter): Promise<Workloads> {
    const { bootstrap, topic, partitions, directory } = options
    const { idempotentProducers = 1, plainProducers = 1, members = 2 } = options
    const { recordsPerSend = 20, valueBytes = 100 } = options
    const common = {
      ...{ bootstrap, topic, partitions, idempotentProducers, plainProducers, members, valueBytes },
    }
    const librdkafka = options.librdkafka
      ? await LibrdkafkaWorkload.start({
          ...{ ...common, client: 'rd', group: `${topic}-rd`, directory },
        })
      : null
    const kafkajs = options.kafkajs
      ? await KafkajsWorkload.start({
          ...{ ...common, client: 'js', group: `${topic}-js`, recordsPerSend, sink },
        })
      : null
    return new Workloads(kafkajs, librdkafka)
  }

  get errors(): string[] {
    return [...(this.kafkajs?.errors.list() ?? []), ...(this.librdkafka?.errors ?? [])]
  }

  /** Until all that runs has had a first answer: before that, nothing is at full speed. */
  async warmedUp(): Promise<void> {
    const deadline = nowMs() + WARM_UP_MS
    for (;;) {
      const { kafkajs, librdkafka } = this
      const counts = [kafkajs?.acknowledged ?? 1, (await librdkafka?.acknowledged()) ?? 1]
      if (!counts.includes(0)) return
      if (nowMs() > deadline) throw new Error(`nothing is acknowledged: ${this.errors.join('; ')}`)
      await sleep(20)
    }
  }

  async stopProducing(): Promise<void> {
    await Promise.all([this.kafkajs?.stopProducing(), this.librdkafka?.stopProducing()])
  }

  async drain(ends: readonly number[]): Promise<void> {
    await Promise.all([this.kafkajs?.drain(ends), this.librdkafka?.drain(ends)])
  }
}

/** Rejects when the workloads cannot run, or the log cannot be read at the end; whatever the cluster did wrong is in the result. */
export async function runUnderChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { bootstrap, topic, directory, rounds, everyMs, event } = options
  const ownPath = join(directory, `${topic}.ndjson`)
  const history = new HistoryWriter(ownPath)
  const workloads = await Workloads.start(options, history)
  try {
    const mark = (name: string) => history.write({ kind: 'mark', name, atMs: nowMs() })
    await workloads.warmedUp()
    for (let round = 0; round < (options.calmRounds ?? 0); round++) {
      mark(CALM)
      await sleep(everyMs)
    }
    let beganMs = nowMs()
    // beside the events, since a rebalance may take longer than they are apart
    let membership = Promise.resolve()
    for (let round = 0; round < rounds; round++) {
      await sleep(Math.max(0, beganMs + everyMs - nowMs()))
      beganMs = nowMs()
      if (options.membersComeAndGo) {
        const { kafkajs } = workloads
        membership = membership.then(() =>
          round % 2 === 0 ? kafkajs?.addMember() : kafkajs?.removeMember(),
        )
      }
      await event(mark, round)
    }
    await sleep(everyMs)
    await options.heal?.()
    await membership
    await workloads.stopProducing()
    await workloads.drain(await recordFinal(bootstrap, topic, history))
  } finally {
    workloads.librdkafka?.kill()
  }
  await history.end()
  const paths = [ownPath, ...(workloads.librdkafka?.historyPaths ?? [])]
  const report = await checkHistoryFiles(paths)
  const source = () => mergeHistories(paths)
  const gaps = await measureGaps(source, { windowMs: everyMs, isEvent })
  const byClient: string[] = []
  for (const [client, isThere] of [
    ['js', options.kafkajs],
    ['rd', options.librdkafka],
  ] as const) {
    if (!isThere) continue
    const isClient = (name: string) => name === client
    const name = client === 'js' ? 'kafkajs' : 'librdkafka'
    const own = await measureGaps(source, { windowMs: everyMs, isClient, isEvent })
    byClient.push(describeGaps(`${name}, idempotent`, own.idempotent))
    byClient.push(describeGaps(`${name}, plain`, own.plain))
    if (!options.calmRounds) continue
    const calm = await measureGaps(source, { windowMs: everyMs, isClient, isEvent: isCalm })
    byClient.push(describeGaps(`${name}, idempotent, while nothing is done`, calm.idempotent))
  }
  const { errors } = workloads
  const restarts = workloads.kafkajs?.restarts.list() ?? []
  const summary = [
    describeReport(report),
    ...byClient,
    errors.length === 0 ? 'no client error' : `client errors: ${errors.join('; ')}`,
    ...(restarts.length === 0 ? [] : [`consumers that restarted: ${restarts.join('; ')}`]),
  ].join('\n')
  return { report, gaps, errors, restarts, paths, summary }
}
