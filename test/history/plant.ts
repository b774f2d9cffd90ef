/** Faults, planted into legal histories one at a time: what a broken cluster would have left there. */
import { SeededRandom } from '../../src/base/random.ts'
import type { FaultKind } from './faults.ts'
import { type Generated, GROUP, joined, TOPIC } from './generate.ts'
import {
  completedMs,
  type FinalOperation,
  type Operation,
  type PollOperation,
  type ProduceOperation,
  type RecordRun,
} from './history.ts'

/** What a planter may look at: the history with every record on its own. */
class Site {
  readonly random: SeededRandom
  readonly endMs: number
  readonly isCompacted: boolean
  operations: Operation[]
  readonly idempotent: ReadonlySet<string>

  constructor({ operations, endMs, isCompacted }: Generated, seed: number) {
    this.random = new SeededRandom(Math.imul(seed ^ 0x5eed, 0x9e3779b1))
    this.endMs = endMs
    this.isCompacted = isCompacted
    this.operations = operations.flatMap(explode)
    this.idempotent = new Set(
      operations.flatMap((o) => (o.kind === 'producer' && o.isIdempotent ? [o.producer] : [])),
    )
  }

  finals(): FinalOperation[] {
    return this.operations.filter((o) => o.kind === 'final')
  }

  produces(): ProduceOperation[] {
    return this.operations.filter((o) => o.kind === 'produce')
  }

  polls(): PollOperation[] {
    return this.operations.filter((o) => o.kind === 'poll')
  }

  finalOf(partition: number): FinalOperation {
    return this.finals().find((final) => final.partition === partition)!
  }

  replace(old: Operation, ...by: Operation[]): void {
    this.operations.splice(this.operations.indexOf(old), 1, ...by)
  }

  pick<T>(values: readonly T[]): T | null {
    return values.length === 0 ? null : values[this.random.below(values.length)]!
  }

  /** Puts the record where the log ends. */
  append(final: FinalOperation, producer: string, number: number): void {
    const run = { offset: final.logEnd, producer, number, count: 1 }
    this.replace(final, { ...final, logEnd: final.logEnd + 1, runs: [...final.runs, run] })
  }
}

const single = (runs: readonly RecordRun[]): RecordRun[] =>
  runs.flatMap(({ offset, producer, number, count }) =>
    Array.from({ length: count }, (_, i) => ({
      offset: offset + i,
      producer,
      number: number + i,
      count: 1,
    })),
  )

function explode(o: Operation): Operation[] {
  if (o.kind === 'poll' || o.kind === 'final') return [{ ...o, runs: single(o.runs) }]
  if (o.kind !== 'produce') return [o]
  return Array.from({ length: o.count }, (_, i) => {
    const { result } = o
    const own =
      result.kind === 'ok' && result.offset !== null
        ? { kind: 'ok' as const, offset: result.offset + i }
        : result
    return { ...o, number: o.number + i, count: 1, result: own }
  })
}

const isIn = (
  runs: readonly RecordRun[],
  producer: string,
  number: number,
): RecordRun | undefined => runs.find((run) => run.producer === producer && run.number === number)

/** Acknowledged with an offset that the final log has. */
const kept = (site: Site): (ProduceOperation & { result: { kind: 'ok'; offset: number } })[] =>
  site.produces().filter(({ partition, producer, number, result }) => {
    if (result.kind !== 'ok' || result.offset === null) return false
    const there = site
      .finalOf(partition)
      .runs.filter((run) => run.producer === producer && run.number === number)
    return there.length === 1 && there[0]!.offset === result.offset
  }) as never

/** Changes the history; false where there is nothing to change. */
type Planter = (site: Site) => boolean

const loseOne: Planter = (site) => {
  const victim = site.pick(kept(site))
  if (victim === null || site.isCompacted) return false
  const final = site.finalOf(victim.partition)
  const runs = final.runs.filter((run) => run.offset !== victim.result.offset)
  site.replace(final, { ...final, runs })
  return true
}

const loseTail: Planter = (site) => {
  const victim = site.pick(kept(site))
  if (victim === null || site.isCompacted) return false
  const final = site.finalOf(victim.partition)
  const logEnd = victim.result.offset
  const runs = final.runs.filter((run) => run.offset < logEnd)
  site.replace(final, { ...final, logEnd, runs })
  return true
}

const duplicateIdempotent: Planter = (site) => {
  const final = site.pick(site.finals())!
  const run = site.pick(final.runs.filter(({ producer }) => site.idempotent.has(producer)))
  if (run === null) return false
  site.append(final, run.producer, run.number)
  return true
}

