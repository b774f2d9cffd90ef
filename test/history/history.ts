/**
 * What clients saw, as a history: every produce, poll, assignment, seek and commit with the time at which it was asked for and
 * answered, and at the end what the log holds. Times are milliseconds of the machine's monotonic clock, so that processes agree.
 */

/** Where records are: `count` of one producer with consecutive numbers, at consecutive offsets. */
export interface RecordRun {
  readonly offset: number
  readonly producer: string
  readonly number: number
  readonly count: number
}

export interface Place {
  readonly topic: string
  readonly partition: number
}

interface Call {
  readonly client: string
  readonly invokeMs: number
  readonly completeMs: number
}

/** Before the first of its records. A producer that was replaced by a new one (a new producer id) has a new name. */
export interface ProducerOperation {
  readonly kind: 'producer'
  readonly client: string
  readonly producer: string
  /** Kafka's `enable.idempotence`: at most once and in order, whatever is sent again. */
  readonly isIdempotent: boolean
}

export type ProduceResult =
  /** `offset` of the first record; null where the client was not told. */
  | { readonly kind: 'ok'; readonly offset: number | null }
  /** By an error that promises that nothing was written, now or later. */
  | { readonly kind: 'failed'; readonly error: string }
  /** A timeout, a lost connection, the end of the run: may be there, or come to be. */
  | { readonly kind: 'unknown'; readonly error: string }

/** `count` records from `number` on, each with the same result; numbers go up by one within (producer, partition). */
export interface ProduceOperation extends Call, Place {
  readonly kind: 'produce'
  readonly producer: string
  readonly number: number
  readonly count: number
  /** How often the records may have been sent; null where the client does not tell. Idempotent producers may send as they like. */
  readonly attempts: number | null
  readonly result: ProduceResult
}

/** A consumer begins a run of polls: by a rebalance (`group`), or because it was told to (`group` null). */
export interface AssignOperation extends Place {
  readonly kind: 'assign'
  readonly client: string
  readonly group: string | null
  /** Of the first record that it may be given; null where a group's commits or a reset policy decide. */
  readonly offset: number | null
  readonly atMs: number
}

/** A consumer asked to go on at `offset`; null for an end of the log. */
export interface SeekOperation extends Place {
  readonly kind: 'seek'
  readonly client: string
  readonly group: string | null
  readonly offset: number | null
  readonly atMs: number
}

/** What one poll returned of one partition, in the order in which it did. */
export interface PollOperation extends Call, Place {
  readonly kind: 'poll'
  readonly group: string | null
  readonly runs: readonly RecordRun[]
}

export type CommitResult =
  | { readonly kind: 'ok' }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'unknown'; readonly error: string }

export interface CommitOperation extends Call, Place {
  readonly kind: 'commit'
  readonly group: string
  /** Of the next record to be read. */
  readonly offset: number
  /** Set from outside by an administrator, who may go back. */
  readonly isReset: boolean
  readonly result: CommitResult
}

/** After all was quiet: the group (a client where `group` is null) had time enough to read all from `from` up to before `offset`. */
export interface DrainedOperation extends Place {
  readonly kind: 'drained'
  readonly client: string
  readonly group: string | null
  readonly from: number
  readonly offset: number
}

/**
 * What the partition holds after all was quiet; one or more, by ascending offsets. What lies below `logStart` was deleted by
 * retention or an administrator. Records may be missing between runs (markers, compaction).
 */
export interface FinalOperation extends Place {
  readonly kind: 'final'
  readonly logStart: number
  readonly logEnd: number
  /** Above 0: the topic is compacted, and record n of a producer has the key n mod this. */
  readonly keysPerProducer: number
  readonly runs: readonly RecordRun[]
}

/** Something was done to the cluster; see gaps.ts. */
export interface MarkOperation {
  readonly kind: 'mark'
  readonly name: string
  readonly atMs: number
}

export type Operation =
  | ProducerOperation
  | ProduceOperation
  | AssignOperation
  | SeekOperation
  | PollOperation
  | CommitOperation
  | DrainedOperation
  | FinalOperation
  | MarkOperation

/** Milliseconds of a clock that all processes of this machine share and nobody sets. */
export const nowMs = (): number => Number(process.hrtime.bigint() / 10_000n) / 100

/** When the operation was over; −1 for what has no time of its own and holds for the whole history. */
export function completedMs(operation: Operation): number {
  switch (operation.kind) {
    case 'produce':
    case 'poll':
    case 'commit':
      return operation.completeMs
    case 'assign':
    case 'seek':
    case 'mark':
      return operation.atMs
    case 'producer':
    case 'drained':
    case 'final':
      return -1
  }
  return operation satisfies never
}

export const describeRun = ({ producer, number, count, offset }: RecordRun): string =>
  count === 1
    ? `${producer}/${number} at ${offset}`
    : `${producer}/${number}…${number + count - 1} at ${offset}…${offset + count - 1}`

const resultText = (result: ProduceResult | CommitResult): string => {
  if (result.kind !== 'ok') return `${result.kind} (${result.error})`
  return 'offset' in result
    ? `acknowledged at offset ${result.offset ?? 'unknown'}`
    : 'acknowledged'
}

const RUNS_SHOWN = 4

const runsText = (runs: readonly RecordRun[]): string => {
  const shown = runs.slice(0, RUNS_SHOWN).map(describeRun).join(', ')
  return runs.length > RUNS_SHOWN ? `${shown} and ${runs.length - RUNS_SHOWN} more runs` : shown
}

/** One line for people. */
export function describeOperation(operation: Operation): string {
  switch (operation.kind) {
    case 'producer':
      return `${operation.client} begins producer ${operation.producer}${operation.isIdempotent ? ', idempotent' : ''}`
    case 'produce': {
      const { number, count, producer, attempts, result } = operation
      const numbers = count === 1 ? `${number}` : `${number}…${number + count - 1}`
      const tries = attempts === 1 ? '' : `, attempts ${attempts ?? 'unknown'}`
      return `${callText(operation)} produces ${producer}/${numbers}${tries}: ${resultText(result)}`
    }
    case 'assign':
      return `${operation.atMs} ms: ${readerText(operation)} is assigned ${placeText(operation)} from ${operation.offset ?? 'its position'}`
    case 'seek':
      return `${operation.atMs} ms: ${readerText(operation)} seeks in ${placeText(operation)} to ${operation.offset ?? 'an end'}`
    case 'poll':
      return `${callText(operation)} polls ${runsText(operation.runs)}`
    case 'commit': {
      const by = operation.isReset ? 'is set to' : 'commits'
      return `${callText(operation)} ${by} ${operation.offset}: ${resultText(operation.result)}`
    }
    case 'drained':
      return `${readerText(operation)} had time to read ${placeText(operation)} from ${operation.from} to ${operation.offset}`
    case 'final':
      return `the log of ${placeText(operation)} (${operation.logStart} to ${operation.logEnd}) holds ${runsText(operation.runs)}`
    case 'mark':
      return `${operation.atMs} ms: ${operation.name}`
  }
  return operation satisfies never
}

export const placeText = ({ topic, partition }: Place): string => `${topic}-${partition}`

const readerText = ({ client, group }: { client: string; group: string | null }): string =>
  group === null ? client : `${client} (group ${group})`

const callText = (call: Call & Place & { readonly group?: string | null }): string =>
  `${call.invokeMs}…${call.completeMs} ms: ${readerText({ client: call.client, group: call.group ?? null })}, ${placeText(call)},`
