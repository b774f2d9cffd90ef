/** What was written to one partition, held against its log: lost, twice, out of order, elsewhere, by nobody, despite an error. */
import type { Faults } from './faults.ts'
import {
  describeOperation,
  describeRun,
  type FinalOperation,
  type Place,
  type PollOperation,
  type ProduceOperation,
  type RecordRun,
} from './history.ts'
import { IntervalSet } from './intervals.ts'
import { from, type Names, RunLog } from './run-log.ts'

/** Observations beside the final log that stand unmerged. */
const UNMERGED_MAX = 1 << 16

/** What one producer sent to this partition, by its numbers. */
class Sent {
  readonly all = new IntervalSet()
  readonly failed = new IntervalSet()
  /** More than once, or nobody knows how often. */
  readonly again = new IntervalSet()
  /** How often, where it is known and more than one. */
  readonly attempts = new Map<number, number>()
  /** By class of key, the last record in the log, as its offset and the highest number; null until asked for. */
  newestOfKey: { readonly offsets: Float64Array; readonly numbers: Float64Array } | null = null
}

/** How the log has been walked so far, for one producer. */
interface Walked {
  readonly present: IntervalSet
  readonly copies: Map<number, number>
  highest: RecordRun | null
}

export class WrittenCheck {
  readonly #place: Place
  readonly #faults: Faults
  readonly #names: Names
  readonly #isIdempotent: (producer: string) => boolean
  readonly final: RunLog
  /** What was acknowledged or polled where the final log has nothing any more, and rightly so. */
  #gone: RunLog
  #goneMergedLength = 0
  /** Polled, but not as the final log has it. */
  readonly #strays: RunLog
  readonly #sent = new Map<string, Sent>()
  #logStart = 0
  #logEnd = 0
  #keysPerProducer = 0
  #hasFinal = false

  constructor(place: Place, faults: Faults, names: Names, isIdempotent: (name: string) => boolean) {
    this.#place = place
    this.#faults = faults
    this.#names = names
    this.#isIdempotent = isIdempotent
    this.final = new RunLog(names)
    this.#gone = new RunLog(names)
    this.#strays = new RunLog(names)
  }

  get runsHeld(): number {
    return this.final.length + this.#gone.length + this.#strays.length
  }

