/** An engine on one thread with the tenants that it is to have, and what they have done so far. */
import { pbkdf2Sync } from 'node:crypto'
import { asBrokerId, asCellId, type TenantId } from '../../src/base/ids.ts'
import { brokerPath } from '../../src/base/paths.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { imageEntries } from '../../src/image/snapshot.ts'
import type { ListenerInfo } from '../../src/net/listener-info.ts'
import { saslHandshake } from '../../src/protocol/17-sasl-handshake.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import { saslAuthenticate } from '../../src/protocol/36-sasl-authenticate.ts'
import type { Api } from '../../src/protocol/api.ts'
import { HASH_BYTES, type SaslCrypto } from '../../src/tenant/sasl-crypto.ts'
import { Harness, ROOT } from '../front/harness.ts'
import { seededSaslCrypto } from '../front/seeded-sasl-crypto.ts'
import { tenantStreams } from '../front/tenant-streams.ts'
import { type Key, Operator, plainToken } from '../front/tenants.ts'
import type { Facts } from './facts.ts'
import { RawClient } from './raw-client.ts'
import { TenantLife } from './tenant-life.ts'

export const BROKERS = 2
/** Where each partition has three replicas. */
const REPLICATED_BROKERS = 3
const REPLICATED_STEP_MS = 50
/** When an answer is looked for; later it is taken for none. */
const LOOKS_MS = [0, 20, 500, 1_500, 6_000]

/** Where failed logins come from: the next ones that fail there are told so later. */
const STRANGER = '10.0.0.3'

/** A tenant, and where its clients come from. */
export interface TenantSpec {
  readonly name: string
  /** Null: the tenant `default`, whose clients do not log in. */
  readonly tenantId: TenantId | null
  readonly host: string
  readonly sharedPartitions: number
  readonly polls: number
}

export const A: TenantSpec = {
  ...{ name: 'acme', tenantId: 'a'.repeat(16) as TenantId, host: '10.0.0.1' },
  ...{ sharedPartitions: 4, polls: 3 },
}
export const B: TenantSpec = {
  ...{ name: 'beta', tenantId: 'b'.repeat(16) as TenantId, host: '10.0.0.2' },
  ...{ sharedPartitions: 2, polls: 1 },
}

/** The tenant of whoever does not log in, in the place of B. */
export const DEFAULT_B: TenantSpec = { ...B, tenantId: null }

export type Outcome =
  | { readonly kind: 'answered'; readonly afterMs: number; readonly bytes: Buffer }
  | { readonly kind: 'closed'; readonly afterMs: number }
  | { readonly kind: 'silent' }

export interface AskOptions {
  readonly node?: number
  /** On a connection of its own that has not logged in, after a handshake for it (null: without); else it is the tenant's. */
  readonly mechanism?: string | null
}

/** One tenant of a world, as whoever speaks for it. */
export class Resident {
  readonly spec: TenantSpec
  readonly life: TenantLife
  facts!: Facts
  readonly #world: World
  readonly tenantId: TenantId
  readonly #key: Key | null
  #client: RawClient | null = null
  #busy: RawClient | null = null
  /** Long polls that wait for as long as the world stands: connection and correlation. */
  readonly polls: { readonly client: RawClient; readonly correlation: number }[] = []
  readonly #clients = new Map<number, RawClient>()

  constructor(world: World, spec: TenantSpec) {
    this.#world = world
    this.spec = spec
    const { name, sharedPartitions, polls } = spec
    const tenantId = spec.tenantId ?? world.harness.image.defaultTenant!.tenantId
    this.tenantId = tenantId
    this.#key = spec.tenantId === null ? this.#allowAll() : this.#make(spec.tenantId)
    this.life = new TenantLife({
      ...{ tenantId, name, keyId: this.#key?.key ?? null, sharedPartitions, polls },
      brokers: world.brokers,
    })
  }

  #make(tenantId: TenantId): Key {
    const { name } = this.spec
    const crypto = memoized(seededSaslCrypto(tenantStreams(11)(tenantId)))
    const operator = new Operator(this.#world.harness, crypto)
    // what it may do is not the question here
    const superUsers = [`User:${name}-user`, 'User:ANONYMOUS']
    operator.ask(tenantId, { kind: 'create-tenant', name, settings: { superUsers } })
    return operator.key(tenantId, `${name}-user`)
  }

  /** The tenant `default` is there, and its clients have no key. */
  #allowAll(): null {
    const settings = { superUsers: ['User:ANONYMOUS'] }
    new Operator(this.#world.harness).ask(this.tenantId, { kind: 'alter-tenant', settings })
    return null
  }

  /** That it sees. */
  get nodes(): number {
    return this.#world.brokers
  }

  get isReplicated(): boolean {
    return this.#world.brokers === REPLICATED_BROKERS
  }

  /** Takes a step of its life. */
  live(step: number): void {
    const calls = this.life.steps[step]!()
    for (let next = calls.next(); next.done !== true; ) {
      const { api, version, request, isPoll } = next.value
      const client = isPoll ? this.open() : this.#own()
      const correlation = client.send(api, version, request)
      this.#world.harness.run()
      if (isPoll) this.polls.push({ client, correlation })
      const answer = client.answer(api, version, correlation)
      if (answer === undefined && !isPoll) {
        throw new Error(`${this.spec.name}: ${api.name}: no answer`)
      }
      next = calls.next(answer)
    }
  }

  #own(): RawClient {
    this.#client ??= this.open()
    return this.#client
  }

