/**
 * Random legal histories: a small Kafka of its own, with everything that it may do and that looks odd from outside. Producers with and
 * without idempotence, results that nobody learnt, records sent again; a group that rebalances, with commits that fail or come late;
 * seeks; markers between records, retention, compaction.
 */
import { SeededRandom } from '../../src/base/random.ts'
import { completedMs, type Operation, type ProduceOperation, type RecordRun } from './history.ts'

interface Cell {
  readonly producer: string
  readonly number: number
}

interface Log {
  /** By offset; null for a marker, or what is compacted away. */
  readonly cells: (Cell | null)[]
  start: number
  /** Of the group; null before its first commit. */
  committed: number | null
  /** Sent, and not yet there when the client gave up. */
  lateCommits: number[]
}

interface Reader {
  readonly client: string
  readonly group: string | null
  /** By partition; absent where it is not assigned. */
  readonly positions: Map<number, number>
}

interface Writer {
  readonly name: string
  readonly isIdempotent: boolean
  readonly nextNumbers: number[]
}

export const TOPIC = 't'
export const GROUP = 'g'

export interface Generated {
  readonly operations: readonly Operation[]
  /** After everything; what is planted later happens from here on. */
  readonly endMs: number
  readonly isCompacted: boolean
}

export class LegalWorld {
  readonly #random: SeededRandom
  readonly #logs: Log[]
  readonly #writers: Writer[]
  readonly #members: Reader[]
  readonly #solo: Reader = { client: 'solo', group: null, positions: new Map() }
  readonly #operations: Operation[] = []
  readonly #keysPerProducer: number
  readonly #hasRetention: boolean
  #now = 0

