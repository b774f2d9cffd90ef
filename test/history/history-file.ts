/**
 * Histories on disk: one operation a line, as a JSON array that begins with a letter for its kind, after a first line that names
 * the version. Every process writes a file of its own; {@link mergeHistories} reads them as one, by time of completion.
 */
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs'
import { completedMs, type Operation, type RecordRun } from './history.ts'

const VERSION_LINE = '{"history":1}'
/** Standing in memory before the writer asks its callers to wait. */
const BUFFERED_BYTES_MAX = 8 << 20
/** Read at a time, of each file. */
const CHUNK_BYTES = 1 << 19

const packRuns = (runs: readonly RecordRun[]): unknown[] =>
  runs.flatMap(({ offset, producer, number, count }) => [offset, producer, number, count])

/** As a line, without its end. */
export function encodeOperation(o: Operation): string {
  return JSON.stringify(pack(o))
}

function pack(o: Operation): readonly unknown[] {
  switch (o.kind) {
    case 'producer':
      return ['P', o.client, o.producer, o.isIdempotent ? 1 : 0]
    case 'produce': {
      const head = ['p', o.client, o.topic, o.partition, o.invokeMs, o.completeMs, o.producer]
      const { result } = o
      const told = result.kind === 'ok' ? result.offset : result.error
      return [...head, o.number, o.count, o.attempts, result.kind, told]
    }
    case 'assign':
      return ['a', o.client, o.topic, o.partition, o.group, o.offset, o.atMs]
    case 'seek':
      return ['s', o.client, o.topic, o.partition, o.group, o.offset, o.atMs]
    case 'poll': {
      const head = ['r', o.client, o.topic, o.partition, o.invokeMs, o.completeMs, o.group]
      return [...head, ...packRuns(o.runs)]
    }
    case 'commit': {
      const head = ['c', o.client, o.topic, o.partition, o.invokeMs, o.completeMs, o.group]
      const error = o.result.kind === 'ok' ? null : o.result.error
      return [...head, o.offset, o.isReset ? 1 : 0, o.result.kind, error]
    }
    case 'drained':
      return ['d', o.client, o.topic, o.partition, o.group, o.from, o.offset]
    case 'final': {
      const head = ['f', o.topic, o.partition, o.logStart, o.logEnd, o.keysPerProducer]
      return [...head, ...packRuns(o.runs)]
    }
    case 'mark':
      return ['m', o.name, o.atMs]
  }
  return o satisfies never
}

type Json = string | number | null

class Fields {
  readonly #values: readonly Json[]
  #at = 1

  constructor(values: readonly Json[]) {
    this.#values = values
  }

  text(): string {
    const value = this.#values[this.#at++]
    if (typeof value !== 'string') throw new Error(`field ${this.#at - 1} is not a text`)
    return value
  }