  /** A connection that has logged in. */
  open(node = 1): RawClient {
    const client = this.#connect(node)
    if (this.#key === null) return client
    client.send(saslHandshake, 1, { mechanism: 'PLAIN' })
    const { key, secret } = this.#key
    const asked = client.send(saslAuthenticate, 2, { authBytes: plainToken(key, secret) })
    this.#world.harness.run()
    const answer = client.answer(saslAuthenticate, 2, asked)
    if (answer?.errorCode !== 0) throw new Error(`login of ${this.spec.name}: ${answer?.errorCode}`)
    return client
  }

  /** Sends a request on the connection that it keeps to that node, and lets time pass until it is answered. */
  ask(api: Api, version: number, request: object, options: AskOptions = {}): Outcome {
    const { node = 1, mechanism } = options
    const { harness } = this.#world
    let client = this.#clients.get(node)
    if (mechanism !== undefined) {
      client = this.#connect(node, STRANGER)
      if (mechanism !== null) client.send(saslHandshake, 1, { mechanism })
      harness.run()
    } else if (client === undefined || client.closed) {
      client = this.open(node)
      this.#clients.set(node, client)
    }
    const correlation = client.send(api, version, request)
    const beganMs = harness.clock.monotonicMs()
    for (const atMs of LOOKS_MS) {
      this.#world.pass(beganMs + atMs - harness.clock.monotonicMs())
      if (atMs === 0) harness.run()
      const bytes = client.frame(correlation)
      if (bytes !== undefined) return { kind: 'answered', afterMs: atMs, bytes }
      if (client.closed) return { kind: 'closed', afterMs: atMs }
    }
    // what it still waits for must not come between it and the next
    this.#clients.delete(node)
    client.connection.close()
    harness.run()
    return { kind: 'silent' }
  }

  /** Sends a request on a connection for that alone, and waits for nothing: no time passes. */
  act(api: Api, version: number, request: object): void {
    if (this.#busy === null || this.#busy.closed) this.#busy = this.open()
    this.#busy.send(api, version, request)
    this.#world.harness.run()
  }

  /** Deletes topics that it has not had from the beginning. */
  tidy(): void {
    const { image } = this.#world.harness
    const { own, shared, internal } = this.facts
    const kept = [own, shared, internal].map(({ name }) => name)
    const topicNames = Array.from(image.topics(this.tenantId), ({ name }) => name).filter(
      (name) => !kept.includes(name),
    )
    if (topicNames.length > 0) this.ask(deleteTopics, 5, { topicNames, timeoutMs: 1_000 })
  }

  #connect(node: number, host = this.spec.host): RawClient {
    const { harness } = this.#world
    const own = this.#world.hasListeners ? ownListener(this.tenantId, this.spec) : {}
    const listener = { ...harness.listener, nodeId: node, ...own }
    return new RawClient(harness.front.connections, listener, {
      clientId: `${this.spec.name}-client`,
      remote: `${host}:50000`,
    })
  }
}

/** Where a tenant's clients come in that has a listener of its own, as they are told it. */
const ownListener = (tenantId: TenantId, { name }: TenantSpec): Partial<ListenerInfo> => ({
  ...{ tenantId, advertisedHost: `${name}.example` },
  advertisedPorts: [1, 2, 3].map((node) => 20_000 + 100 * name.length + node),
})

export interface WorldOptions {
  readonly hasA: boolean
  readonly b?: TenantSpec
  /** Of each partition; default: 1. */
  readonly replicas?: 1 | 3
  /** Tenants come in at listeners of their own, and log in there nevertheless. */
  readonly hasListeners?: boolean
  /** Of all tenants together. */
  readonly partitionsMax?: number
}

export class World {
  readonly harness: Harness
  readonly brokers: number
  readonly hasListeners: boolean
  readonly a: Resident | null
  readonly b: Resident

