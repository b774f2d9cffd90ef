/** `griot consume`: reads partitions, or as a member of a group, and prints records. */
import type { ConsumedRecord } from '../kafka-client/batches.ts'
import { Fetcher } from '../kafka-client/fetcher.ts'
import { type Isolation, keyOf } from '../kafka-client/offsets.ts'
import { countOf, type Properties } from './client-properties.ts'
import { parsed, runOnCluster, type Session } from './cluster.ts'
import { consumeAsGroup } from './consume-group.ts'
import { type PlannedPartition, partitionsOf, planPartitions } from './consume-plan.ts'
import { type ConsumeOptions, type Consumption, POLL_MS, printPart } from './consumption.ts'
import { FailedError, UsageError } from './failure.ts'
import { parseDelimiter } from './format-text.ts'
import { type OffsetRange, parseOffsetRanges } from './offset-range.ts'
import { type PrintRecord, printerFor, printJson } from './output-format.ts'
import { amountText, Progress } from './progress.ts'
import { RecordPrinter } from './record-printer.ts'
import { findTopics } from './topic-names.ts'

export async function runConsume(names: readonly string[], options: ConsumeOptions): Promise<void> {
  const isStream = true
  const { J, metaOnly, format } = options
  const isJson = J || metaOnly || format === 'json'
  const all = isJson ? { ...options, json: true } : options
  await runOnCluster(all, (session) => consume(names, options, session), isStream)
}

async function consume(
  names: readonly string[],
  options: ConsumeOptions,
  { client, json, properties }: Session,
): Promise<void> {
  const wanted = [...(options.topic ?? []), ...names]
  if (wanted.length === 0) throw new UsageError('a topic is wanted: griot consume TOPIC')
  if (options.exit && options.follow) throw new UsageError('-e and --follow do not go together')
  const range = rangeOf(options, properties)
  const printer = new RecordPrinter({
    print: printOf(options, json),
    matches: filterOf(options),
    countMax: countOfOption(options),
  })
  const group = options.group ?? options.G ?? properties.group ?? null
  const numbers = [...(options.partitions ?? []), ...(options.partition ?? [])].map((text) =>
    countOf('-p', text),
  )
  if (group !== null && numbers.length > 0) {
    throw new UsageError('-p does not go with -g: the group says who reads which partition')
  }
  if (group === null && range.from.kind === 'stored') {
    throw new UsageError('-o stored is where a group stands: say which with -g')
  }
  const isolation = isolationOf(options, properties)
  const topics = await findTopics(client, wanted, options.regex ?? false)
  if (topics.length === 0) throw new FailedError('no topic matches')
  const onTrouble = (message: string) => console.error(`griot: ${message}`)
  const consumption: Consumption = {
    ...{ client, range, printer, topics: topics.map(({ name }) => name) },
    exitsAtEnd: options.exit ?? false,
    isOffsetGiven: options.offset !== undefined && range.from.kind !== 'stored',
    fetcher: new Fetcher(client, { isolation, onTrouble, ...fetchLimits(properties) }),
    stop: { isWanted: false },
    progress: new Progress(!options.quiet && process.stdout.isTTY !== true),
  }
  stopOnSignals(consumption)
  const startMs = performance.now()
  try {
    if (group === null) {
      const partitions = partitionsOf(topics, numbers)
      const { exitsAtEnd } = consumption
      await consumePlan(
        consumption,
        await planPartitions(client, partitions, range, exitsAtEnd, isolation),
      )
    } else await consumeAsGroup(consumption, group, options, properties)
  } finally {
    consumption.fetcher.close()
    await printer.flush()
    consumption.progress.end()
  }
  if (options.quiet || printer.isClosed) return
  const seconds = (performance.now() - startMs) / 1_000
  // on a terminal the records themselves have been seen
  if (process.stderr.isTTY) console.error(amountText(printer.printed, printer.bytes, seconds))
}

/** The first signal ends reading after what is in hand; a second one ends the process as it usually does. */
function stopOnSignals({ stop, fetcher }: Consumption): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stop.isWanted = true
      fetcher.close()
    })
  }
}

