/** One of the two engines: asks it, and keeps what it answered in words that both share. */
import { ErrorCode } from '../../src/base/error-code.ts'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { listOffsets } from '../../src/protocol/02-list-offsets.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { findCoordinator } from '../../src/protocol/10-find-coordinator.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { initProducerId } from '../../src/protocol/22-init-producer-id.ts'
import type { Api, RequestInputOf, ResponseOf } from '../../src/protocol/api.ts'
import { decodeResponse, encodeRequest, joinFrame } from '../../src/protocol/codec.ts'
import { WireFormatError } from '../../src/protocol/wire-format-error.ts'
import type { Answered } from './diff.ts'
import { Link, type Outcome } from './link.ts'
import { type LooseRequest, withDefaults } from './loose.ts'
import { type Flat, flatten, type Names } from './normalise.ts'

export const CLIENT_ID = 'conformance'
const TIMEOUT_MS = 4_000

export interface AskOptions {
  /** Which connection: steps on one name share one. */
  readonly on?: string
  /** Decodes the answer as of this version (an unsupported ApiVersions is answered in version 0). */
  readonly decodeAs?: number
  /** Keeps only paths that this is true for. */
  readonly keep?: (path: string) => boolean
  /** Sent but not compared: preparation. */
  readonly quiet?: true
  /** How long silence is waited for. */
  readonly timeoutMs?: number
  readonly clientId?: string | null
}

export interface SideIdentity {
  readonly name: string
  readonly bootstrap: string
}

export class Side {
  readonly name: string
  readonly bootstrap: string
  readonly answered: Answered[] = []
  /** What a version cannot carry, and so was not sent. */
  readonly skipped: string[] = []
  readonly #links = new Map<string, Promise<Link>>()
  readonly #topicNames: Map<string, string>
  readonly #uuids = new Map<string, string>()
  #clusterId = ''
  #correlationId = 1
  #scenario = ''
  #slots: Promise<void>[] = []

  constructor(
    { name, bootstrap }: SideIdentity,
    topicNames = new Map<string, string>([[ZERO_TOPIC_ID, 'zero-id']]),
  ) {
    this.name = name
    this.bootstrap = bootstrap
    this.#topicNames = topicNames
  }