/** One more than it was sent. */
const duplicatePlain: Planter = (site) => {
  const victim = site.pick(
    site
      .produces()
      .filter(
        (o) => !site.idempotent.has(o.producer) && o.attempts !== null && o.result.kind === 'ok',
      ),
  )
  if (victim === null) return false
  for (let copies = 0; copies <= victim.attempts!; copies++) {
    site.append(site.finalOf(victim.partition), victim.producer, victim.number)
  }
  return true
}

/** Two records of one producer change places, for everybody. */
const swap: Planter = (site) => {
  if (site.isCompacted) return false
  const final = site.pick(site.finals())!
  const first = site.pick(final.runs.filter(({ producer }) => site.idempotent.has(producer)))
  if (first === null) return false
  const second = final.runs.find(
    (run) => run.producer === first.producer && run.number > first.number,
  )
  if (second === undefined) return false
  const other = new Map([
    [first.offset, second.number],
    [second.offset, first.number],
  ])
  const swapped = (runs: readonly RecordRun[]) =>
    runs.map((run) => ({ ...run, number: other.get(run.offset) ?? run.number }))
  site.operations = site.operations.map((o): Operation => {
    if (!('partition' in o) || o.partition !== final.partition) return o
    if (o.kind === 'final' || o.kind === 'poll') return { ...o, runs: swapped(o.runs) }
    if (o.kind !== 'produce' || o.producer !== first.producer) return o
    if (o.result.kind !== 'ok' || o.result.offset === null) return o
    const offset =
      o.number === first.number
        ? second.offset
        : o.number === second.number
          ? first.offset
          : o.result.offset
    return { ...o, result: { kind: 'ok', offset } }
  })
  return true
}

const acknowledgeElsewhere: Planter = (site) => {
  const victim = site.pick(kept(site))
  if (victim === null) return false
  const offset = victim.result.offset + 1 + site.random.below(3)
  // on a compacted topic nobody can tell, when a later record has the key
  if (site.isCompacted && !site.finalOf(victim.partition).runs.some((run) => run.offset === offset))
    return false
  site.replace(victim, { ...victim, result: { kind: 'ok', offset } })
  return true
}

const pollAnother: Planter = (site) => {
  const poll = site.pick(site.polls())
  if (poll === null) return false
  const final = site.finalOf(poll.partition)
  const at = site.random.below(poll.runs.length)
  const run = poll.runs[at]!
  const other = site.pick(final.runs.filter(({ offset }) => offset !== run.offset))
  if (other === null || !final.runs.some(({ offset }) => offset === run.offset)) return false
  const { producer, number } = other
  if (producer === run.producer && number === run.number) return false
  site.replace(poll, { ...poll, runs: poll.runs.with(at, { ...run, producer, number }) })
  return true
}

const skipOne: Planter = (site) => {
  const poll = site.pick(site.polls().filter(({ runs }) => runs.length > 2))
  if (poll === null) return false
  const at = 1 + site.random.below(poll.runs.length - 2)
  const { offset } = poll.runs[at]!
  if (!site.finalOf(poll.partition).runs.some((run) => run.offset === offset)) return false
  site.replace(poll, { ...poll, runs: poll.runs.toSpliced(at, 1) })
  return true
}

/** Nobody of the group is ever given the last record. */
const keepBack: Planter = (site) => {
  const final = site.pick(site.finals())!
  const last = final.runs.at(-1)
  const seeks = site.operations.some((o) => o.kind === 'seek' && o.group === GROUP)
  if (last === undefined || seeks) return false
  for (const poll of site.polls()) {
    if (poll.partition !== final.partition || poll.group !== GROUP) continue
    const runs = poll.runs.filter(({ offset }) => offset !== last.offset)
    site.replace(poll, { ...poll, runs })
  }
  return true
}

const goBack: Planter = (site) => {
  const poll = site.pick(site.polls().filter(({ runs }) => runs.length > 1))
  if (poll === null) return false
  const again = poll.runs[site.random.below(poll.runs.length)]!
  site.replace(poll, { ...poll, runs: [...poll.runs, again] })
  return true
}

const deliverTwice: Planter = (site) => {
  const poll = site.pick(site.polls())
  if (poll === null) return false
  site.replace(poll, poll, { ...poll })
  return true
}

