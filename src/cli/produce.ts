/** `griot produce`: records from standard input, files or the command line. */
import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import type { KafkaClient } from '../kafka-client/client.ts'
import {
  type Acks,
  type BatchResult,
  Producer,
  type ProducerOptions,
  type RecordToSend,
} from '../kafka-client/producer.ts'
import { Codec, type CodecName } from '../record/batch.ts'
import { didYouMean } from '../server/nearest.ts'
import { countOf, type Properties } from './client-properties.ts'
import { type ClusterOptions, parsed, printJsonValue, runOnCluster, spanOf } from './cluster.ts'
import { ExitCode } from './exit-code.ts'
import { explainFailure, FailedError, UsageError } from './failure.ts'
import { parseDelimiter } from './format-text.ts'
import { amountText, Progress } from './progress.ts'
import {
  cutRecords,
  type InputDefaults,
  type ReadRecord,
  readerOfJson,
  readerOfShape,
  shapeOfDelimiters,
  shapeOfFormat,
} from './record-input.ts'
import { unknownTopic } from './topic-names.ts'

export interface ProduceOptions extends ClusterOptions {
  readonly topic?: string
  readonly partition?: string
  readonly key?: string
  readonly value?: string
  readonly header?: readonly string[]
  readonly keyDelimiter?: string
  readonly delimiter?: string
  readonly format?: string
  readonly lines?: boolean
  readonly tombstone?: boolean
  readonly compression?: string
  readonly compressionLevel?: string
  readonly acks?: string
  readonly deliveryTimeout?: string
  readonly autoCreate: boolean
  readonly count?: string
  readonly quiet?: boolean
}

export async function runProduce(
  argument: string | undefined,
  rest: readonly string[],
  options: ProduceOptions,
): Promise<void> {
  await runOnCluster(options, async ({ client, json, properties }) => {
    const topic = options.topic ?? argument ?? null
    const files = options.topic !== undefined && argument !== undefined ? [argument, ...rest] : rest
    const records = recordsOf(topic, files, options)
    const settings = settingsOf(options, properties)
    await requireTopic(client, topic, settings.createTopics === true)
    const tally = new Tally(client, settings)
    const countMax = options.count === undefined ? Infinity : countOf('-c', options.count, 1)
    await tally.sendAll(records, countMax, !(options.quiet ?? false))
    if (json) printJsonValue(tally.summary())
    else if (!options.quiet) console.error(tally.text())
    if (tally.failed > 0) process.exitCode = ExitCode.FAILED
    else if (tally.isInterrupted) process.exitCode = ExitCode.SIGNAL + 2
  })
}

/** A topic that nobody will make is told before anything is read. */
async function requireTopic(
  client: KafkaClient,
  topic: string | null,
  mayCreate: boolean,
): Promise<void> {
  const { topics } = await client.metadata(topic === null ? [] : [topic])
  if (topic === null || topics[0]?.errorCode === 0) return
  if (!mayCreate) throw unknownTopic(topic, (await client.metadata(null)).topics)
}

