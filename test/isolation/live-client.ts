/** The clients of one tenant of a real engine. */
import type { Griot } from '../../dist/index.js'
import { asTenantId } from '../../src/base/ids.ts'
import type { Api, RequestInputOf } from '../../src/protocol/api.ts'
import { decodeResponse, encodeRequest, joinFrame } from '../../src/protocol/codec.ts'
import type { GriotTenant } from '../../src/server/engine-tenants.ts'
import { Link } from '../conformance/link.ts'
import { withDefaults } from '../conformance/loose.ts'
import type { Facts } from './facts.ts'
import { type Call, TenantLife } from './tenant-life.ts'
import type { TenantSpec } from './world.ts'

export type LiveSpec = Pick<TenantSpec, 'name' | 'sharedPartitions'>

const ANSWER_MS = 4_000

export class LiveClient {
  readonly facts: Facts
  readonly #tenant: GriotTenant
  readonly #polls: Link[]
  #link: Link | null = null
  #correlation = 0

  private constructor(tenant: GriotTenant, facts: Facts, polls: Link[]) {
    this.#tenant = tenant
    this.facts = facts
    this.#polls = polls
  }

  static async live(griot: Griot, { name, sharedPartitions }: LiveSpec) {
    const tenant = await griot.createTenant({ name })
    const life = new TenantLife({
      // the engine's own id of it is told to nobody
      tenantId: asTenantId('f'.repeat(16)),
      ...{ name, keyId: null, sharedPartitions, polls: 1 },
      timeMs: Date.now(),
    })
    const polls: Link[] = []
    const client = new LiveClient(tenant, null as unknown as Facts, polls)
    for (const step of life.steps) {
      const calls = step()
      for (let next = calls.next(); next.done !== true; ) {
        next = calls.next(await client.#take(next.value))
      }
    }
    const facts = life.facts({ partitionNumbers: [7, 8], directoryId: 'd'.repeat(32) })
    return new LiveClient(tenant, facts, polls)
  }

  async #take({ api, version, request, isPoll }: Call): Promise<unknown> {
    if (isPoll !== true) {
      const frame = await this.#exchange(api, version, request)
      if (typeof frame === 'string') throw new Error(`${api.name}: ${frame}`)
      return decodeResponse(api, version, frame).response
    }
    const link = await Link.open(this.#tenant.brokers[0]!)
    link.write(frameOf(api, version, request, 1))
    this.#polls.push(link)
    return undefined
  }

  /** In words that two engines have in common. */
  async ask(api: Api, version: number, request: object): Promise<unknown> {
    const frame = await this.#exchange(api, version, request)
    return typeof frame === 'string' ? frame : decodeResponse(api, version, frame).response
  }

  close(): void {
    for (const link of [...this.#polls, this.#link]) link?.close()
  }

  async #exchange(api: Api, version: number, request: object): Promise<Buffer | string> {
    if (this.#link?.isOpen !== true) this.#link = await Link.open(this.#tenant.brokers[0]!)
    const correlation = ++this.#correlation
    const frame = frameOf(api, version, request, correlation)
    const outcome = await this.#link.exchange(frame, correlation, ANSWER_MS)
    return outcome.kind === 'answer' ? outcome.frame : outcome.kind
  }
}

function frameOf(api: Api, version: number, request: object, correlation: number): Buffer {
  const full = withDefaults(api.request, request as Record<string, unknown>)
  const input = full as RequestInputOf<Api>
  return joinFrame(encodeRequest(api, version, correlation, 'a-client', input))
}