  constructor(options: WorldOptions) {
    const { hasA, b = B, partitionsMax, replicas = 1 } = options
    this.brokers = replicas === 1 ? BROKERS : REPLICATED_BROKERS
    this.hasListeners = options.hasListeners === true
    const kafkaListens = ['0.0.0.0:9092', ...(hasA ? [`${A.name}.example:19092`] : [])]
    this.harness = new Harness({
      brokers: this.brokers,
      hasPeers: replicas > 1,
      ...{ arenaBytes: 2 ** 20, commandRingBytes: 2 ** 16, replyRingBytes: 2 ** 16, frameBytes: 0 },
      crypto: memoized(seededSaslCrypto(new SeededRandom(5))),
      brokerConfigs: {
        'group.initial.rebalance.delay.ms': '0',
        // see the exception `placement`: as many on each broker, and of three, each of the others comes next as often
        'offsets.topic.num.partitions': replicas === 1 ? '2' : '6',
        // one of A's own, whatever B is told of it
        listeners: kafkaListens.map((one) => `PLAINTEXT://${one}`).join(),
        'advertised.listeners': kafkaListens.map((one) => `PLAINTEXT://at-${one}`).join(),
      },
      ...(partitionsMax === undefined ? {} : { partitionsMax }),
    })
    this.a = hasA ? new Resident(this, A) : null
    this.b = new Resident(this, b)
    const residents = [this.a, this.b].filter((one) => one !== null)
    const { steps } = this.b.life
    for (let step = 0; step < steps.length; step++) {
      for (const one of residents) one.live(step)
      this.harness.pass(10)
    }
    for (const one of residents) one.facts = one.life.facts(this.#engineFacts(one.tenantId))
  }

  /** Whoever replicates does not stand still for so long that the others would take it for gone. */
  pass(ms: number): void {
    this.harness.pass(ms, this.brokers === REPLICATED_BROKERS ? REPLICATED_STEP_MS : ms)
  }

  /** What the engine keeps of a tenant: metadata and records. Of what a log that is closed leaves beside them, nothing. */
  keptOf(tenantId: TenantId): readonly string[] {
    const { image } = this.harness
    const kept: string[] = []
    for (const entry of imageEntries(image)) {
      if ('tenantId' in entry && entry.tenantId === tenantId) kept.push(JSON.stringify(entry))
    }
    for (let id = 1; id <= this.brokers; id++) {
      const root = brokerPath(ROOT, asCellId(1), asBrokerId(id))
      this.#files(`${root}/${tenantId}`, (path, bytes) =>
        kept.push(`${path}: ${Buffer.from(bytes).toString('latin1')}`),
      )
    }
    return kept
  }

  #files(directory: string, visit: (path: string, bytes: Uint8Array) => void): void {
    const { disk } = this.harness
    if (!disk.exists(directory)) return
    for (const name of disk.list(directory)) {
      const path = `${directory}/${name}`
      let bytes: Uint8Array
      try {
        bytes = disk.readFile(path)
      } catch {
        this.#files(path, visit)
        continue
      }
      if (path.endsWith('.log')) visit(path, bytes)
    }
  }

  #engineFacts(tenantId: TenantId): Pick<Facts, 'partitionNumbers' | 'directoryId'> {
    const { image } = this.harness
    const partitionNumbers: number[] = []
    for (const topic of image.topics(tenantId)) {
      for (let index = 0; index < topic.partitionCount; index++) {
        partitionNumbers.push(topic.numberOf(index as Parameters<typeof topic.numberOf>[0]))
      }
    }
    const directory = image.brokerDirectory(asCellId(1), asBrokerId(1))
    return { partitionNumbers, directoryId: directory?.directoryId ?? 'd'.repeat(32) }
  }
}

const derived = new Map<string, Uint8Array>()

/** Worlds come by hundreds, with the same keys: each is derived once. */
const memoized = (crypto: SaslCrypto): SaslCrypto => ({
  ...crypto,
  pbkdf2: (hash, password, salt, iterations, onDone) => {
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
    const key = [hash, hex(Buffer.from(password)), hex(salt), iterations].join()
    let made = derived.get(key)
    if (made === undefined) {
      made = pbkdf2Sync(password, salt, iterations, HASH_BYTES[hash], hash)
      derived.set(key, made)
    }
    onDone(made)
  },
})
