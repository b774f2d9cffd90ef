/**
 * Checks a history: finds and names what Kafka must not do, and says which operations show it.
 *
 * It reads the history twice and keeps none of it. Memory, per partition that is being checked: 32 bytes per run of its
 * final log, 28 per run that was seen where the log has nothing any more, and an entry per gap in what was sent and in what was read.
 * A run is a producer's records at consecutive offsets, so the bound is 32 bytes a record where producers alternate record by
 * record, and a batch's worth less otherwise. `partitionsAtATime` bounds how many partitions are in memory, for two more readings each time.
 */
import { describeFault, type Fault, type FaultKind, Faults } from './faults.ts'
import { type Operation, type Place, placeText } from './history.ts'
import { type HistorySource, mergeHistories } from './history-file.ts'
import { ReaderCheck } from './readers.ts'
import { Names } from './run-log.ts'
import { WrittenCheck } from './written.ts'

export interface HistoryCounts {
  readonly operations: number
  /** Records, by what their producer was told. */
  readonly acknowledged: number
  readonly failed: number
  readonly unknown: number
  /** Records, each as often as it was given to a consumer. */
  readonly polled: number
  /** Acknowledged. */
  readonly commits: number
  /** Commits that were refused, or of which nobody knows. */
  readonly commitsNotTold: number
  readonly assignments: number
  readonly seeks: number
  readonly marks: number
  /** In the final log. */
  readonly stored: number
  readonly partitions: number
}

export interface Report {
  /** The first 20 of each kind. */
  readonly faults: readonly Fault[]
  /** Of all faults; only kinds that were found. */
  readonly found: Readonly<Partial<Record<FaultKind, number>>>
  readonly counts: HistoryCounts
  /** The most runs that were held at a time. */
  readonly runsHeldMax: number
}

export interface CheckOptions {
  readonly partitionsAtATime?: number
}

type Counts = { -readonly [K in keyof HistoryCounts]: HistoryCounts[K] }

/** What the first reading gathers. */
class Survey {
  #last: Place | null = null
  readonly places = new Map<string, Place>()
  readonly idempotent = new Map<string, boolean>()
  readonly counts: Counts = {
    ...{ operations: 0, acknowledged: 0, failed: 0, unknown: 0, polled: 0, commits: 0 },
    ...{ commitsNotTold: 0, assignments: 0, seeks: 0, marks: 0, stored: 0, partitions: 0 },
  }

  take(operation: Operation, faults: Faults): void {
    this.#count(operation)
    if ('partition' in operation) this.#addPlace(operation)
    if (operation.kind !== 'producer') return
    const { producer, isIdempotent } = operation
    if (this.idempotent.has(producer)) {
      const place = { topic: '', partition: -1 }
      faults.add('malformed', place, `two producers are called ${producer}`, [])
    }
    this.idempotent.set(producer, isIdempotent)
  }

  #addPlace({ topic, partition }: Place): void {
    if (this.#last?.topic === topic && this.#last.partition === partition) return
    this.#last = { topic, partition }
    const key = placeText(this.#last)
    if (!this.places.has(key)) this.places.set(key, this.#last)
  }

  #count(operation: Operation): void {
    const { counts } = this
    counts.operations++
    switch (operation.kind) {
      case 'produce':
        if (operation.result.kind === 'ok') counts.acknowledged += operation.count
        else counts[operation.result.kind] += operation.count
        return
      case 'poll':
        for (const { count } of operation.runs) counts.polled += count
        return
      case 'final':
        for (const { count } of operation.runs) counts.stored += count
        return
      case 'commit':
        if (operation.result.kind === 'ok') counts.commits++
        else counts.commitsNotTold++
        return
      case 'assign':
        counts.assignments++
        return
      case 'seek':
        counts.seeks++
        return
      case 'mark':
        counts.marks++
        return
      case 'producer':
      case 'drained':
        return
    }
    operation satisfies never
  }
}

class PartitionCheck {
  readonly written: WrittenCheck
  readonly #readers: ReaderCheck
  readonly #place: Place
  readonly #faults: Faults
  readonly #idempotent: ReadonlyMap<string, boolean>
  readonly #undeclared = new Set<string>()

  constructor(place: Place, faults: Faults, names: Names, survey: Survey) {
    this.#place = place
    this.#faults = faults
    this.#idempotent = survey.idempotent
    const isIdempotent = (name: string) => survey.idempotent.get(name) ?? false
    this.written = new WrittenCheck(place, faults, names, isIdempotent)
    this.#readers = new ReaderCheck(place, faults, this.written)
  }

