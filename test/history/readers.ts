/** What the consumers of one partition were given, and where their groups stand: nothing passed over, nothing back, no commit lost. */
import type { Faults } from './faults.ts'
import {
  type AssignOperation,
  type CommitOperation,
  type DrainedOperation,
  describeOperation,
  describeRun,
  type Operation,
  type Place,
  type PollOperation,
  type RecordRun,
  type SeekOperation,
} from './history.ts'
import { IntervalSet } from './intervals.ts'
import type { WrittenCheck } from './written.ts'

/** One consumer between two assignments or seeks. */
interface Reading {
  /** Of the next record; null until it is known. */
  position: number | null
  /** The least offset that the group may begin at; null once it has, or where nothing is known. */
  floor: Standing | null
  /** After a seek to an end: what lies between here and where that is, is passed over on purpose. */
  passedFrom: number | null
  /** For evidence. */
  readonly began: Operation | null
  last: Operation | null
}

/** A commit that may be the group's last one. */
interface Standing {
  readonly offset: number
  /** It counted; otherwise it may have, or only allows a lower one. */
  readonly isCertain: boolean
  /** When it was over; Infinity where its result is unknown, so that it may count at any later time. */
  readonly completeMs: number
  readonly operation: Operation
}

/** A group, or a consumer without one. */
interface GroupState {
  /** What was given to any of its members. */
  readonly given: IntervalSet
  /** Commits of which each may be the last: no other began after it was over. */
  standing: readonly Standing[]
}

/** Below this the group cannot be; null while it may be without any commit. */
const lowest = (standing: readonly Standing[]): Standing | null =>
  standing.some(({ isCertain }) => isCertain)
    ? standing.reduce((least, one) => (one.offset < least.offset ? one : least))
    : null

export class ReaderCheck {
  readonly #place: Place
  readonly #faults: Faults
  readonly #written: WrittenCheck
  readonly #readings = new Map<string, Reading>()
  readonly #groups = new Map<string, GroupState>()
  readonly #drained: DrainedOperation[] = []

  constructor(place: Place, faults: Faults, written: WrittenCheck) {
    this.#place = place
    this.#faults = faults
    this.#written = written
  }