  constructor(seed: number) {
    // neighbouring seeds alone would begin alike
    this.#random = new SeededRandom(Math.imul(seed, 0x9e3779b1))
    const random = this.#random
    const logs = 1 + random.below(3)
    this.#logs = Array.from({ length: logs }, () => ({
      ...{ cells: [], start: 0, committed: null, lateCommits: [] },
    }))
    const mode = random.below(3)
    this.#keysPerProducer = mode === 1 ? 1 + random.below(5) : 0
    this.#hasRetention = mode === 2
    this.#writers = Array.from({ length: 2 + random.below(3) }, (_, i) => ({
      name: `p${i}`,
      isIdempotent: i < 2 || random.chance(0.3),
      nextNumbers: this.#logs.map(() => 0),
    }))
    this.#members = Array.from({ length: 1 + random.below(3) }, (_, i) => ({
      ...{ client: `c${i}`, group: GROUP, positions: new Map() },
    }))
  }

  run(steps: number): Generated {
    for (const { name, isIdempotent } of this.#writers) {
      this.#operations.push({ kind: 'producer', client: 'w', producer: name, isIdempotent })
    }
    for (let i = 0; i < this.#logs.length; i++) this.#assign(this.#solo, i, 0)
    this.#rebalance()
    for (let i = 0; i < steps; i++) this.#step()
    this.#readToEnd()
    for (const [partition, log] of this.#logs.entries()) this.#readFinal(partition, log)
    const operations = this.#operations.sort((a, b) => completedMs(a) - completedMs(b))
    // long answers end behind what was begun later
    return { operations, endMs: this.#now + 1_000, isCompacted: this.#keysPerProducer > 0 }
  }

  #step(): void {
    const random = this.#random
    const partition = random.below(this.#logs.length)
    const log = this.#logs[partition]!
    const dice = random.below(100)
    if (dice < 45) this.#produce(partition, log)
    else if (dice < 75) this.#pollSome(random.chance(0.3) ? this.#solo : this.#anyMember())
    else if (dice < 87) this.#commit(this.#anyMember())
    else if (dice < 91) this.#rebalance()
    else if (dice < 94) this.#seek(random.chance(0.6) ? this.#solo : this.#anyMember())
    else if (dice < 96) log.cells.push(null)
    else if (dice < 98 && this.#hasRetention) {
      log.start += random.below(Math.max(1, log.cells.length - log.start))
    } else if (this.#keysPerProducer > 0) this.#compact(log)
  }

  #tick(): number {
    this.#now += 1 + this.#random.below(5)
    return this.#now
  }

  #anyMember(): Reader {
    return this.#members[this.#random.below(this.#members.length)]!
  }

  #produce(partition: number, log: Log): void {
    const random = this.#random
    const writer = this.#writers[random.below(this.#writers.length)]!
    const number = writer.nextNumbers[partition]!
    const count = 1 + random.below(5)
    writer.nextNumbers[partition] = number + count
    const invokeMs = this.#tick()
    const completeMs = invokeMs + 1 + random.below(40)
    const append = (): number => {
      const offset = log.cells.length
      for (let i = 0; i < count; i++) log.cells.push({ producer: writer.name, number: number + i })
      return offset
    }
    const call = { client: 'w', topic: TOPIC, partition, invokeMs, completeMs }
    const records = { producer: writer.name, number, count }
    const write = (attempts: number | null, result: ProduceOperation['result']) =>
      this.#operations.push({ kind: 'produce', ...call, ...records, attempts, result })
    const dice = random.below(100)
    if (dice < 8) write(1, { kind: 'failed', error: 'MESSAGE_TOO_LARGE' })
    else if (dice < 18) {
      if (random.chance(0.6)) append()
      write(random.chance(0.5) ? 1 : null, { kind: 'unknown', error: 'timed out' })
    } else if (dice < 35) {
      // sent again: without idempotence any of the attempts may be there, one at least
      const attempts = 2 + random.below(2)
      let offset = append()
      const copies = writer.isIdempotent ? 1 : 1 + random.below(attempts)
      for (let i = 1; i < copies; i++) {
        if (random.chance(0.5)) log.cells.push(null)
        offset = append()
      }
      write(random.chance(0.8) ? attempts : null, {
        ...{ kind: 'ok', offset: random.chance(0.2) ? null : offset },
      })
    } else write(1, { kind: 'ok', offset: append() })
  }

  #assign(reader: Reader, partition: number, offset: number | null): void {
    const { client, group } = reader
    const place = { topic: TOPIC, partition }
    this.#operations.push({ kind: 'assign', client, group, ...place, offset, atMs: this.#tick() })
    reader.positions.set(partition, offset ?? this.#logs[partition]!.committed ?? 0)
  }

  #rebalance(): void {
    for (const member of this.#members) member.positions.clear()
    for (const [partition, log] of this.#logs.entries()) {
      for (const late of log.lateCommits.splice(0)) {
        if (this.#random.chance(0.5)) log.committed = late
      }
      this.#assign(this.#anyMember(), partition, null)
    }
  }

  #pollSome(reader: Reader): void {
    for (const partition of reader.positions.keys()) {
      if (this.#random.chance(0.7)) this.#poll(reader, partition, 1 + this.#random.below(12))
    }
  }

  /** False when there is nothing more. */
  #poll(reader: Reader, partition: number, countMax: number): boolean {
    const log = this.#logs[partition]!
    const { client, group, positions } = reader
    const from = Math.max(positions.get(partition)!, log.start)
    const runs: RecordRun[] = []
    let offset = from
    for (; offset < log.cells.length && runs.length < countMax; offset++) {
      const cell = log.cells[offset]
      if (cell) runs.push({ offset, ...cell, count: 1 })
    }
    positions.set(partition, offset)
    if (runs.length === 0) return false
    const invokeMs = this.#tick()
    const call = { client, topic: TOPIC, partition, invokeMs, completeMs: this.#tick() }
    this.#operations.push({ kind: 'poll', ...call, group, runs: joined(runs) })
    return true
  }

  #commit(member: Reader): void {
    const random = this.#random
    for (const [partition, offset] of member.positions) {
      if (random.chance(0.3)) continue
      const log = this.#logs[partition]!
      const invokeMs = this.#tick()
      const completeMs = this.#tick()
      const call = { client: member.client, topic: TOPIC, partition, invokeMs, completeMs }
      const commit = { ...call, group: GROUP, offset, isReset: false }
      const write = (result: { kind: 'ok' } | { kind: 'failed' | 'unknown'; error: string }) =>
        this.#operations.push({ kind: 'commit', ...commit, result })
      const dice = random.below(10)
      if (dice < 1) write({ kind: 'failed', error: 'REBALANCE_IN_PROGRESS' })
      else if (dice < 3) {
        write({ kind: 'unknown', error: 'timed out' })
        if (random.chance(0.5)) log.committed = offset
        else log.lateCommits.push(offset)
      } else {
        write({ kind: 'ok' })
        log.committed = offset
      }
    }
  }

  #seek(reader: Reader): void {
    const random = this.#random
    for (const partition of reader.positions.keys()) {
      if (random.chance(0.5)) continue
      const log = this.#logs[partition]!
      const position = log.start + random.below(log.cells.length - log.start + 1)
      const offset = position === log.cells.length && random.chance(0.5) ? null : position
      const { client, group } = reader
      const place = { topic: TOPIC, partition }
      this.#operations.push({ kind: 'seek', client, group, ...place, offset, atMs: this.#tick() })
      reader.positions.set(partition, position)
    }
  }

  /** Leaves the last of each key, and the newest records as they are. */
  #compact(log: Log): void {
    const dirty = log.cells.length - 3
    const seen = new Set<string>()
    for (let offset = log.cells.length - 1; offset >= 0; offset--) {
      const cell = log.cells[offset]
      if (!cell) continue
      const key = `${cell.producer} ${cell.number % this.#keysPerProducer}`
      if (seen.has(key) && offset < dirty) log.cells[offset] = null
      seen.add(key)
    }
  }

  #readToEnd(): void {
    this.#rebalance()
    for (const reader of [...this.#members, this.#solo]) {
      const { client, group } = reader
      for (const partition of reader.positions.keys()) {
        while (this.#poll(reader, partition, 20));
        const offset = this.#logs[partition]!.cells.length
        const place = { topic: TOPIC, partition }
        this.#operations.push({ kind: 'drained', client, group, ...place, from: 0, offset })
      }
    }
  }

  #readFinal(partition: number, log: Log): void {
    const runs: RecordRun[] = []
    for (let offset = log.start; offset < log.cells.length; offset++) {
      const cell = log.cells[offset]
      if (cell) runs.push({ offset, ...cell, count: 1 })
    }
    const bounds = { logStart: log.start, logEnd: log.cells.length }
    const topic = { topic: TOPIC, partition, keysPerProducer: this.#keysPerProducer }
    this.#operations.push({ kind: 'final', ...topic, ...bounds, runs: joined(runs) })
  }
}

/** The same records in as few runs as possible. */
export function joined(runs: readonly RecordRun[]): RecordRun[] {
  const result: RecordRun[] = []
  for (const run of runs) {
    const last = result.at(-1)
    const goesOn =
      last !== undefined &&
      last.producer === run.producer &&
      last.offset + last.count === run.offset &&
      last.number + last.count === run.number
    if (goesOn) result[result.length - 1] = { ...last, count: last.count + run.count }
    else result.push(run)
  }
  return result
}