/** The group commits, rebalances, and begins anew below. */
const forgetCommit: Planter = (site) => {
  const final = site.pick(site.finals())!
  const run = site.pick(final.runs)
  if (run === null) return false
  const { partition } = final
  const place = { topic: TOPIC, partition }
  const at = site.endMs
  const call = { client: 'c0', group: GROUP, ...place }
  const commit = { invokeMs: at + 1, completeMs: at + 2, offset: run.offset + 1, isReset: false }
  site.operations.push(
    { kind: 'commit', ...call, ...commit, result: { kind: 'ok' } },
    { kind: 'assign', ...call, offset: null, atMs: at + 3 },
    { kind: 'poll', ...call, invokeMs: at + 4, completeMs: at + 5, runs: [run] },
  )
  return true
}

const commitBack: Planter = (site) => {
  const final = site.pick(site.finals())!
  if (final.logEnd === 0) return false
  const call = { client: 'c0', group: GROUP, topic: TOPIC, partition: final.partition }
  const at = site.endMs
  const commit = (offset: number, invokeMs: number): Operation => ({
    ...{ kind: 'commit', ...call, offset, isReset: false },
    ...{ invokeMs, completeMs: invokeMs + 1, result: { kind: 'ok' } },
  })
  site.operations.push(
    commit(final.logEnd, at + 1),
    commit(site.random.below(final.logEnd), at + 3),
  )
  return true
}

/** A reader is shown a record that is then not kept. */
const showUncommitted: Planter = (site) => {
  const victim = site.pick(
    site
      .produces()
      .filter(
        (o) =>
          o.result.kind === 'unknown' &&
          !isIn(site.finalOf(o.partition).runs, o.producer, o.number),
      ),
  )
  if (victim === null) return false
  const { partition, producer, number } = victim
  const final = site.finalOf(partition)
  const place = { topic: TOPIC, partition }
  const call = { client: 'late', ...place, invokeMs: site.endMs, completeMs: site.endMs + 1 }
  const run = { offset: final.logEnd, producer, number, count: 1 }
  site.operations.push({ kind: 'poll', ...call, group: null, runs: [run] })
  return true
}

const addForeign: Planter = (site) => {
  const final = site.pick(site.finals())!
  site.append(final, site.random.chance(0.5) ? 'p0' : 'nobody', 1_000_000)
  return true
}

const keepFailed: Planter = (site) => {
  const victim = site.pick(site.produces().filter(({ result }) => result.kind === 'failed'))
  if (victim === null) return false
  site.append(site.finalOf(victim.partition), victim.producer, victim.number)
  return true
}

const forgetFinal: Planter = (site) => {
  const final = site.pick(site.finals())!
  site.replace(final)
  return site.operations.some((o) => 'partition' in o && o.partition === final.partition)
}

export const PLANTS: readonly {
  readonly name: string
  readonly kind: FaultKind
  readonly plant: Planter
}[] = [
  { name: 'an acknowledged record is gone', kind: 'lost-write', plant: loseOne },
  { name: 'the log lost its tail', kind: 'lost-write', plant: loseTail },
  { name: 'an idempotent record is there twice', kind: 'duplicate', plant: duplicateIdempotent },
  {
    name: 'a record is there more often than it was sent',
    kind: 'duplicate',
    plant: duplicatePlain,
  },
  { name: 'two records changed places', kind: 'reordered', plant: swap },
  {
    name: 'acknowledged at another offset',
    kind: 'inconsistent-offset',
    plant: acknowledgeElsewhere,
  },
  { name: 'polled at another offset', kind: 'inconsistent-offset', plant: pollAnother },
  { name: 'a poll passes over a record', kind: 'unseen-record', plant: skipOne },
  { name: 'a group is never given the last record', kind: 'unseen-record', plant: keepBack },
  { name: 'a poll goes back', kind: 'nonmonotonic-poll', plant: goBack },
  { name: 'a poll is delivered twice', kind: 'nonmonotonic-poll', plant: deliverTwice },
  { name: 'a commit is forgotten', kind: 'lost-commit', plant: forgetCommit },
  { name: 'a commit of an old member is accepted', kind: 'commit-went-back', plant: commitBack },
  { name: 'an uncommitted record is shown', kind: 'uncommitted-read', plant: showUncommitted },
  { name: 'a record that nobody wrote', kind: 'phantom', plant: addForeign },
  { name: 'a refused record is kept', kind: 'failed-but-visible', plant: keepFailed },
  { name: 'nobody reads the log at the end', kind: 'no-final-read', plant: forgetFinal },
]

/** The history with the fault in it, by time; null where it has no place for it. */
export function planted(
  history: Generated,
  seed: number,
  plant: Planter,
): readonly Operation[] | null {
  const site = new Site(history, seed)
  if (!plant(site)) return null
  return site.operations
    .map((o) => (o.kind === 'poll' || o.kind === 'final' ? { ...o, runs: joined(o.runs) } : o))
    .sort((a, b) => completedMs(a) - completedMs(b))
}