  /** All of these before anything else. */
  addFinal(operation: FinalOperation): void {
    const { logStart, logEnd, keysPerProducer, runs } = operation
    if (
      this.#hasFinal &&
      (logStart !== this.#logStart ||
        logEnd !== this.#logEnd ||
        keysPerProducer !== this.#keysPerProducer)
    ) {
      this.#add('malformed', 'two final reads that differ', [describeOperation(operation)])
    }
    this.#hasFinal = true
    this.#logStart = logStart
    this.#logEnd = logEnd
    this.#keysPerProducer = keysPerProducer
    for (const run of runs) {
      const before = this.final.length === 0 ? null : this.final.at(this.final.length - 1)
      const floor = before === null ? logStart : before.offset + before.count
      if (run.offset < floor || run.offset + run.count > logEnd) {
        const message = `the final read has ${describeRun(run)}, not between ${floor} and ${logEnd}`
        this.#add('malformed', message, [])
      } else this.final.add(run)
    }
  }

  produced(operation: ProduceOperation): void {
    const { producer, number, count, attempts, result } = operation
    const sent = this.#sentBy(producer)
    sent.all.add(number, number + count)
    if (attempts !== 1) {
      sent.again.add(number, number + count)
      if (attempts !== null && !this.#isIdempotent(producer)) {
        for (let n = number; n < number + count; n++) sent.attempts.set(n, attempts)
      }
    }
    if (result.kind === 'failed') sent.failed.add(number, number + count)
    if (result.kind !== 'ok') return
    if (result.offset === null) this.#acknowledgedSomewhere(operation)
    else {
      const run = { offset: result.offset, producer, number, count }
      const source = () => this.#names.idOf(`acknowledged to ${producer}`)
      this.#compare(run, source, (record) => this.#acknowledgedButNotThere(record, operation))
    }
  }

  polled(run: RecordRun, operation: PollOperation): void {
    const source = () => this.#names.idOf(`polled by ${operation.client}`)
    this.#compare(run, source, (record) => this.#polledButNotThere(record, source, operation))
  }

  /** After everything. */
  finish(): void {
    if (!this.#hasFinal) {
      this.#add('no-final-read', 'nobody read its log at the end', [])
      return
    }
    this.#mergeGone()
    for (let i = 0; i < this.#strays.length; i++) this.#checkOrigin(this.#strays.at(i))
    this.#walk()
  }

  /** Goes through what is as in the final log in long steps, and gives every other record to `onOther`. */
  #compare(run: RecordRun, source: () => number, onOther: (record: RecordRun) => void): void {
    let rest = run
    while (rest.count > 0) {
      let step = 1
      if (rest.offset < this.#logStart) {
        step = Math.min(rest.count, this.#logStart - rest.offset)
        this.#addGone({ ...rest, count: step }, source())
      } else {
        const held = this.final.find(rest.offset)
        if (held !== null && held.producer === rest.producer && held.number === rest.number) {
          step = Math.min(rest.count, held.count)
        } else onOther({ ...rest, count: 1 })
      }
      rest = from(rest, step)
    }
  }

  #acknowledgedButNotThere(record: RecordRun, operation: ProduceOperation): void {
    if (!this.#hasFinal) return
    const { producer, number, offset } = record
    const elsewhere = this.final.findNumber(producer, number)
    const there = this.final.find(offset)
    const evidence = [describeOperation(operation), this.#thereText(offset, there)]
    if (there === null && this.#isCompactedAway(producer, number, offset)) {
      this.#addGone(record, this.#names.idOf(`acknowledged to ${producer}`))
    } else if (elsewhere !== null) {
      const message = `${producer}/${number} was acknowledged at ${offset} and lies at ${elsewhere.offset}`
      this.#add('inconsistent-offset', message, evidence)
    } else {
      this.#add('lost-write', `${producer}/${number} was acknowledged and is not there`, evidence)
    }
  }

  #acknowledgedSomewhere(operation: ProduceOperation): void {
    if (!this.#hasFinal) return
    const { producer, number, count } = operation
    for (let n = number; n < number + count; ) {
      const there = this.final.findNumber(producer, n)
      if (there !== null) {
        n += there.count
        continue
      }
      if (!this.#isCompactedAway(producer, n, null) && !this.#mayBeDeleted(producer, n)) {
        const message = `${producer}/${n} was acknowledged and is not there`
        this.#add('lost-write', message, [describeOperation(operation)])
      }
      n++
    }
  }

  #polledButNotThere(record: RecordRun, source: () => number, operation: PollOperation): void {
    if (!this.#hasFinal) return
    const { producer, number, offset } = record
    const there = this.final.find(offset)
    const elsewhere = this.final.findNumber(producer, number)
    if (there === null && this.#isCompactedAway(producer, number, offset)) {
      this.#addGone(record, source())
      return
    }
    this.#strays.add(record)
    const evidence = [describeOperation(operation), this.#thereText(offset, there)]
    if (there !== null || elsewhere !== null) {
      const where = elsewhere === null ? 'nowhere' : `at ${elsewhere.offset}`
      const message = `${producer}/${number} was polled at ${offset}, and in the log it is ${where}`
      this.#add('inconsistent-offset', message, evidence)
    }
    if (elsewhere === null) {
      const message = `${producer}/${number} was polled at ${offset} and is not in the log`
      this.#add('uncommitted-read', message, evidence)
    }
  }

  #thereText(offset: number, there: RecordRun | null): string {
    const bounds = `the log ends at ${this.#logEnd}`
    return there === null
      ? `at the end the log holds nothing at ${offset} (${bounds})`
      : `at the end the log holds ${there.producer}/${there.number} at ${offset} (${bounds})`
  }

  /** A later record of the same key is there; later by offset where one is known. */
  #isCompactedAway(producer: string, number: number, offset: number | null): boolean {
    const keys = this.#keysPerProducer
    if (keys === 0) return false
    const sent = this.#sentBy(producer)
    if (sent.newestOfKey === null) {
      const offsets = new Float64Array(keys).fill(-1)
      const numbers = new Float64Array(keys).fill(-1)
      for (let i = 0; i < this.final.length; i++) {
        const run = this.final.at(i)
        if (run.producer !== producer) continue
        const end = run.number + run.count
        for (let n = Math.max(run.number, end - keys); n < end; n++) {
          offsets[n % keys] = run.offset + n - run.number
          numbers[n % keys] = Math.max(numbers[n % keys]!, n)
        }
      }
      sent.newestOfKey = { offsets, numbers }
    }
    const { offsets, numbers } = sent.newestOfKey
    if (offset !== null) return offsets[number % keys]! > offset
    // a producer that sends again may have put an older one last
    return this.#isIdempotent(producer)
      ? numbers[number % keys]! > number
      : numbers[number % keys]! >= 0
  }

  /** Below the log's start, as far as can be told without an offset: no lower number of the producer is there. */
  #mayBeDeleted(producer: string, number: number): boolean {
    if (this.#logStart === 0) return false
    if (!this.#isIdempotent(producer)) return true
    for (let i = 0; i < this.final.length; i++) {
      const run = this.final.at(i)
      if (run.producer === producer) return number < run.number
    }
    return true
  }

  #addGone(run: RecordRun, source: number): void {
    this.#gone.add(run, source)
    if (this.#gone.length > UNMERGED_MAX + 2 * this.#goneMergedLength) this.#mergeGone()
  }

  /** Makes one run of what several told of, and finds where they contradict each other. */
  #mergeGone(): void {
    const sorted = this.#gone.sorted()
    const merged = new RunLog(this.#names)
    let held = null as RecordRun | null
    let heldSource = 0
    for (let i = 0; i < sorted.length; i++) {
      const run = sorted.at(i)
      const overlap: number = held === null ? 0 : held.offset + held.count - run.offset
      if (held !== null && overlap > 0) {
        const isSame: boolean =
          held.producer === run.producer && held.number + (run.offset - held.offset) === run.number
        if (!isSame) {
          const one = `${describeRun(from(held, run.offset - held.offset))}, ${this.#names.nameOf(heldSource)}`
          const other = `${describeRun(run)}, ${this.#names.nameOf(sorted.sourceAt(i))}`
          this.#add('inconsistent-offset', `two records at ${run.offset}`, [one, other])
        }
        if (run.count <= overlap) continue
        if (isSame) {
          held = { ...held, count: held.count + run.count - overlap }
          continue
        }
      }
      if (held !== null) merged.add(held, heldSource)
      held = from(run, Math.max(0, overlap))
      heldSource = sorted.sourceAt(i)
    }
    if (held !== null) merged.add(held, heldSource)
    this.#gone = merged
    this.#goneMergedLength = merged.length
  }

  /** The log with what is gone from it, by offset. */
  *#wholeLog(): Generator<RecordRun> {
    let [i, j] = [0, 0]
    while (i < this.final.length || j < this.#gone.length) {
      const a = i < this.final.length ? this.final.at(i) : null
      const b = j < this.#gone.length ? this.#gone.at(j) : null
      if (b === null || (a !== null && a.offset < b.offset)) {
        yield a!
        i++
      } else {
        yield b
        j++
      }
    }
  }

  #walk(): void {
    const walked = new Map<string, Walked>()
    for (const run of this.#wholeLog()) {
      this.#checkOrigin(run)
      let state = walked.get(run.producer)
      if (state === undefined) {
        state = { present: new IntervalSet(), copies: new Map(), highest: null }
        walked.set(run.producer, state)
      }
      this.#checkCopies(run, state)
      this.#checkOrder(run, state)
      state.present.add(run.number, run.number + run.count)
    }
  }

  #checkOrigin(run: RecordRun): void {
    const { producer, number, count } = run
    const sent = this.#sentBy(producer)
    for (const [start, end] of sent.all.missing(number, number + count)) {
      const message = `${producer}/${start}${end > start + 1 ? `…${end - 1}` : ''} was never sent here`
      this.#add('phantom', message, [describeRun(run)])
    }
    for (const [start] of sent.failed.within(number, number + count)) {
      const message = `${producer}/${start} is there, though its producer was told that it was not written`
      this.#add('failed-but-visible', message, [describeRun(run)])
    }
  }

