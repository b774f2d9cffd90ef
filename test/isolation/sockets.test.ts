/**
 * The same over real sockets, with two engines on threads of their own: in one there is another tenant. Real threads draw real ids and take real time, so codes, names, texts and
 * which ids are the same ones are compared, and not bytes.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Griot } from '../../dist/index.js'
import { servedApis } from '../../src/front/handlers.ts'
import { findCoordinator } from '../../src/protocol/10-find-coordinator.ts'
import { joinGroup } from '../../src/protocol/11-join-group.ts'
import { saslAuthenticate } from '../../src/protocol/36-sasl-authenticate.ts'
import type { Api } from '../../src/protocol/api.ts'
import { bases } from './bases.ts'
import type { Facts } from './facts.ts'
import { LiveClient } from './live-client.ts'
import { probesOf } from './probes.ts'
import { A, B, BROKERS } from './world.ts'

const OPTIONS = {
  brokers: BROKERS,
  logLevel: 'silent',
  brokerConfig: { 'offsets.topic.num.partitions': 2 },
} as const
/** What is another each time, whoever is there. */
const OWN_TO_A_RUN = new Set(['port', 'lastTimestamp', 'throttleTimeMs'])
const ID =
  /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{12}4[0-9a-f]{19}/g

/** A listener: its port is whichever was free. */
const ADDRESS = /(PLAINTEXT:\/\/127\.0\.0\.1):\d+/g

/** Of records, what could be a name: the rest has the time in it. */
const TEXT = /[ -~]{8,}/g

/** Ids as the n-th that is seen: the same ones are the same then, and others are not. What several brokers tell comes in any order. */
class Words {
  readonly #seen = new Map<string, string>()

  constructor({ clusterId, own, shared, internal, gone, group, sharedGroup }: Facts) {
    this.#nth(clusterId)
    for (const { topicId } of [own, shared, internal, gone]) this.#nth(topicId)
    for (const { memberId } of [group, sharedGroup]) this.#named(memberId)
  }

  of(answer: unknown): string {
    return JSON.stringify(this.#inOrder(answer))
  }

  #inOrder(value: unknown, key = ''): unknown {
    if (typeof value === 'string')
      return key === 'clusterId' ? this.#nth(value) : this.#named(value)
    if (value instanceof Uint8Array) {
      const texts = Buffer.from(value).toString('latin1').match(TEXT) ?? []
      return texts.map((text) => this.#named(text))
    }
    if (Array.isArray(value)) {
      const all = value.map((one) => this.#inOrder(one, key))
      return all.map((one) => JSON.stringify(one)).sort()
    }
    if (typeof value !== 'object' || value === null) {
      return key === 'sessionId' && value !== 0 ? this.#nth(`${value}`) : value
    }
    const entries = Object.entries(value).filter(([name]) => !OWN_TO_A_RUN.has(name))
    return Object.fromEntries(entries.map(([name, one]) => [name, this.#inOrder(one, name)]))
  }

  #named(text: string): string {
    return text.replaceAll(ADDRESS, '$1').replaceAll(ID, (id) => this.#nth(id))
  }

  #nth(id: string): string {
    const known = this.#seen.get(id) ?? `id ${this.#seen.size}`
    this.#seen.set(id, known)
    return known
  }
}

function isOwnToARun(api: Api, request: object, { own }: Facts): boolean {
  // where it is coordinated depends on the id, which is another in the other engine
  if (api === (findCoordinator as Api)) return JSON.stringify(request).includes(own.topicId)
  // it begins a rebalance, from which who does not come again is left out by real time: what the others are told then depends on how fast the machine is
  return api === (joinGroup as Api)
}

let engines: readonly Griot[] = []
let a: LiveClient
let withA: LiveClient
let withoutA: LiveClient

beforeAll(async () => {
  engines = await Promise.all([Griot.start(OPTIONS), Griot.start(OPTIONS)])
  a = await LiveClient.live(engines[0]!, A)
  withA = await LiveClient.live(engines[0]!, B)
  withoutA = await LiveClient.live(engines[1]!, B)
}, 60_000)

afterAll(async () => {
  for (const client of [a, withA, withoutA]) client?.close()
  await Promise.all(engines.map((griot) => griot.close()))
})

it('over real sockets, codes, names and ids are those of an engine without the other tenant', async () => {
  const words = [new Words(withA.facts), new Words(withoutA.facts)] as const
  const different: string[] = []
  let compared = 0
  for (const api of servedApis) {
    // a failed login delays that the next one is told to have failed
    if (api === (saslAuthenticate as Api)) continue
    const version = api.validVersions.max
    const [ours, theirs] = [withA, withoutA].map(({ facts: b }) =>
      probesOf(api, version, bases[api.key]!, { a: a.facts, b, seed: 1, mutationsMax: 0 }),
    )
    expect(ours!.map(({ path }) => path)).toEqual(theirs!.map(({ path }) => path))
    for (const [n, { title, request }] of ours!.entries()) {
      if (isOwnToARun(api, request, withA.facts)) continue
      const answers = await Promise.all([
        withA.ask(api, version, request),
        withoutA.ask(api, version, theirs![n]!.request),
      ])
      const [got, expected] = answers.map((answer, at) => words[at]!.of(answer))
      if (got !== expected) different.push(`${api.name}: ${title}\n${got}\n${expected}`)
      compared++
    }
  }
  process.stdout.write(`isolation: ${compared} requests compared over sockets\n`)
  expect(different).toEqual([])
  expect(compared).toBeGreaterThan(300)
}, 60_000)