async function consumePlan(
  consumption: Consumption,
  plan: readonly PlannedPartition[],
): Promise<void> {
  const { fetcher, printer, stop } = consumption
  const open = new Map<string, PlannedPartition>()
  for (const partition of plan) {
    const { stopBefore, fetchFrom } = partition
    if (stopBefore !== null && fetchFrom >= stopBefore) continue
    open.set(keyOf(partition), partition)
    fetcher.assign(partition, fetchFrom)
  }
  while (open.size > 0 && !stop.isWanted && !printer.isDone) {
    const parts = await fetcher.next(POLL_MS)
    if (parts === null) break
    for (const part of parts) {
      const partition = open.get(keyOf(part))
      if (partition === undefined) continue
      await printPart(consumption, part, partition)
      const { stopBefore } = partition
      if (stopBefore !== null && part.nextOffset >= stopBefore) {
        open.delete(keyOf(part))
        fetcher.unassign(part)
      }
      if (printer.isDone || stop.isWanted) break
    }
    await printer.flush()
  }
}

function rangeOf(options: ConsumeOptions, properties: Properties): OffsetRange {
  const { offset } = options
  if (offset !== undefined) return parsed('-o', () => parseOffsetRanges(offset, Date.now()))
  const reset = properties.offsetReset ?? 'start'
  return parsed('-X auto.offset.reset', () => parseOffsetRanges([reset], Date.now()))
}

function countOfOption(options: ConsumeOptions): number {
  const text = options.num ?? options.count
  return text === undefined ? Number.POSITIVE_INFINITY : countOf('-n', text, 1)
}

function printOf(options: ConsumeOptions, json: boolean): PrintRecord {
  const { format, keyDelimiter, delimiter, metaOnly } = options
  const cut = keyDelimiter !== undefined || delimiter !== undefined
  if (format !== undefined && cut) throw new UsageError('-K and -D do not go with -f')
  if (json || metaOnly) {
    if (format !== undefined && format !== 'json') {
      throw new UsageError('-f and --json do not go together')
    }
    return printJson(metaOnly ?? false)
  }
  const nullText = options.null ? 'NULL' : ''
  if (format !== undefined) return parsed('-f', () => printerFor(format, { nullText }))
  const literal = (option: string, text: string) =>
    parsed(option, () => [...parseDelimiter(text)].map((byte) => `\\x${hexOf(byte)}`).join(''))
  const key = keyDelimiter === undefined ? '' : `%k${literal('-K', keyDelimiter)}`
  return printerFor(`${key}%v${delimiter === undefined ? '\\n' : literal('-D', delimiter)}`, {
    nullText,
  })
}

const hexOf = (byte: number): string => byte.toString(16).padStart(2, '0')

function filterOf({ key, keyRegex }: ConsumeOptions): (record: ConsumedRecord) => boolean {
  if (key !== undefined && keyRegex !== undefined) {
    throw new UsageError('--key and --key-regex do not go together')
  }
  if (key !== undefined) {
    const wanted = Buffer.from(key)
    return (record) => record.key !== null && wanted.equals(record.key)
  }
  if (keyRegex !== undefined) {
    const regex = parsed('--key-regex', () => new RegExp(keyRegex))
    const text = (bytes: Uint8Array) =>
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
    return (record) => record.key !== null && regex.test(text(record.key))
  }
  return () => true
}

function isolationOf(options: ConsumeOptions, properties: Properties): Isolation {
  const text = options.readUncommitted
    ? 'read_uncommitted'
    : (properties.isolation ?? 'read_committed')
  if (text !== 'read_committed' && text !== 'read_uncommitted') {
    throw new UsageError(`-X isolation.level=${text}: wants read_committed or read_uncommitted`)
  }
  return text
}

function fetchLimits({ fetchBytesMax, fetchWaitMs }: Properties) {
  return {
    ...(fetchBytesMax === undefined
      ? {}
      : { bytesMax: countOf('-X fetch.max.bytes', fetchBytesMax, 1) }),
    ...(fetchWaitMs === undefined
      ? {}
      : { maxWaitMs: countOf('-X fetch.max.wait.ms', fetchWaitMs) }),
  }
}