  take(operation: Operation): void {
    switch (operation.kind) {
      case 'produce':
        this.#checkDeclared(operation.producer)
        this.written.produced(operation)
        return
      case 'assign':
        this.#readers.assigned(operation)
        return
      case 'seek':
        this.#readers.sought(operation)
        return
      case 'poll':
        this.#readers.polled(operation)
        return
      case 'commit':
        this.#readers.committed(operation)
        return
      case 'drained':
        this.#readers.drained(operation)
        return
      case 'producer':
      case 'final':
      case 'mark':
        return
    }
    operation satisfies never
  }

  finish(): void {
    this.written.finish()
    this.#readers.finish()
  }

  #checkDeclared(producer: string): void {
    if (this.#idempotent.has(producer) || this.#undeclared.has(producer)) return
    this.#undeclared.add(producer)
    this.#faults.add(
      'malformed',
      this.#place,
      `nothing says what kind of producer ${producer} is`,
      [],
    )
  }
}

/** The partitions that are checked at a time. */
class PartitionChecks {
  readonly #checks = new Map<string, Map<number, PartitionCheck>>()
  readonly #names = new Names()
  readonly #faults: Faults
  readonly #survey: Survey

  constructor(faults: Faults, survey: Survey) {
    this.#faults = faults
    this.#survey = survey
  }

  add({ topic, partition }: Place): PartitionCheck {
    let ofTopic = this.#checks.get(topic)
    if (ofTopic === undefined) this.#checks.set(topic, (ofTopic = new Map()))
    let check = ofTopic.get(partition)
    if (check === undefined) {
      check = new PartitionCheck({ topic, partition }, this.#faults, this.#names, this.#survey)
      ofTopic.set(partition, check)
    }
    return check
  }

  of(operation: Operation): PartitionCheck | undefined {
    if (!('partition' in operation)) return undefined
    return this.#checks.get(operation.topic)?.get(operation.partition)
  }

  /** How many runs were held. */
  finish(): number {
    let runsHeld = 0
    for (const ofTopic of this.#checks.values()) {
      for (const check of ofTopic.values()) {
        runsHeld += check.written.runsHeld
        check.finish()
      }
    }
    return runsHeld
  }
}

export async function checkHistory(
  source: HistorySource,
  { partitionsAtATime = Number.POSITIVE_INFINITY }: CheckOptions = {},
): Promise<Report> {
  const faults = new Faults()
  const survey = new Survey()
  const isAtOnce = partitionsAtATime === Number.POSITIVE_INFINITY
  const all = new PartitionChecks(faults, survey)
  for await (const piece of source()) {
    for (const operation of piece) {
      survey.take(operation, faults)
      if (isAtOnce && operation.kind === 'final') all.add(operation).written.addFinal(operation)
    }
  }
  const places = [...survey.places.values()]
  survey.counts.partitions = places.length
  let runsHeldMax = 0
  for (let at = 0; at < places.length; at += partitionsAtATime) {
    const checks = isAtOnce ? all : new PartitionChecks(faults, survey)
    for (const place of places.slice(at, at + partitionsAtATime)) checks.add(place)
    if (!isAtOnce) {
      for await (const piece of source()) {
        for (const operation of piece) {
          if (operation.kind === 'final') checks.of(operation)?.written.addFinal(operation)
        }
      }
    }
    for await (const piece of source()) {
      for (const operation of piece) checks.of(operation)?.take(operation)
    }
    runsHeldMax = Math.max(runsHeldMax, checks.finish())
  }
  return { faults: faults.kept, found: faults.counts, counts: survey.counts, runsHeldMax }
}

/** The same for what {@link HistoryWriter} wrote: one file per process. */
export const checkHistoryFiles = (
  paths: readonly string[],
  options: CheckOptions = {},
): Promise<Report> => checkHistory(() => mergeHistories(paths), options)

/** For people: what was found, and how much was looked at. */
export function describeReport({ faults, found, counts }: Report): string {
  const looked = Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')
  if (faults.length === 0) return `no fault; ${looked}`
  const kinds = Object.entries(found).map(([kind, count]) => `${count} × ${kind}`)
  return [`${kinds.join(', ')}; ${looked}`, ...faults.map(describeFault)].join('\n')
}
