/**
 * How a replica gives up its log for one that begins at an offset beyond it, so that whenever a process or the power goes away there is
 * the old log or the new one:
 *
 *   0. where the recovery points may say that more is durable than the offset, they say less, and durably; then the log is cut back to it;
 *   1. what the new log begins with is written under names that end in `-restart`, and made durable;
 *   2. the empty file `<offset>.restart` is made, and made durable: from here on nothing below that offset is of this log;
 *   3. the log is opened again: that removes what is below, renames what was prepared, and begins an empty segment.
 *
 * The name stays: it is true as long as the log does not go back. An opening without it removes what was prepared.
 */
import { invariant } from '../base/assert.ts'
import { segmentName } from '../base/paths.ts'
import {
  CONTROL_ENTRIES_SUFFIX,
  type ControlHeader,
  encodeControlHeader,
} from './control-entries-format.ts'
import { type Disk, DiskError } from './disk.ts'
import type { FlushBook } from './flush-book.ts'
import { decodeEpochs, EPOCH_FILE, encodeEpochs } from './leader-epochs.ts'
import type { PartitionLog } from './partition-log.ts'
import { decodeProducerSnapshot } from './producer-snapshot.ts'
import { evenWhenFull } from './retention.ts'

const RESTART = '.restart'
const PREPARED = '-restart'

const MARK = /^(\d{20})\.restart$/
const NUMBERED = /^(\d{20})\./
const SEGMENT = /^\d{20}\.log(\.swap-\d{20})?$/

/** What a log that begins anew begins with. */
export interface RestartWith {
  /** Bytes of a `.snapshot` file, as Kafka writes it: the producers as of the offset. Without it none are known. */
  readonly producers?: Uint8Array
  /** Of the replica's control entries. */
  readonly controls?: ControlHeader
}

/** null: the log is to be abandoned and opened again, and is empty then. Else why it goes on as it was, or takes no appends any more. */
export type RestartDone = (failed: DiskError | null) => void

/** Steps 1 and 2, of a log that is open. On the broker's thread. */
export class LogRestart {
  readonly #log: PartitionLog
  readonly #book: FlushBook
  #isUnderWay = false

  constructor(log: PartitionLog, book: FlushBook) {
    this.#log = log
    this.#book = book
  }

  /** The log takes no appends: they would be dropped. */
  get isUnderWay(): boolean {
    return this.#isUnderWay
  }

  begin(offset: number, given: RestartWith, done: RestartDone): void {
    const log = this.#log
    const { controls, producers } = given
    invariant(!this.#isUnderWay && !log.hasStaged, 'a restart begins with nothing under way')
    invariant(offset > log.logStartOffset, 'a log begins anew beyond its start')
    invariant(
      controls === undefined || controls.startOffset === offset,
      'control entries begin where the log does',
    )
    invariant(
      producers === undefined || decodeProducerSnapshot(producers) !== null,
      'a snapshot of producers that is whole',
    )
    this.#isUnderWay = true
    log.cleaning?.cancel()
    const end = (failed: DiskError | null) => {
      this.#isUnderWay = failed === null
      done(failed)
    }
    const prepare = () => this.#step(end, () => this.#begin(offset, given, end))
    this.#step(end, () => {
      const isToldFirst = log.announceCut(offset, (failed) => {
        if (failed !== null) end(failed)
        else prepare()
      })
      if (!isToldFirst) prepare()
    })
  }

  #begin(offset: number, { controls, producers }: RestartWith, end: RestartDone): void {
    const log = this.#log
    // beyond that offset nothing is committed: left there, it would be part of the new log
    log.truncateTo(offset)
    log.producers.removeSnapshots((at) => at >= offset)
    log.tail.makeDirectory()
    log.tail.markDirty()
    if (producers !== undefined) this.#prepare(segmentName(offset, '.snapshot'), producers)
    if (controls !== undefined) {
      this.#prepare(segmentName(offset, CONTROL_ENTRIES_SUFFIX), encodeControlHeader(controls))
    }
    log.requestFlush((failed) => {
      if (failed !== null || log.closed) end(failed ?? this.#closed())
      else this.#mark(offset, end)
    })
  }

  #prepare(name: string, bytes: Uint8Array): void {
    const path = `${this.#log.directory}/${name}${PREPARED}`
    evenWhenFull(this.#log, () => this.#log.environment.disk.writeFileAtomic(path, bytes))
    this.#book.add(path)
  }

  #mark(offset: number, end: RestartDone): void {
    const log = this.#log
    const path = `${log.directory}/${segmentName(offset, RESTART)}`
    this.#step(end, () => {
      evenWhenFull(log, () => log.environment.disk.open(path, 'append').close())
      this.#book.add(path)
      this.#book.add(log.directory)
      // where that fails the log has failed, and the next opening says which one it is
      log.requestFlush((failed) => end(failed ?? (log.closed ? this.#closed() : null)))
    })
  }

  #step(end: RestartDone, work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      end(error)
    }
  }

  #closed(): DiskError {
    return new DiskError('ECANCELED', this.#log.directory, 'flush')
  }
}

/**
 * Step 3, from wherever it got to: in a directory of these names, which holds nothing that is open. Returns the names that are there
 * afterwards. Throws DiskError.
 */
export function finishRestart(disk: Disk, directory: string, names: readonly string[]): string[] {
  const marks = names.flatMap((name) => MARK.exec(name)?.[1] ?? [])
  const mark = marks.sort().at(-1)
  const prepared = names.filter((name) => name.endsWith(PREPARED))
  if (mark === undefined && prepared.length === 0) return [...names]
  const removable = (name: string) => disk.remove(`${directory}/${name}`)
  if (mark === undefined) {
    prepared.forEach(removable)
    return disk.list(directory)
  }
  const old = names.filter((name) => (NUMBERED.exec(name)?.[1] ?? mark) < mark)
  if (old.length > 0) dropOldEpochs(disk, directory, Number(mark))
  for (const name of prepared) {
    if (!name.startsWith(mark)) continue
    disk.rename(`${directory}/${name}`, `${directory}/${name.slice(0, -PREPARED.length)}`)
  }
  const isLog = (name: string) => SEGMENT.test(name)
  // the logs last, so that no index is ever left without one
  for (const name of old) if (!isLog(name)) removeUnlessGone(disk, `${directory}/${name}`)
  for (const name of old) if (isLog(name)) removeUnlessGone(disk, `${directory}/${name}`)
  const later = prepared.filter((name) => (NUMBERED.exec(name)?.[1] ?? mark) > mark)
  later.forEach(removable)
  if (!names.some((name) => isLog(name) && !old.includes(name))) {
    disk.open(`${directory}/${segmentName(Number(mark), '.log')}`, 'append').close()
  }
  return disk.list(directory)
}

/** Epochs that began before: the new log's begin with its batches. */
function dropOldEpochs(disk: Disk, directory: string, offset: number): void {
  const path = `${directory}/${EPOCH_FILE}`
  const lines = disk.exists(path) ? decodeEpochs(disk.readFile(path)) : null
  if (lines === null) return
  const kept = lines.filter(({ startOffset }) => startOffset >= offset)
  if (kept.length < lines.length) disk.writeFileAtomic(path, encodeEpochs(kept))
}

/** The flusher may be about to remove it, too. */
function removeUnlessGone(disk: Disk, path: string): void {
  try {
    disk.remove(path)
  } catch (error) {
    if (!(error instanceof DiskError) || error.code !== 'ENOENT') throw error
  }
}
