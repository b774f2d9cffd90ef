/** What both ways to consume share, by partition and as a member of a group. */
import { recordsOf } from '../kafka-client/batches.ts'
import type { KafkaClient } from '../kafka-client/client.ts'
import type { FetchedPart, Fetcher } from '../kafka-client/fetcher.ts'
import type { ClusterOptions } from './cluster.ts'
import type { OffsetRange } from './offset-range.ts'
import { amountText, type Progress } from './progress.ts'
import type { RecordPrinter } from './record-printer.ts'

export interface ConsumeOptions extends ClusterOptions {
  readonly topic?: readonly string[]
  readonly regex?: boolean
  readonly partitions?: readonly string[]
  readonly partition?: readonly string[]
  readonly offset?: readonly string[]
  readonly exit?: boolean
  readonly follow?: boolean
  readonly num?: string
  readonly count?: string
  readonly format?: string
  readonly keyDelimiter?: string
  readonly delimiter?: string
  readonly null?: boolean
  readonly J?: boolean
  readonly metaOnly?: boolean
  readonly key?: string
  readonly keyRegex?: string
  readonly group?: string
  readonly G?: string
  readonly assignor?: string
  readonly commit: boolean
  readonly readUncommitted?: boolean
  readonly quiet?: boolean
}

/** What the options come to, whichever way is read. */
export interface Consumption {
  readonly client: KafkaClient
  readonly topics: readonly string[]
  readonly range: OffsetRange
  readonly exitsAtEnd: boolean
  /** Where to begin was asked for: a group that has committed goes on from there nevertheless. */
  readonly isOffsetGiven: boolean
  readonly printer: RecordPrinter
  readonly fetcher: Fetcher
  /** Set by the first SIGINT or SIGTERM. */
  readonly stop: { isWanted: boolean }
  readonly progress: Progress
}

export const POLL_MS = 1_000

/** Prints what lies within the bounds; returns the offset behind the last record that was looked at. */
export async function printPart(
  { printer, progress, stop }: Pick<Consumption, 'printer' | 'progress' | 'stop'>,
  part: FetchedPart,
  { printFrom, stopBefore }: { printFrom: number; stopBefore: number | null },
): Promise<number> {
  const startMs = performance.now()
  for await (const records of recordsOf(part)) {
    for (const record of records) {
      if (stopBefore !== null && record.offset >= stopBefore) return record.offset
      if (record.offset < printFrom) continue
      printer.add(record)
      if (printer.isDone) return record.offset + 1
    }
    await printer.writeIfMuch()
    progress.update(() => amountText(printer.seen, printer.bytes, 0))
    // none is left of a batch that was cleaned: where it ends is not told, the next one will do
    const last = records.at(-1)
    if (last === undefined) continue
    if (stop.isWanted && performance.now() - startMs > POLL_MS) return last.offset + 1
  }
  return part.nextOffset
}
