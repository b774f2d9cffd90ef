/**
 * Hostile frames, made from the schemas: every API × version × field has its turn, with a request that is valid but for
 * that field; and for every API × version the ways in which a frame itself can be wrong.
 */
import type { Api } from '../../src/protocol/api.ts'
import { apis } from '../../src/protocol/apis.ts'
import { encodeRequest, joinFrame } from '../../src/protocol/codec.ts'
import type { Entity } from '../../src/protocol/entity.ts'
import type { Field, Fields } from '../../src/protocol/schema.ts'
import { includes } from '../../src/protocol/version-range.ts'
import { WireFormatError } from '../../src/protocol/wire-format-error.ts'
import type { Prng } from './prng.ts'
import { hostileBatch, validBatch } from './records.ts'

/** Names and ids that exist, so that requests get beyond the first check. */
export interface World {
  readonly names: Readonly<Partial<Record<Entity, readonly string[]>>>
  readonly topicIds: readonly string[]
  readonly producerIds: readonly number[]
  readonly sessionIds: readonly number[]
}

export interface HostileFrame {
  /** With its size prefix, whether that is true or not. */
  readonly bytes: Buffer
  /** What was done to it: `Fetch v12 topics[].partition`. */
  readonly what: string
  readonly kind: 'field' | WireDamage
  /** Who decodes the answer; null where there can be none. */
  readonly api: Api | null
  readonly version: number
  /** The frame ends where its size says: there must be an answer, or an end. */
  readonly isWhole: boolean
}

const WIRE_DAMAGES = [
  ...['random', 'random-body', 'truncated', 'cut', 'huge-size', 'negative-size', 'short-size'],
  ...['unknown-api', 'unknown-version', 'flipped', 'absurd-count', 'trailing', 'tags', 'no-header'],
] as const
export type WireDamage =
  | 'random'
  | 'random-body'
  | 'truncated'
  | 'cut'
  | 'huge-size'
  | 'negative-size'
  | 'short-size'
  | 'unknown-api'
  | 'unknown-version'
  | 'flipped'
  | 'absurd-count'
  | 'trailing'
  | 'tags'
  | 'no-header'

interface Case {
  readonly api: Api
  readonly version: number
  /** Undefined: the frame as such is damaged. */
  readonly path: string | undefined
  readonly damage: WireDamage | undefined
}

/** Fields of `fields` that `version` carries, those within others as well: `topics[].name`. */
function pathsOf(fields: Fields, version: number, flexible: boolean, prefix = ''): string[] {
  const found: string[] = []
  for (const [name, field] of Object.entries(fields)) {
    if (!isCarried(field, version, flexible)) continue
    found.push(prefix + name)
    const inner = field.kind === 'array' ? field.element! : field
    const path = prefix + name + (field.kind === 'array' ? '[]' : '')
    if (field.kind === 'array') found.push(path)
    if (inner.fields !== undefined) {
      found.push(...pathsOf(inner.fields, version, flexible, `${path}.`))
    }
  }
  return found
}

const isCarried = (field: Field, version: number, flexible: boolean): boolean =>
  includes(field.versions, version) && (field.tag < 0 || flexible)

/** All cases there are, in a fixed order. */
export function casesOf(all: readonly Api[] = apis): Case[] {
  return all.flatMap((api) => {
    const cases: Case[] = []
    for (let version = api.validVersions.min; version <= api.validVersions.max; version++) {
      for (const path of pathsOf(api.request, version, api.isFlexible(version))) {
        cases.push({ api, version, path, damage: undefined })
      }
      for (const damage of WIRE_DAMAGES) cases.push({ api, version, path: undefined, damage })
    }
    return cases
  })
}

export class FrameMaker {
  readonly #random: Prng
  readonly #world: () => World
  readonly #cases = casesOf()
  #next = 0

  constructor(random: Prng, world: () => World) {
    this.#random = random
    this.#world = world
  }

  get cases(): number {
    return this.#cases.length
  }

  /** The next case's frame. */
  make(correlationId: number): HostileFrame {
    const { api, version, path, damage } = this.#cases[this.#next++ % this.#cases.length]!
    if (damage !== undefined) return this.#damaged(api, version, damage, correlationId)
    const bytes = this.#withField(api, version, path!, correlationId)
    return {
      ...{ bytes, api, version, kind: 'field', isWhole: true },
      what: `${api.name} v${version} ${path}`,
    }
  }

