/** Asks brokers and the Kafka front what they have counted by topic, for scrapes. HTTP front's thread. */
import type { PartitionStats, TopicStats } from '../admin/topic-metrics.ts'
import type { BrokerId, PartitionIndex } from '../base/ids.ts'
import type { MetadataView, TopicView } from '../image/view.ts'
import { PARTITION_STATS, type TopicStatsAnswer, type TopicStatsRequest } from '../link/control.ts'
import { brokerPeer, type ControlPort, frontPeer, type PeerName } from '../link/ports.ts'
import { CELL, KAFKA_FRONT } from './wiring.ts'

/** Of each in one question: it is answered in one turn. */
const ASKED_AT_ONCE = 64
/** What is not answered by then is left out: Prometheus itself gives up after ten seconds. */
const TIMEOUT_MS = 4_000

interface Row {
  recordsIn: number
  bytesIn: number
  bytesOut: number
  fetches: number
  readonly partitions: PartitionStats[]
}

/** A question and what to do with its answer. */
interface Question {
  readonly request: Omit<TopicStatsRequest, 'kind' | 'correlation'>
  readonly take: (answer: TopicStatsAnswer) => void
}

const UNKNOWN: PartitionStats = {
  logStartOffset: Number.NaN,
  endOffset: Number.NaN,
  sizeBytes: Number.NaN,
}

export class TopicStatsClient {
  readonly #image: MetadataView
  readonly #control: ControlPort
  readonly #waiting = new Map<number, (answer: TopicStatsAnswer) => void>()
  #correlation = 0

  constructor(image: MetadataView, control: ControlPort) {
    this.#image = image
    this.#control = control
  }

  onAnswer(answer: TopicStatsAnswer): void {
    const take = this.#waiting.get(answer.correlation)
    this.#waiting.delete(answer.correlation)
    // none: too late
    take?.(answer)
  }

  /** NaN for what nobody has answered in time. */
  async ask(topics: readonly TopicView[]): Promise<readonly TopicStats[]> {
    const rows = topics.map((topic): Row => {
      const partitions = Array.from({ length: topic.partitionCount }, () => UNKNOWN)
      const { NaN: nothing } = Number
      return { recordsIn: 0, bytesIn: 0, bytesOut: nothing, fetches: nothing, partitions }
    })
    const queues = new Map<PeerName, Question[]>()
    const add = (peer: PeerName, question: Question) =>
      queues.set(peer, [...(queues.get(peer) ?? []), question])
    for (const question of frontQuestions(topics, rows)) add(frontPeer(KAFKA_FRONT), question)
    for (let brokerId = 1; brokerId <= this.#image.brokersPerCell; brokerId++) {
      const peer = brokerPeer(CELL, brokerId as BrokerId)
      const questions = brokerQuestions(this.#image, topics, rows, brokerId)
      queues.set(peer, questions)
    }
    const isOver = new AbortController()
    const timer = setTimeout(() => isOver.abort(), TIMEOUT_MS)
    await Promise.all(
      [...queues].map(([peer, questions]) => this.#askAll(peer, questions, isOver.signal)),
    )
    clearTimeout(timer)
    return rows
  }

  /** One after another: a peer has one of ours at a time. */
  async #askAll(
    peer: PeerName,
    questions: readonly Question[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const { request, take } of questions) {
      if (signal.aborted) return
      const correlation = ++this.#correlation
      await new Promise<void>((resolve) => {
        const giveUp = () => {
          this.#waiting.delete(correlation)
          resolve()
        }
        signal.addEventListener('abort', giveUp, { once: true })
        this.#waiting.set(correlation, (answer) => {
          signal.removeEventListener('abort', giveUp)
          take(answer)
          resolve()
        })
        this.#control.post(peer, { kind: 'topic-stats-request', correlation, ...request })
      })
    }
  }
}

function* slices<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += ASKED_AT_ONCE) yield items.slice(at, at + ASKED_AT_ONCE)
}

/** What the Kafka front has given out. */
function frontQuestions(topics: readonly TopicView[], rows: readonly Row[]): Question[] {
  const places = topics.map((_, at) => at)
  return [...slices(places)].map((slice) => ({
    request: {
      topics: slice.map((at) => topics[at]!.topicId),
      partitions: new Uint32Array(0),
    },
    take: (answer) =>
      slice.forEach((at, i) => {
        rows[at]!.fetches = answer.topics[2 * i]!
        rows[at]!.bytesOut = answer.topics[2 * i + 1]!
      }),
  }))
}

/** What a broker has taken, and the logs that it leads. */
function brokerQuestions(
  image: MetadataView,
  topics: readonly TopicView[],
  rows: readonly Row[],
  brokerId: number,
): Question[] {
  const places = topics.map((_, at) => at)
  const counted = [...slices(places)].map(
    (slice): Question => ({
      request: { topics: slice.map((at) => topics[at]!.topicId), partitions: new Uint32Array(0) },
      take: (answer) =>
        slice.forEach((at, i) => {
          rows[at]!.recordsIn += answer.topics[2 * i]!
          rows[at]!.bytesIn += answer.topics[2 * i + 1]!
        }),
    }),
  )
  const led: { row: Row; index: number; number: number }[] = []
  topics.forEach((topic, at) => {
    for (let index = 0; index < topic.partitionCount; index++) {
      const number = topic.numberOf(index as PartitionIndex)
      if (image.leaderOf(number) === brokerId) led.push({ row: rows[at]!, index, number })
    }
  })
  const measured = [...slices(led)].map(
    (slice): Question => ({
      request: { topics: [], partitions: Uint32Array.from(slice, ({ number }) => number) },
      take: ({ partitions }) =>
        slice.forEach(({ row, index }, i) => {
          row.partitions[index] = statsAt(partitions, i * PARTITION_STATS.length)
        }),
    }),
  )
  return [...counted, ...measured]
}

const statsAt = (values: Float64Array, at: number): PartitionStats => ({
  logStartOffset: values[at]!,
  endOffset: values[at + 1]!,
  sizeBytes: values[at + 2]!,
})