  #checkCopies(run: RecordRun, state: Walked): void {
    const { producer, number, count } = run
    const sent = this.#sentBy(producer)
    const report = (n: number) => {
      const offset = run.offset + (n - run.number)
      // looking for the others walks the whole log
      const others = this.#faults.keeps('duplicate') ? this.#offsetsOf(producer, n) : []
      const before = others.filter((at) => at !== offset)
      const message = `${producer}/${n} lies at ${before.join(', ')} and at ${offset}`
      this.#add('duplicate', message, [describeRun(run)])
    }
    for (const [start, end] of state.present.within(number, number + count)) {
      if (this.#isIdempotent(producer)) {
        report(start)
        continue
      }
      for (let n = start; n < end; n++) {
        const copies = (state.copies.get(n) ?? 1) + 1
        state.copies.set(n, copies)
        const allowed = sent.again.has(n) ? (sent.attempts.get(n) ?? Number.POSITIVE_INFINITY) : 1
        if (copies > allowed) report(n)
      }
    }
  }

  /** Idempotent producers keep their order whatever happens; others where nothing was sent again. */
  #checkOrder(run: RecordRun, state: Walked): void {
    const { producer, number, count } = run
    const sent = this.#sentBy(producer)
    const isIdempotent = this.#isIdempotent(producer)
    for (const [start, end] of [...state.present.missing(number, number + count)]) {
      const parts = isIdempotent ? [[start, end] as const] : [...sent.again.missing(start, end)]
      for (const [partStart, partEnd] of parts) {
        const part = { ...from(run, partStart - number), count: partEnd - partStart }
        const highest = state.highest
        const last = highest === null ? -1 : highest.number + highest.count - 1
        if (highest !== null && partStart < last) {
          const message = `${producer}/${partStart} lies behind ${producer}/${last}`
          this.#add('reordered', message, [describeRun(highest), describeRun(part)])
        }
        if (partEnd - 1 > last) state.highest = part
      }
    }
  }

  #offsetsOf(producer: string, number: number): number[] {
    const offsets: number[] = []
    for (const run of this.#wholeLog()) {
      if (run.producer === producer && run.number <= number && number < run.number + run.count) {
        offsets.push(run.offset + number - run.number)
      }
    }
    return offsets
  }

  #sentBy(producer: string): Sent {
    let sent = this.#sent.get(producer)
    if (sent === undefined) {
      sent = new Sent()
      this.#sent.set(producer, sent)
    }
    return sent
  }

  #add(kind: Parameters<Faults['add']>[0], message: string, evidence: readonly string[]): void {
    this.#faults.add(kind, this.#place, message, evidence)
  }
}