  /** A request in which nothing is wrong. */
  valid(api: Api, version: number, correlationId: number): Buffer {
    const values = new Values(this.#random, this.#world(), api, version, undefined)
    return frameOf(api, version, correlationId, values.struct(api.request, ''))
  }

  #withField(api: Api, version: number, path: string, correlationId: number): Buffer {
    for (let attempt = 0; attempt < 5; attempt++) {
      try {
        const values = new Values(this.#random, this.#world(), api, version, path)
        return frameOf(api, version, correlationId, values.struct(api.request, ''))
      } catch (error) {
        // null where there is none, a string too long to be told: what cannot be said is tried otherwise
        if (!(error instanceof WireFormatError)) throw error
      }
    }
    return this.valid(api, version, correlationId)
  }

  #damaged(api: Api, version: number, damage: WireDamage, correlationId: number): HostileFrame {
    const valid = this.valid(api, version, correlationId)
    const bytes = damaged(valid, damage, this.#random)
    const answers: readonly WireDamage[] = ['trailing', 'flipped', 'absurd-count', 'cut']
    return {
      ...{ bytes, kind: damage, version, what: `${api.name} v${version} ${damage}` },
      api: answers.includes(damage) ? api : null,
      isWhole: damage !== 'truncated' && damage !== 'huge-size' && damage !== 'random',
    }
  }
}

const frameOf = (api: Api, version: number, correlationId: number, request: unknown): Buffer =>
  joinFrame(encodeRequest(api, version, correlationId, 'hostile', request as never))

/** int16 key, int16 version, int32 correlation id, behind the size. */
const HEADER_END = 12

function damaged(valid: Buffer, damage: WireDamage, random: Prng): Buffer {
  const bytes = Buffer.from(valid)
  const sized = (body: Buffer): Buffer => {
    const size = Buffer.alloc(4)
    size.writeInt32BE(body.length)
    return Buffer.concat([size, body])
  }
  switch (damage) {
    case 'random':
      return random.bytes(1 + random.below(300))
    case 'random-body':
      return sized(Buffer.concat([bytes.subarray(4, HEADER_END), random.bytes(random.below(300))]))
    case 'truncated':
      return bytes.subarray(0, 1 + random.below(bytes.length - 1))
    case 'cut':
      return sized(
        bytes.subarray(4, HEADER_END + random.below(Math.max(1, bytes.length - HEADER_END))),
      )
    case 'huge-size':
      bytes.writeInt32BE(random.pick([0x7fffffff, 104_857_601, 50_000_000, 65_537, 2 ** 20]))
      return bytes
    case 'negative-size':
      bytes.writeInt32BE(random.pick([-1, -2147483648, -2]))
      return bytes
    case 'short-size':
      bytes.writeInt32BE(random.below(bytes.length - 4))
      return bytes
    case 'unknown-api':
      bytes.writeInt16BE(random.pick([-1, 4, 5, 6, 7, 64, 127, 128, 999, 32767, -32768]), 4)
      return bytes
    case 'unknown-version':
      bytes.writeInt16BE(random.pick([-1, 99, 100, 127, 128, 255, 32767, -32768]), 6)
      return bytes
    case 'flipped':
      for (let i = 1 + random.below(4); i > 0; i--) {
        if (bytes.length > HEADER_END) {
          bytes[HEADER_END + random.below(bytes.length - HEADER_END)] = random.pick([
            ...[0, 1, 127, 128, 254, 255, 63],
          ])
        }
      }
      return bytes
    case 'absurd-count':
      if (bytes.length >= HEADER_END + 6) {
        const at = HEADER_END + 2 + random.below(bytes.length - HEADER_END - 5)
        const count = random.pick([0x7fffffff, 1_000_000, 65_535, 0xffffff0f, 0x80808008])
        bytes.writeUInt32BE(count >>> 0, at)
      }
      return bytes
    case 'trailing':
      return sized(Buffer.concat([bytes.subarray(4), random.bytes(1 + random.below(200))]))
    case 'tags':
      return sized(
        Buffer.concat([bytes.subarray(4, -1), Buffer.from([0x7f, 0x63, 0xff, 0xff, 0xff, 0x0f])]),
      )
    case 'no-header':
      return sized(bytes.subarray(4, 4 + random.below(8)))
    default:
      return damage satisfies never
  }
}

const INTS: Readonly<Record<string, readonly number[]>> = {
  int8: [-128, -1, 0, 1, 2, 3, 100, 127],
  int16: [-32768, -2, -1, 0, 1, 2, 255, 32767],
  uint16: [0, 1, 65535],
  int32: [-2147483648, -2, -1, 0, 1, 2, 255, 65_536, 1_000_000, 2147483647],
  uint32: [0, 1, 4294967295],
  int64: [-(2 ** 63), -5, -2, -1, 0, 1, 2 ** 31, 2 ** 53, 2 ** 63],
  float64: [Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 1e308],
}

const STRINGS = [
  ...['', 'a', '.', '..', '../../etc/passwd', '__consumer_offsets', '__cluster_metadata'],
  ...['no-such-thing', 'line\nbreak', 'nul\u0000byte', 'esc\u001b[31mred', '"}\n{"level":"fatal"'],
  ...['ünï-cödé', '\u{1f4a9}', 'a'.repeat(249), 'b'.repeat(250), 'c'.repeat(32_767), 'x,y=z {}'],
]

/** What reasonable clients put there, by name; other numbers are small. */
const USUAL: Readonly<Record<string, readonly number[]>> = {
  ...{ acks: [-1, 1, 0], timeoutMs: [1_000], maxWaitMs: [0, 1, 20], minBytes: [0, 1] },
  ...{ maxBytes: [1 << 20], partitionMaxBytes: [1 << 20], fetchOffset: [0, 1, 5] },
  ...{
    sessionEpoch: [-1, 0, 1],
    replicaId: [-1],
    currentLeaderEpoch: [-1],
    lastFetchedEpoch: [-1],
  },
  ...{ timestamp: [-1, -2, 0], numPartitions: [1, 2, -1], replicationFactor: [1, -1] },
  ...{ keyType: [0, 1], resourceType: [2], responsePartitionLimit: [2000], endpointType: [1] },
  ...{ sessionTimeoutMs: [6_000], rebalanceTimeoutMs: [200], generationId: [1, -1] },
  ...{ transactionTimeoutMs: [60_000], producerEpoch: [0, -1], patternTypeFilter: [1] },
  ...{ committedOffset: [3], retentionTimeMs: [-1], count: [2], configOperation: [0, 1] },
}

/** One request of the world's names and ids; the field at `target` is hostile. */
class Values {
  readonly #random: Prng
  readonly #world: World
  readonly #api: Api
  readonly #version: number
  readonly #target: string | undefined