  textOrNull(): string | null {
    if (this.#values[this.#at] !== null) return this.text()
    this.#at++
    return null
  }

  number(): number {
    const value = this.#values[this.#at++]
    if (typeof value !== 'number') throw new Error(`field ${this.#at - 1} is not a number`)
    return value
  }

  numberOrNull(): number | null {
    if (this.#values[this.#at] !== null) return this.number()
    this.#at++
    return null
  }

  runs(): RecordRun[] {
    const runs: RecordRun[] = []
    while (this.#at < this.#values.length) {
      const [offset, producer] = [this.number(), this.text()]
      runs.push({ offset, producer, number: this.number(), count: this.number() })
    }
    return runs
  }
}

const kindOf = (text: string): 'ok' | 'failed' | 'unknown' => {
  if (text === 'ok' || text === 'failed' || text === 'unknown') return text
  throw new Error(`no result is called ${text}`)
}

/** Throws an Error that says what is wrong with the line. */
export function decodeOperation(line: string): Operation {
  const values = JSON.parse(line) as readonly Json[]
  if (!Array.isArray(values)) throw new Error('not an array')
  const f = new Fields(values)
  const letter = values[0]
  if (letter === 'P') {
    const [client, producer] = [f.text(), f.text()]
    return { kind: 'producer', client, producer, isIdempotent: f.number() === 1 }
  }
  if (letter === 'm') return { kind: 'mark', name: f.text(), atMs: f.number() }
  if (letter === 'f') {
    const place = { topic: f.text(), partition: f.number() }
    const bounds = { logStart: f.number(), logEnd: f.number(), keysPerProducer: f.number() }
    return { kind: 'final', ...place, ...bounds, runs: f.runs() }
  }
  const where = { client: f.text(), topic: f.text(), partition: f.number() }
  if (letter === 'a' || letter === 's') {
    const rest = { group: f.textOrNull(), offset: f.numberOrNull(), atMs: f.number() }
    return { kind: letter === 'a' ? 'assign' : 'seek', ...where, ...rest }
  }
  if (letter === 'd') {
    return {
      ...{ kind: 'drained', ...where },
      ...{ group: f.textOrNull(), from: f.number(), offset: f.number() },
    }
  }
  return decodeCall(letter, f, { ...where, invokeMs: f.number(), completeMs: f.number() })
}

interface CallHead {
  readonly client: string
  readonly topic: string
  readonly partition: number
  readonly invokeMs: number
  readonly completeMs: number
}

function decodeCall(letter: Json | undefined, f: Fields, call: CallHead): Operation {
  if (letter === 'p') {
    const head = { producer: f.text(), number: f.number(), count: f.number() }
    const attempts = f.numberOrNull()
    const kind = kindOf(f.text())
    const result = kind === 'ok' ? { kind, offset: f.numberOrNull() } : { kind, error: f.text() }
    return { kind: 'produce', ...call, ...head, attempts, result }
  }
  if (letter === 'r') {
    return { kind: 'poll', ...call, group: f.textOrNull(), runs: f.runs() }
  }
  if (letter === 'c') {
    const head = { group: f.text(), offset: f.number(), isReset: f.number() === 1 }
    const kind = kindOf(f.text())
    return {
      ...{ kind: 'commit', ...call, ...head },
      result: kind === 'ok' ? { kind } : { kind, error: f.text() },
    }
  }
  throw new Error(`no operation begins with ${JSON.stringify(letter)}`)
}

/** Whoever takes operations as they are over. */
export interface HistorySink {
  write(operation: Operation): void
}

/** Appends operations to a file. Operations of one client are written in the order in which they were over. */
export class HistoryWriter implements HistorySink {
  readonly #stream: WriteStream
  #error: Error | null = null
  operations = 0

  constructor(path: string) {
    this.#stream = createWriteStream(path)
    this.#stream.on('error', (error) => (this.#error = error))
    this.#stream.write(`${VERSION_LINE}\n`)
  }

  /** Throws once the file cannot be written any more. */
  write(operation: Operation): void {
    if (this.#error !== null) throw this.#error
    this.operations++
    this.#stream.write(`${encodeOperation(operation)}\n`)
  }

  /** True: more would only pile up in memory; wait for {@link drained}. */
  get isFull(): boolean {
    return this.#stream.writableLength > BUFFERED_BYTES_MAX
  }

  async drained(): Promise<void> {
    while (this.isFull && this.#error === null) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** Resolves when all of it is in the file. */
  end(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#error !== null) return reject(this.#error)
      this.#stream.on('error', reject)
      this.#stream.end(resolve)
    })
  }
}

/** Where a history comes from, in pieces; read more than once by whoever checks it. */
export type HistorySource = () =>
  | AsyncIterable<readonly Operation[]>
  | Iterable<readonly Operation[]>

/**
 * The operations of one file, in its order and in pieces. Throws an Error that names file and line where it is not a history. A last
 * line without its end, as a killed process leaves it, is left out.
 */
export async function* readHistory(path: string): AsyncGenerator<readonly Operation[]> {
  let atLine = 0
  let rest = ''
  const stream = createReadStream(path, { encoding: 'utf8', highWaterMark: CHUNK_BYTES })
  for await (const chunk of stream) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop()!
    const operations: Operation[] = []
    for (const line of lines) {
      if (++atLine > 1) operations.push(decodeLine(path, atLine, line))
      else if (line !== VERSION_LINE) throw new Error(`${path}: line 1 is not ${VERSION_LINE}`)
    }
    if (operations.length > 0) yield operations
  }
  if (atLine === 0) throw new Error(`${path}: not a history, or without its first line`)
}

function decodeLine(path: string, line: number, text: string): Operation {
  try {
    return decodeOperation(text)
  } catch (error) {
    throw new Error(`${path}: line ${line}: ${(error as Error).message}`)
  }
}

/** A file that is read: its next operation, and when that was over. */
class Head {
  readonly #rest: AsyncGenerator<readonly Operation[]>
  #piece: readonly Operation[] = []
  #at = 0
  nextMs = 0

  constructor(path: string) {
    this.#rest = readHistory(path)
  }

  /** Whether something is left in memory. */
  get isLoaded(): boolean {
    return this.#at < this.#piece.length
  }

  take(): Operation {
    const operation = this.#piece[this.#at++]!
    if (this.isLoaded) this.nextMs = completedMs(this.#piece[this.#at]!)
    return operation
  }

  /** False at the end of the file. */
  async load(): Promise<boolean> {
    const { done, value } = await this.#rest.next()
    if (done) return false
    this.#piece = value
    this.#at = 0
    this.nextMs = completedMs(value[0]!)
    return true
  }
}

/** All operations of `paths`, by time of completion (each file as it is); those without a time before what follows in their file. */
export async function* mergeHistories(
  paths: readonly string[],
): AsyncGenerator<readonly Operation[]> {
  let heads: Head[] = paths.map((path) => new Head(path))
  for (;;) {
    for (const head of heads) {
      if (head.isLoaded || (await head.load())) continue
      heads = heads.filter((one) => one !== head)
    }
    if (heads.length === 0) return
    const piece: Operation[] = []
    let first: Head
    do {
      first = heads[0]!
      for (const head of heads) if (head.nextMs < first.nextMs) first = head
      piece.push(first.take())
    } while (first.isLoaded)
    yield piece
  }
}