const CODECS: readonly CodecName[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

function settingsOf(options: ProduceOptions, properties: Properties): ProducerOptions {
  const codecText = options.compression ?? properties.compression ?? 'none'
  const codec = CODECS.find((name) => name === codecText)
  if (codec === undefined) {
    const hint = didYouMean(codecText, CODECS)
    throw new UsageError(`-z ${codecText}: wants one of ${CODECS.join(', ')}${hint}`)
  }
  const level = options.compressionLevel ?? properties.compressionLevel
  const levelOf = (text: string) =>
    codec === 'gzip' || codec === 'zstd'
      ? countOf('--compression-level', text, 1)
      : refuse(`--compression-level: ${codec} has none`)
  const { lingerMs, batchBytes, deliveryTimeoutMs } = properties
  return {
    acks: acksOf(options.acks ?? properties.acks ?? 'all'),
    codec: Codec[codec],
    ...(level === undefined ? {} : { compressionLevel: levelOf(level) }),
    ...(lingerMs === undefined ? {} : { lingerMs: countOf('-X linger.ms', lingerMs) }),
    ...(batchBytes === undefined ? {} : { batchBytes: countOf('-X batch.size', batchBytes, 1) }),
    deliveryTimeoutMs:
      options.deliveryTimeout !== undefined
        ? spanOf('--delivery-timeout', options.deliveryTimeout)
        : countOf('-X delivery.timeout.ms', deliveryTimeoutMs ?? '30000', 1),
    createTopics: options.autoCreate && properties.autoCreate !== 'false',
  }
}

function acksOf(text: string): Acks {
  if (text === 'all' || text === '-1') return 'all'
  if (text === '1') return 1
  if (text === '0') return 0
  return refuse(`--acks ${text}: wants all (-1), 1 or 0`)
}

function refuse(message: string): never {
  throw new UsageError(message)
}

/** Sends, and counts what became of it. */
class Tally {
  readonly #client: KafkaClient
  readonly #settings: ProducerOptions
  readonly #startMs = performance.now()
  readonly #perPartition = new Map<
    string,
    { topic: string; partition: number; records: number; first: number; last: number }
  >()
  /** How many records each reason sank. */
  readonly #reasons = new Map<string, number>()
  #records = 0
  #bytes = 0
  failed = 0
  isInterrupted = false

  constructor(client: KafkaClient, settings: ProducerOptions) {
    this.#client = client
    this.#settings = settings
  }

  async sendAll(
    records: AsyncIterable<RecordToSend>,
    countMax: number,
    shows: boolean,
  ): Promise<void> {
    const progress = new Progress(shows)
    const producer = new Producer(this.#client, {
      ...this.#settings,
      onResult: (result) => {
        this.#add(result)
        progress.update(() => amountText(this.#records, this.#bytes, this.#seconds))
      },
    })
    // what has been read is still sent; a second signal ends at once
    process.once('SIGINT', () => {
      this.isInterrupted = true
      process.stdin.destroy()
    })
    let sent = 0
    let failure: unknown = null
    try {
      for await (const record of records) {
        await producer.send(record)
        if (++sent >= countMax || this.isInterrupted) break
      }
    } catch (error) {
      // the input that was closed above ends in an error of its own
      if (!this.isInterrupted) failure = error
    }
    await producer.flush()
    progress.end()
    for (const [reason, count] of this.#reasons) {
      console.error(`griot: ${count} ${count === 1 ? 'record' : 'records'} failed: ${reason}`)
    }
    if (failure !== null) throw this.#withSent(failure)
    // standard input may still be open
    if (this.isInterrupted || countMax !== Infinity) process.stdin.destroy()
  }

  /** Says what had been sent before the failure, since that stays. */
  #withSent(failure: unknown): unknown {
    if (this.#records === 0 || failure instanceof UsageError) return failure
    return new FailedError(
      `${explainFailure(failure)} (${this.#records} records before it were sent)`,
    )
  }

  #add({ topic, partition, records, baseOffset, error }: BatchResult): void {
    if (error !== null) {
      const reason = explainFailure(error)
      this.failed += records.length
      this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + records.length)
      return
    }
    this.#records += records.length
    for (const { key, value } of records) this.#bytes += (key?.length ?? 0) + (value?.length ?? 0)
    const name = `${topic}\0${partition}`
    const before = this.#perPartition.get(name)
    this.#perPartition.set(name, {
      ...{ topic, partition, records: (before?.records ?? 0) + records.length },
      first: before?.first ?? baseOffset,
      last: baseOffset < 0 ? -1 : baseOffset + records.length - 1,
    })
  }

  get #seconds(): number {
    return (performance.now() - this.#startMs) / 1_000
  }

  text(): string {
    const sent = amountText(this.#records, this.#bytes, this.#seconds)
    return `${this.failed > 0 ? `${this.failed} failed, ` : ''}${sent}`
  }

  summary(): object {
    const partitions = [...this.#perPartition.values()].sort((a, b) =>
      a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
    )
    return {
      ...{ records: this.#records, failed: this.failed, bytes: this.#bytes },
      seconds: Number(this.#seconds.toFixed(3)),
      partitions: partitions.map(({ topic, partition, records, first, last }) => ({
        ...{ topic, partition, records },
        firstOffset: first < 0 ? null : first,
        lastOffset: last < 0 ? null : last,
      })),
      errors: [...this.#reasons].map(([message, records]) => ({ message, records })),
    }
  }
}

/** The records that the options describe; options are checked at once, files are opened when their turn comes. */
function recordsOf(
  topic: string | null,
  files: readonly string[],
  options: ProduceOptions,
): AsyncIterable<RecordToSend> {
  const defaults: InputDefaults = {
    topic,
    partition: options.partition === undefined ? null : countOf('-p', options.partition),
    key: options.key === undefined ? null : Buffer.from(options.key),
    headers: (options.header ?? []).map((text) => headerOf(text)),
    emptyIsNull: options.tombstone ?? false,
  }
  const read = parsed('-f', () => readerFor(defaults, options))
  const knowsTopic = topic !== null || options.format === 'json' || /%t/.test(options.format ?? '')
  if (!knowsTopic) throw new UsageError('a topic is wanted: griot produce TOPIC')
  // a key alone is a tombstone: there is nothing that could be a value
  if (options.value !== undefined) return one(read, Buffer.from(options.value), options)
  if (files.length > 0 && !options.lines) return wholeFiles(files, read)
  const end = endOf(options)
  const inputs = files.length > 0 ? files : ['-']
  return lines(inputs, end, read)
}

function headerOf(text: string): { key: string; value: Buffer | null } {
  const at = text.indexOf('=')
  // kcat: a name alone is a header without a value
  if (at < 0) return { key: text, value: null }
  if (at === 0) throw new UsageError(`-H ${text}: wants NAME=VALUE`)
  return { key: text.slice(0, at), value: Buffer.from(text.slice(at + 1)) }
}

function shapeOf(options: ProduceOptions) {
  const { format, keyDelimiter, delimiter } = options
  if (format !== undefined) {
    if (keyDelimiter !== undefined || delimiter !== undefined) {
      throw new UsageError('-f says how records are cut: -K and -D do not go with it')
    }
    return shapeOfFormat(format)
  }
  return shapeOfDelimiters(
    keyDelimiter === undefined ? null : parsed('-K', () => parseDelimiter(keyDelimiter)),
    delimiter === undefined ? null : parsed('-D', () => parseDelimiter(delimiter)),
  )
}

function readerFor(defaults: InputDefaults, options: ProduceOptions): ReadRecord {
  if (options.format === 'json') return readerOfJson(defaults)
  // a value of the command line, or a whole file, is not cut
  if (options.value !== undefined) {
    return readerOfShape(shapeOfDelimiters(null, null), defaults)
  }
  return readerOfShape(shapeOf(options), defaults)
}

function endOf(options: ProduceOptions): Buffer {
  return options.format === 'json' ? Buffer.from('\n') : shapeOf(options).fields.at(-1)!.end
}

async function* one(
  read: ReadRecord,
  value: Buffer,
  options: ProduceOptions,
): AsyncGenerator<RecordToSend> {
  if (options.format !== undefined) throw new UsageError('--value and -f do not go together')
  yield read(value, 1)
}

async function* wholeFiles(
  files: readonly string[],
  read: ReadRecord,
): AsyncGenerator<RecordToSend> {
  for (const [i, file] of files.entries()) yield read(await readFile(file), i + 1)
}

async function* lines(
  inputs: readonly string[],
  end: Buffer,
  read: ReadRecord,
): AsyncGenerator<RecordToSend> {
  let number = 0
  for (const input of inputs) {
    if (input === '-' && process.stdin.isTTY) {
      console.error('reading records from the terminal, one a line; Ctrl-D ends')
    }
    if (input !== '-' && (await stat(input)).isDirectory()) {
      throw new FailedError(`${input} is a directory`)
    }
    const stream: AsyncIterable<Buffer> =
      input === '-' ? process.stdin : createReadStream(input, { highWaterMark: 1 << 20 })
    for await (const bytes of cutRecords(stream, end)) {
      number++
      yield read(bytes, number)
    }
  }
}
