/** A producer: one connection to each leader that its partitions have, requests of one batch each. */
import { errorName } from '../../src/base/error-code.ts'
import { HeaderBytes } from './batch-header.ts'
import { nowUs } from './clock.ts'
import type { LoadConnection } from './load-connection.ts'
import type { LoadProducer, ProducerEvents, ProducerOptions } from './load-producer.ts'
import type { Due, Leader, Times } from './messages.ts'
import { ProducePrefix, type Template } from './produce-batches.ts'
import { Rotation, type Turn } from './rotation.ts'

/** Up to here a batch is copied into its frame, and beyond it is sent from where it is. */
const COPIED_BYTES_MAX = 32 << 10

interface Request {
  readonly intendedUs: number
  readonly wireBytes: number
  readonly prefix: ProducePrefix
  readonly owned: Owned | null
}

/** A batch of this connection's own, to be patched again once its answer came. */
interface Owned {
  readonly template: Template
  readonly batch: Buffer
}

interface Target extends Turn {
  readonly connection: LoadConnection
  readonly pending: Request[]
  readonly prefix: ProducePrefix
  sequence: number
}

export class Producer implements LoadProducer {
  readonly #options: ProducerOptions
  readonly #events: ProducerEvents
  readonly #targets = new Rotation<Target>()
  readonly #connections = new Map<string, LoadConnection>()
  readonly #owned: Owned[] = []
  readonly #header: HeaderBytes
  #nextTemplate = 0
  outstanding = 0
  readonly resent = 0
  readonly index: number
  scheduled = 0
  answeredUs = 0

  private constructor(options: ProducerOptions, events: ProducerEvents) {
    this.#options = options
    this.#events = events
    this.#header = new HeaderBytes(options.templates[0]!.batch)
    if (options.producerId !== null) {
      this.#header.setProducer(options.producerId.id, options.producerId.epoch)
    }
    this.index = options.share.index
    this.#nextTemplate = this.index
  }

  static async open(options: ProducerOptions, events: ProducerEvents): Promise<Producer> {
    const producer = new Producer(options, events)
    const pendings = new Map<string, Request[]>()
    for (const at of options.share.partitions) {
      const leader = options.leaderOf(at)
      const key = `${leader.host}:${leader.port}`
      const pending = pendings.get(key) ?? []
      pendings.set(key, pending)
      const connection =
        producer.#connections.get(key) ?? (await producer.#connect(leader, pending))
      producer.#connections.set(key, connection)
      const prefix = new ProducePrefix(options.version, options.group.acks, at)
      producer.#targets.all.push({ connection, pending, prefix, sequence: 0, at, due: 0 })
    }
    return producer
  }

  #connect(leader: Leader, pending: Request[]): Promise<LoadConnection> {
    return this.#options.connect(leader, {
      onAnswer: (memory, at) => this.#answered(memory, at, pending),
      onFailure: (error) => this.#events.onFailure(error),
    })
  }

  begin(times: Times): void {
    this.#targets.begin(times)
  }

  send(intendedUs: number): void {
    const { group, templates } = this.#options
    const target = this.#targets.next(intendedUs)
    const isPatched = this.#options.isStamped || group.idempotence
    const template = templates[this.#nextTemplate++ % templates.length]!
    this.outstanding++
    if (template.batch.length <= COPIED_BYTES_MAX) {
      const { prefix } = target
      const wireBytes = template.batch.length
      const frame = Buffer.allocUnsafe(prefix.length + wireBytes)
      prefix.writeTo(frame, wireBytes)
      template.batch.copy(frame, prefix.length)
      if (isPatched) this.#patch(frame, prefix.length, template, target, intendedUs)
      this.#send(target, [frame], { intendedUs, wireBytes, prefix, owned: null })
      return
    }
    // what waits in the socket must not change: only a batch whose answer came is patched again
    const owned = isPatched ? (this.#owned.pop() ?? copyOf(template)) : null
    const { batch } = owned ?? template
    if (owned !== null) this.#patch(batch, 0, owned.template, target, intendedUs)
    const head = Buffer.allocUnsafe(target.prefix.length)
    target.prefix.writeTo(head, batch.length)
    const { prefix } = target
    this.#send(target, [head, batch], { intendedUs, wireBytes: batch.length, prefix, owned })
  }

  leaveOut(intendedUs: number): void {
    this.#targets.next(intendedUs)
  }

  due(): Due {
    return this.#targets.due()
  }

  flush(): void {
    for (const connection of this.#connections.values()) connection.flush()
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close()
  }

  open(): number[] {
    const pendings = new Set(this.#targets.all.map(({ pending }) => pending))
    return [...pendings].flatMap((pending) => pending.map(({ intendedUs }) => intendedUs))
  }

  #send(target: Target, parts: readonly Buffer[], request: Request): void {
    for (const part of parts) target.connection.send(part)
    if (this.#options.group.acks !== 0) {
      target.pending.push(request)
      return
    }
    // nothing answers: done is what the system has taken. It says so before the event loop goes on, which must go on
    target.connection.flush(() => setImmediate(() => this.#done(request)))
  }

  #patch(bytes: Buffer, at: number, template: Template, target: Target, intendedUs: number): void {
    const { isStamped, group } = this.#options
    if (isStamped) this.#header.setTimestamp(this.#targets.timestampOf(intendedUs))
    if (group.idempotence) {
      this.#header.setSequence(target.sequence)
      target.sequence = (target.sequence + group.recordsPerBatch) % 2 ** 31
    }
    template.patcher!.patch(bytes, at, this.#header.bytes)
  }

  #answered(memory: Buffer, at: number, pending: Request[]): void {
    const request = pending.shift()
    if (request === undefined) {
      this.#events.onFailure(new Error('an answer came to no request'))
      return
    }
    const error = memory.readInt16BE(at + request.prefix.errorAt)
    if (error !== 0) {
      const { topic } = this.#options.group
      this.#events.onFailure(
        new Error(`Produce to the topics of ${topic} was answered with ${errorName(error)}`),
      )
      return
    }
    this.#done(request)
  }

  #done({ intendedUs, wireBytes, owned }: Request): void {
    this.outstanding--
    if (owned !== null) this.#owned.push(owned)
    this.#events.onDone(this, intendedUs, nowUs(), wireBytes)
  }
}

const copyOf = (template: Template): Owned => ({ template, batch: Buffer.from(template.batch) })
