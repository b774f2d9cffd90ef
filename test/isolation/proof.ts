/** Asks in two worlds what one tenant can ask in another's words, and compares what comes: in one the other exists, in the other it never did. */
import { isDeepStrictEqual } from 'node:util'
import { servedApis } from '../../src/front/handlers.ts'
import { alterPartitionReassignments } from '../../src/protocol/45-alter-partition-reassignments.ts'
import { describeQuorum } from '../../src/protocol/55-describe-quorum.ts'
import type { Api } from '../../src/protocol/api.ts'
import { decodeResponse } from '../../src/protocol/codec.ts'
import { type ApiBase, bases } from './bases.ts'
import type { Facts } from './facts.ts'
import { MASKS } from './masks.ts'
import { boundPaths, type Probe, probesOf, requestsOf } from './probes.ts'
import { B, type Outcome, type Resident, World, type WorldOptions } from './world.ts'

export interface ProofOptions extends Pick<WorldOptions, 'b' | 'replicas' | 'hasListeners'> {
  readonly apis?: readonly Api[]
  readonly mutationsMax?: number
  readonly seed?: number
  /** Of an API that changes things, each version is asked in worlds of its own. */
  readonly isThorough?: boolean
  /** Of each API the first version and the last one only, or the last one. */
  readonly only?: 'ends' | 'last'
  /** A goes on with its own life: before each request of B it does something. */
  readonly isBusy?: boolean
}

export interface Finding {
  readonly where: string
  readonly withA: string
  readonly withoutA: string
}

export interface ProofResult {
  /** Requests that were sent in both worlds. */
  readonly compared: number
  readonly byApi: ReadonlyMap<string, number>
  /** Answers that were equal but for what a mask names. */
  readonly masked: ReadonlyMap<string, number>
  readonly findings: readonly Finding[]
}

export function prove(options: ProofOptions = {}): ProofResult {
  const proof = new Proof(options)
  for (const turn of turnsOf(options)) proof.prove(turn)
  return proof
}

/** What is asked in the same two worlds. */
type Turn = readonly { readonly api: Api; readonly versions: readonly number[] }[]

function turnsOf({ apis = servedApis, isThorough, only }: ProofOptions): Turn[] {
  const alone: Turn[] = []
  const together: { api: Api; versions: number[] }[] = []
  for (const api of apis) {
    const { min, max } = api.validVersions
    const ends = only === 'last' ? [max] : [...new Set([min, max])]
    const versions = only === undefined ? versionsOf(api) : ends
    if (baseOf(api).changes !== true) together.push({ api, versions })
    else if (isThorough) {
      for (const version of versions) alone.push([{ api, versions: [version] }])
    } else alone.push([{ api, versions }])
  }
  return together.length === 0 ? alone : [together, ...alone]
}

function baseOf(api: Api): ApiBase {
  const base = bases[api.key]
  if (base === undefined) throw new Error(`${api.name} is served, and has no base requests`)
  return base
}

export const versionsOf = ({ validVersions: { min, max } }: Api): number[] =>
  Array.from({ length: max - min + 1 }, (_, i) => min + i)

class Proof implements ProofResult {
  compared = 0
  readonly byApi = new Map<string, number>()
  readonly masked = new Map<string, number>()
  readonly findings: Finding[] = []
  readonly #options: ProofOptions
  readonly #acts = new Acts()

  constructor(options: ProofOptions) {
    this.#options = options
  }

  prove(turn: Turn): void {
    const names = turn.map(({ api }) => api.name).join(', ')
    const { b = B, replicas = 1, hasListeners = false } = this.#options
    const world = { b, replicas, hasListeners }
    const withoutA = new World({ ...world, hasA: false })
    try {
      this.#ask(turn, names, new World({ ...world, hasA: true }), withoutA)
    } catch (error) {
      if (error instanceof WithoutAError) throw error.cause
      // what goes on without A does not go on with it
      const withA = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.findings.push({ where: names, withA, withoutA: 'goes on' })
    }
  }

  #ask(turn: Turn, names: string, withA: World, withoutA: World): void {
    const { tenantId, facts: a } = withA.a!
    const { facts: b } = withoutA.b
    this.#expectEqual(`${names}: what B was given`, told(withA.b.facts), told(b))
    const before = [...photograph(withA.a!), ...withA.keptOf(tenantId)]
    const polls = () => withA.a!.polls.map(({ client, correlation }) => client.frame(correlation))
    for (const { api, versions } of turn) {
      const base = baseOf(api)
      for (const version of versions) {
        const { mutationsMax, seed = 1 } = this.#options
        const options = { a, b, seed, ...(mutationsMax === undefined ? {} : { mutationsMax }) }
        const probes = probesOf(api, version, base, options)
        this.#askWithout(() => requireAll(api, version, probes))
        for (const probe of probes) {
          if (this.#options.isBusy) this.#acts.next(withA.a!)
          this.#compare(withA.b, withoutA.b, api, version, probe)
        }
      }
    }
    if (this.#options.isBusy !== true) {
      const after = [...photograph(withA.a!), ...withA.keptOf(tenantId)]
      this.#expectEqual(`${names}: what A has`, after, before)
      this.#expectEqual(`${names}: A's long polls`, polls(), polls().fill(undefined))
    }
    const expected = this.#askWithout(() => photograph(withoutA.b))
    this.#expectEqual(`${names}: B afterwards`, photograph(withA.b), expected)
  }