  /** Runs several courses of a scenario at a time, for those that wait; their answers are noted one after another. */
  async together(courses: readonly ((side: Side) => Promise<void>)[]): Promise<void> {
    const sides = courses.map(() => {
      const side = new Side(this, this.#topicNames)
      side.#clusterId = this.#clusterId
      return side
    })
    const ends = await Promise.allSettled(
      sides.map(async (side, i) => {
        await side.begin(this.#scenario)
        await courses[i]!(side)
        await side.end()
      }),
    )
    for (const side of sides) {
      this.answered.push(...side.answered)
      this.skipped.push(...side.skipped)
    }
    for (const one of ends) if (one.status === 'rejected') throw one.reason
  }

  /** Learns what it is called. */
  async prepare(): Promise<void> {
    const answer = await this.quietly(metadata, 8, { topics: [] })
    this.#clusterId = answer.clusterId ?? ''
    // A broker that has just begun has no producer ids yet, and makes its internal topics when they are asked for.
    await this.#until(async () => {
      const request = { transactionalId: null, transactionTimeoutMs: 60_000 }
      return (await this.quietly(initProducerId, 4, request)).errorCode === 0
    })
    await this.#until(async () => {
      const asked = { keyType: 0, coordinatorKeys: ['warm-up'] }
      const { errorCode } = (await this.quietly(findCoordinator, 4, asked)).coordinators[0]!
      return errorCode !== ErrorCode.COORDINATOR_NOT_AVAILABLE
    })
  }

  async #until(isDone: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      if (await isDone()) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    throw new Error(`${this.name} does not get ready`)
  }

  /** Begins a scenario: fresh connections. */
  async begin(scenario: string): Promise<void> {
    this.#scenario = scenario
    this.#uuids.clear()
    await this.closeLinks()
  }

  async end(): Promise<void> {
    await Promise.all(this.#slots.splice(0))
    await this.closeLinks()
  }

  async closeLinks(): Promise<void> {
    const links = [...this.#links.values()]
    this.#links.clear()
    for (const link of await Promise.all(links)) link.close()
  }

  /** The id of a topic here; an id that no topic has, if there is none of that name. */
  topicId(name: string): string {
    for (const [id, known] of this.#topicNames) if (known === name) return id
    return 'f'.repeat(32)
  }

  /** Asks and notes the answer under `step`; null where none came, or none could be read. */
  async ask<A extends Api>(
    step: string,
    api: A,
    version: number,
    request: LooseRequest<A>,
    options: AskOptions = {},
  ): Promise<ResponseOf<A> | null> {
    const correlationId = this.#correlationId++
    const clientId = options.clientId === undefined ? CLIENT_ID : options.clientId
    let frame: Buffer
    try {
      const full = withDefaults(
        api.request,
        request as Readonly<Record<string, unknown>>,
      ) as RequestInputOf<A>
      frame = joinFrame(encodeRequest(api, version, correlationId, clientId, full))
    } catch (error) {
      // The version cannot carry it: there is nothing to compare.
      if (!(error instanceof WireFormatError)) throw error
      this.skipped.push(`${step}: ${error.message}`)
      return null
    }
    return this.#exchange(step, api, version, frame, correlationId, options)
  }

  /** Sends a frame as it is (with its size), which must have been made with {@link nextCorrelationId}. */
  askFrame<A extends Api>(
    step: string,
    api: A,
    version: number,
    frame: Buffer,
    correlationId: number,
    options: AskOptions = {},
  ): Promise<ResponseOf<A> | null> {
    return this.#exchange(step, api, version, frame, correlationId, options)
  }

  nextCorrelationId(): number {
    return this.#correlationId++
  }

  /** Preparation that must succeed. */
  async quietly<A extends Api>(
    api: A,
    version: number,
    request: LooseRequest<A>,
    options: AskOptions = {},
  ): Promise<ResponseOf<A>> {
    const answer = await this.ask('', api, version, request, { ...options, quiet: true })
    if (answer === null) throw new Error(`${this.name}: ${api.name} v${version} was not answered`)
    return answer
  }

  /** Makes a topic, waits until it has leaders, and learns its id. */
  async createTopic(name: string, numPartitions = 1, configs: Record<string, string> = {}) {
    const topic = {
      ...{ name, numPartitions, replicationFactor: 1, assignments: [] },
      configs: Object.entries(configs).map(([name, value]) => ({ name, value })),
    }
    const made = await this.quietly(createTopics, 7, { topics: [topic], timeoutMs: 10_000 })
    const { errorCode, errorMessage, topicId } = made.topics[0]!
    if (errorCode !== 0) throw new Error(`${this.name}: ${name}: ${errorCode} ${errorMessage}`)
    this.#learn(topicId, name)
    for (let tries = 0; tries < 100; tries++) {
      // Not Metadata: a broker may know of its leadership before it has begun it.
      const partitions = Array.from({ length: numPartitions }, (_, partitionIndex) => ({
        ...{ partitionIndex, timestamp: -1 },
      }))
      const asked = { replicaId: -1, topics: [{ name, partitions }] }
      const seen = (await this.quietly(listOffsets, 5, asked)).topics[0]!
      if (seen.partitions.every((one) => one.errorCode === 0)) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    throw new Error(`${this.name}: ${name} gets no leaders`)
  }

  /** Notes something that is no answer, such as whether a connection is still open. */
  note(step: string, api: Api, version: number, text: string): void {
    this.#keep(step, api, version, new Map([['(outcome)', text]]))
  }

  async link(on: string): Promise<Link> {
    const known = await this.#links.get(on)
    if (known?.isOpen) return known
    const opened = Link.open(this.bootstrap)
    this.#links.set(on, opened)
    return opened
  }

  #exchange<A extends Api>(
    step: string,
    api: A,
    version: number,
    frame: Buffer,
    correlationId: number,
    options: AskOptions,
  ): Promise<ResponseOf<A> | null> {
    const place = options.quiet ? -1 : this.answered.length
    if (place >= 0) this.#keep(step, api, version, new Map([['(outcome)', 'not finished']]))
    const done = this.link(options.on ?? 'first')
      .then((link) => link.exchange(frame, correlationId, options.timeoutMs ?? TIMEOUT_MS))
      .then((outcome) => this.#read(api, version, outcome, options))
      .then(({ response, flat }) => {
        if (place >= 0) this.answered[place] = { ...this.answered[place]!, answer: flat }
        return response
      })
    this.#slots.push(done.then(() => {}))
    return done
  }

  #read<A extends Api>(
    api: A,
    version: number,
    outcome: Outcome,
    options: AskOptions,
  ): { response: ResponseOf<A> | null; flat: Flat } {
    if (outcome.kind !== 'answer') {
      const text = outcome.kind === 'closed' ? 'connection closed' : `silence`
      return { response: null, flat: new Map([['(outcome)', text]]) }
    }
    try {
      const as = options.decodeAs ?? version
      const { response } = decodeResponse(api, as, outcome.frame)
      const flat = flatten(api.response, response, this.#names)
      const { keep } = options
      if (keep === undefined) return { response, flat }
      return { response, flat: new Map([...flat].filter(([path]) => keep(path))) }
    } catch (error) {
      if (!(error instanceof WireFormatError)) throw error
      return { response: null, flat: new Map([['(outcome)', `unreadable: ${error.message}`]]) }
    }
  }

  #keep(step: string, api: Api, version: number, answer: Flat): void {
    this.answered.push({ scenario: this.#scenario, step, api: api.name, version, answer })
  }

  #learn(id: string, name: string): void {
    if (id !== ZERO_TOPIC_ID) this.#topicNames.set(id, name)
  }

  readonly #names: Names = {
    learnTopic: (id, name) => this.#learn(id, name),
    topicId: (id) => {
      const name = this.#topicNames.get(id)
      if (name === undefined) return /^(.)\1*$/.test(id) ? `id ${id[0]}…` : 'unknown id'
      return name === 'zero-id' ? name : `id of ${name}`
    },
    producerId: (id) => (id < 0 ? String(id) : '<producer>'),
    sessionId: (id) => (id <= 0 ? String(id) : '<session>'),
    clusterId: (id) => (id === this.#clusterId ? '<cluster>' : JSON.stringify(id)),
    host: (host) => (`${host}:`.startsWith('127.0.0.1:') ? '<host>' : JSON.stringify(host)),
    port: (port) => (port === Number(this.bootstrap.split(':')[1]) ? '<port>' : String(port)),
    text: (text) => {
      let out = text.replaceAll(this.bootstrap, '<address>')
      if (out.length < 22) return out
      for (const [id, name] of this.#topicNames) {
        out = out.replaceAll(Buffer.from(id, 'hex').toString('base64url'), `<id of ${name}>`)
      }
      return out
    },
    uuid: (uuid) => {
      const known = this.#uuids.get(uuid) ?? `<uuid ${this.#uuids.size + 1}>`
      this.#uuids.set(uuid, known)
      return known
    },
    nowMs: () => Date.now(),
  }
}

export interface Scenario {
  readonly name: string
  /** Keys of APIs without which there is nothing to compare. */
  readonly needs?: readonly number[]
  /** Runs on each side for itself: whatever a later request needs of an earlier answer is taken from that side's own. */
  readonly run: (side: Side) => Promise<void>
}

/** Every version of an API that can be spoken. */
export function versionsOf(api: Api): number[] {
  const { min, max } = api.validVersions
  return Array.from({ length: max - min + 1 }, (_, i) => min + i)
}