  constructor(random: Prng, world: World, api: Api, version: number, target: string | undefined) {
    this.#random = random
    this.#world = world
    this.#api = api
    this.#version = version
    this.#target = target
  }

  struct(fields: Fields, prefix: string): Record<string, unknown> {
    const made: Record<string, unknown> = {}
    for (const [name, field] of Object.entries(fields)) {
      made[name] = isCarried(field, this.#version, this.#api.isFlexible(this.#version))
        ? this.#field(name, field, prefix + name)
        : defaultOf(field)
    }
    return made
  }

  #field(name: string, field: Field, path: string): unknown {
    const isTarget = path === this.#target
    if (isTarget && includes(field.nullable, this.#version) && this.#random.below(4) === 0) {
      return null
    }
    if (isTarget) return this.#hostile(name, field, path)
    return this.#usual(name, field, path)
  }

  #usual(name: string, field: Field, path: string): unknown {
    const random = this.#random
    switch (field.kind) {
      case 'bool':
        return random.below(2) === 1
      case 'string':
        return this.#name(name, field)
      case 'uuid':
        return field.entity === 'topicId' ? random.pick(this.#world.topicIds) : defaultOf(field)
      case 'bytes':
        return random.bytes(random.below(20))
      case 'records':
        return validBatch(random, this.#world.producerIds)
      case 'array':
        return this.#elements(name, field, path, 1 + random.below(2))
      case 'struct':
        return this.struct(field.fields!, `${path}.`)
      default:
        return this.#number(name, field)
    }
  }

  #hostile(name: string, field: Field, path: string): unknown {
    const random = this.#random
    switch (field.kind) {
      case 'bool':
        return random.below(2) === 1
      case 'string':
        return random.pick(STRINGS)
      case 'uuid':
        return random.pick(['0'.repeat(32), 'f'.repeat(32), random.bytes(16).toString('hex')])
      case 'bytes':
        return random.bytes(random.pick([0, 1, 2, 500, 70_000]))
      case 'records':
        return hostileBatch(random)
      case 'array':
        return this.#hostileArray(name, field, path)
      case 'struct':
        return this.struct(field.fields!, `${path}.`)
      default:
        return random.pick(INTS[field.kind]!)
    }
  }

  /** Empty, many, or the same thing over and over. */
  #hostileArray(name: string, field: Field, path: string): unknown[] {
    const random = this.#random
    const how = random.below(4)
    if (how === 0) return []
    if (how === 1) return this.#elements(name, field, path, 20 + random.below(200))
    const one = this.#elements(name, field, path, 1)
    return Array.from({ length: random.pick([2, 3, 100]) }, () => one[0])
  }

  #elements(name: string, field: Field, path: string, count: number): unknown[] {
    const element = field.element!
    return Array.from({ length: count }, () => this.#field(name, element, `${path}[]`))
  }

  #name(name: string, field: Field): string {
    const known = this.#world.names
    const from = (field.entity === undefined ? undefined : known[field.entity]) ?? []
    if (from.length > 0) return this.#random.pick(from)
    if (includes(field.nullable, this.#version) && field.entity === 'transactionalId') {
      return null as unknown as string
    }
    return name === 'protocolType' ? 'consumer' : 'range'
  }

  #number(name: string, field: Field): number {
    if (field.entity === 'producerId') return this.#random.pick(this.#world.producerIds)
    if (field.entity === 'fetchSessionId') return this.#random.pick(this.#world.sessionIds)
    if (field.entity === 'brokerId') return this.#random.pick([-1, 1])
    const usual = USUAL[name]
    return usual === undefined ? this.#random.below(2) : this.#random.pick(usual)
  }
}

function defaultOf(field: Field): unknown {
  if (field.kind === 'struct' && field.defaultValue !== null) {
    const inner = Object.entries(field.fields!)
    return Object.fromEntries(inner.map(([name, one]) => [name, defaultOf(one)]))
  }
  return field.defaultValue
}