  #askWithout<T>(ask: () => T): T {
    try {
      return ask()
    } catch (cause) {
      throw new WithoutAError('it does not go on without A either', { cause })
    }
  }

  #compare(withA: Resident, withoutA: Resident, api: Api, version: number, probe: Probe): void {
    const base = baseOf(api)
    const mechanism = base.mechanism?.(probe.request)
    for (let node = 1; node <= withA.nodes; node++) {
      const options = mechanism === undefined ? { node } : { node, mechanism }
      const got = withA.ask(api, version, probe.request, options)
      const expected = this.#askWithout(() => withoutA.ask(api, version, probe.request, options))
      if (base.makesTopics === true) {
        withA.tidy()
        this.#askWithout(() => withoutA.tidy())
      }
      this.compared++
      this.byApi.set(api.name, (this.byApi.get(api.name) ?? 0) + 1)
      if (isDeepStrictEqual(got, expected) || this.#isMasked(api, version, got, expected)) continue
      this.findings.push({
        where: `${api.name} v${version} at node ${node}: ${probe.title}`,
        withA: wordsOf(api, version, got),
        withoutA: wordsOf(api, version, expected),
      })
    }
  }

  #isMasked(api: Api, version: number, got: Outcome, expected: Outcome): boolean {
    if (got.kind !== 'answered' || expected.kind !== 'answered') return false
    if (got.afterMs !== expected.afterMs) return false
    const mask = MASKS.find(({ apiKey }) => apiKey === api.key)
    if (mask === undefined) return false
    const left = (frame: Buffer) => mask.apply(api, version, frame)
    if (left(got.bytes) !== left(expected.bytes)) return false
    this.masked.set(mask.name, (this.masked.get(mask.name) ?? 0) + 1)
    return true
  }

  #expectEqual(where: string, got: readonly unknown[], expected: readonly unknown[]): void {
    if (isDeepStrictEqual(got, expected)) return
    const at = got.findIndex((one, n) => !isDeepStrictEqual(one, expected[n]))
    this.findings.push({
      where: `${where} (${at})`,
      withA: String(got[at]).slice(0, 2_000),
      withoutA: String(expected[at]).slice(0, 2_000),
    })
  }
}

/** What A does meanwhile: all that it can, over and over. */
class Acts {
  #at = 0

  next(a: Resident): void {
    const apis = servedApis.filter((api) => baseOf(api).mechanism === undefined && !MOVES.has(api))
    const api = apis[this.#at % apis.length]!
    const round = Math.floor(this.#at++ / apis.length)
    const { min, max } = api.validVersions
    const version = min + (round % (max - min + 1))
    const requests = requestsOf(api, version, baseOf(api), a.facts)
    a.act(api, version, requests[round % requests.length]!)
  }
}

/** Replicas that move change the load: see the exception `placement`. */
const MOVES: ReadonlySet<Api> = new Set<Api>([alterPartitionReassignments as Api])

/** A fault of the test, or of the engine, whoever is there. */
class WithoutAError extends Error {
  override name = 'WithoutAError'
}

/** What clients are told; the numbers of partitions are the engine's own. */
export const told = ({ partitionNumbers: _, ...facts }: Facts): unknown[] => Object.entries(facts)

/** Each field that names something is changed by one of the probes. */
function requireAll(api: Api, version: number, probes: readonly Probe[]): void {
  const changed = new Set(probes.map(({ path }) => path))
  const missing = [...boundPaths(api, version)].filter((path) => !changed.has(path))
  if (missing.length === 0) return
  throw new Error(`${api.name} v${version}: no base request names ${missing.join(', ')}`)
}

function wordsOf(api: Api, version: number, outcome: Outcome): string {
  if (outcome.kind === 'silent') return 'no answer'
  const after = `after ${outcome.afterMs} ms`
  if (outcome.kind === 'closed') return `closed ${after}`
  const { response } = decodeResponse(api, version, outcome.bytes)
  const words = JSON.stringify(response, (_key, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
  )
  return `${words} ${after}, correlation ${outcome.bytes.readInt32BE(0)}`
}

/** All that a tenant can see of its own, as it comes; it changes nothing. */
export function photograph(resident: Resident): string[] {
  // who has let go of a partition that was quiet takes it up again when it is asked, and answers the next time
  if (resident.isReplicated) see(resident)
  return see(resident)
}

function see(resident: Resident): string[] {
  const { facts } = resident
  const seen: string[] = []
  for (const api of servedApis) {
    const base = baseOf(api)
    if (base.changes === true || base.mechanism !== undefined) continue
    // see the exception `quorum`
    if (api === (describeQuorum as Api) && resident.spec.tenantId === null) continue
    const version = api.validVersions.max
    for (const request of requestsOf(api, version, base, facts)) {
      for (let node = 1; node <= resident.nodes; node++) {
        const outcome = resident.ask(api, version, request, { node })
        // which request it was on its connection is another each time
        const { response } =
          outcome.kind === 'answered'
            ? decodeResponse(api, version, outcome.bytes)
            : { response: outcome }
        // a log that is opened again knows when a producer was seen, and not its record's time; its group elects again
        const words = JSON.stringify(response, (key, value) =>
          key === 'lastTimestamp' || (key === 'leaderEpoch' && resident.isReplicated)
            ? undefined
            : value,
        )
        seen.push(`${api.name}: ${words}`)
      }
    }
  }
  return seen
}