  assigned(operation: AssignOperation): void {
    const { client, group, offset, atMs } = operation
    const state = this.#stateOf(client, group)
    const byGroup = group !== null && offset === null
    if (offset !== null && !state.given.isEmpty) state.given.add(state.given.end, offset)
    this.#readings.set(client, {
      position: offset,
      floor: byGroup ? lowest(state.standing) : null,
      passedFrom: null,
      began: operation,
      last: null,
    })
    if (!byGroup) return
    // what is still under way belongs to an older generation now, and is refused when it comes
    state.standing = state.standing.map((one) =>
      one.completeMs === Infinity ? { ...one, completeMs: atMs } : one,
    )
  }

  sought(operation: SeekOperation): void {
    const { client, group, offset, atMs } = operation
    const state = this.#stateOf(client, group)
    const before = this.#readings.get(client)?.position ?? null
    const passedFrom = before ?? (state.given.isEmpty ? 0 : state.given.end)
    if (offset !== null) state.given.add(passedFrom, offset)
    this.#readings.set(client, {
      position: offset,
      floor: null,
      passedFrom: offset === null ? passedFrom : null,
      began: operation,
      last: null,
    })
    // from here it may commit less than before
    if (group === null) return
    const own = { offset: offset ?? 0, isCertain: false, completeMs: atMs, operation }
    state.standing = [...state.standing, own]
  }

  polled(operation: PollOperation): void {
    const { client, group, runs } = operation
    let reading = this.#readings.get(client)
    if (reading === undefined) {
      reading = { position: null, floor: null, passedFrom: null, began: null, last: null }
      this.#readings.set(client, reading)
    }
    const { given } = this.#stateOf(client, group)
    for (const run of runs) {
      this.#checkPosition(run, reading, operation)
      this.#passTo(run.offset, client, { given })
      reading.floor = null
      given.add(run.offset, run.offset + run.count)
      reading.position = run.offset + run.count
      this.#written.polled(run, operation)
    }
    if (runs.length > 0) reading.last = operation
  }

  committed(operation: CommitOperation): void {
    const { client, group, offset, invokeMs, completeMs, isReset, result } = operation
    if (result.kind === 'failed') return
    const state = this.#stateOf(client, group)
    this.#passTo(offset, client, state)
    const own = { offset, isCertain: result.kind === 'ok', completeMs, operation }
    if (result.kind === 'unknown') {
      state.standing = [...state.standing, { ...own, completeMs: Number.POSITIVE_INFINITY }]
      return
    }
    if (isReset) {
      state.standing = [own]
      return
    }
    const isBefore = (one: Standing) => one.completeMs < invokeMs
    const least = lowest(state.standing.filter((one) => isBefore(one) || !one.isCertain))
    if (least !== null && offset < least.offset) {
      const message = `${group} committed ${offset} after ${least.offset}`
      this.#faults.add(
        'commit-went-back',
        this.#place,
        message,
        [least.operation, operation].map(describeOperation),
      )
    }
    state.standing = [...state.standing.filter((one) => !isBefore(one)), own]
  }

  drained(operation: DrainedOperation): void {
    this.#drained.push(operation)
  }

  /** Where the end was that the client sought. */
  #passTo(offset: number, client: string, { given }: Pick<GroupState, 'given'>): void {
    const reading = this.#readings.get(client)
    if (reading === undefined || reading.passedFrom === null) return
    given.add(reading.passedFrom, offset)
    reading.passedFrom = null
  }

  /** After everything. */
  finish(): void {
    for (const [name, { given }] of this.#groups) {
      if (!given.isEmpty) this.#reportUnseen(name, given, given.start, given.end, [])
    }
    for (const operation of this.#drained) {
      const { client, group, from, offset } = operation
      const { given } = this.#stateOf(client, group)
      this.#passTo(offset, client, { given })
      const name = nameOf(client, group)
      const text = [describeOperation(operation)]
      // what lies between was reported above
      const start = given.isEmpty ? offset : given.start
      this.#reportUnseen(name, given, from, Math.min(start, offset), text)
      if (!given.isEmpty) this.#reportUnseen(name, given, Math.max(given.end, from), offset, text)
    }
  }

  #checkPosition(run: RecordRun, reading: Reading, operation: PollOperation): void {
    const { position, floor } = reading
    const evidence = () =>
      [reading.began, reading.last, operation].map((one) => one && describeOperation(one))
    if (position !== null && run.offset < position) {
      const message = `${operation.client} was given ${describeRun(run)} when it stood at ${position}`
      this.#faults.add('nonmonotonic-poll', this.#place, message, evidence())
    }
    if (position !== null && run.offset > position) {
      let skipped = 0
      let first: RecordRun | null = null
      for (const held of this.#written.final.within(position, run.offset)) {
        first ??= held
        skipped += held.count
      }
      if (first !== null) {
        const message = `${operation.client} went from ${position} to ${run.offset} past ${skipped} records, first ${describeRun({ ...first, count: 1 })}`
        this.#faults.add('unseen-record', this.#place, message, evidence())
      }
    }
    if (floor !== null && run.offset < floor.offset) {
      const message = `${operation.group} began at ${run.offset}, below its commit of ${floor.offset}`
      this.#faults.add('lost-commit', this.#place, message, [
        describeOperation(floor.operation),
        ...evidence(),
      ])
    }
  }

  #reportUnseen(
    name: string,
    given: IntervalSet,
    start: number,
    end: number,
    evidence: readonly string[],
  ): void {
    for (const [holeStart, holeEnd] of given.missing(start, end)) {
      for (const run of this.#written.final.within(holeStart, holeEnd)) {
        const message = `${name} was never given ${describeRun(run)}`
        this.#faults.add('unseen-record', this.#place, message, evidence)
      }
    }
  }

  #stateOf(client: string, group: string | null): GroupState {
    const name = nameOf(client, group)
    let state = this.#groups.get(name)
    if (state === undefined) {
      state = { given: new IntervalSet(), standing: [] }
      this.#groups.set(name, state)
    }
    return state
  }
}

const nameOf = (client: string, group: string | null): string =>
  group === null ? `consumer ${client}` : `group ${group}`
