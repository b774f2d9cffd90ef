/** The admin API over a controller that leads, without threads and sockets. */
import { expect } from 'vitest'
import { addAdminApi } from '../../src/admin/admin-api.ts'
import type { ClientListener } from '../../src/admin/listener-routes.ts'
import { OperatorTokenGuard } from '../../src/admin/operator-token.ts'
import type { TenantRemains } from '../../src/admin/remains-routes.ts'
import type { Answered, FreshKey } from '../../src/admin/tenant-access.ts'
import type { TenantUse, TenantUses } from '../../src/admin/tenant-use.ts'
import { ManualClock } from '../../src/base/clock.ts'
import { ErrorCode } from '../../src/base/error-code.ts'
import type { TenantId } from '../../src/base/ids.ts'
import type { LogFields } from '../../src/base/log.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { ControllerAgent } from '../../src/controller/agent.ts'
import { applyMetadata } from '../../src/image/apply-metadata.ts'
import { MetadataImage } from '../../src/image/image.ts'
import type { ControllerRequest, ControllerResponse } from '../../src/image/request.ts'
import { ToldHoldings } from '../../src/link/tenant-holdings.ts'
import { HttpRouter } from '../../src/net/http-router.ts'
import { FakeEntryLog } from '../controller/fake-entry-log.ts'
import { SECRET } from '../controller/some-command.ts'
import { type OpenApi, OpenApiChecks } from './openapi-checks.ts'

export const TOKEN = '0123456789abcdef-token'

export const NO_USE: TenantUse = {
  ...{ connections: 0, connectionsLetIn: 0, connectionsRefused: 0 },
  ...{ bytesIn: 0, bytesOut: 0, requests: 0, errors: 0, inFlightBytes: 0 },
  ...{ frontSeconds: 0, partitionChanges: 0, brokers: [] },
}
const NOTHING_USED: TenantUses = { of: () => NO_USE, has: () => false, others: NO_USE }

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  // biome-ignore lint/suspicious/noExplicitAny: what it is, the schemas check
  readonly body: any
}

export class ApiWorld {
  readonly image = new MetadataImage()
  readonly holdings = new ToldHoldings(() => true)
  readonly router = new HttpRouter()
  readonly clock = new ManualClock()
  /** Lines of the controller's log. */
  readonly lines: [string, LogFields][] = []
  /** Turns that the controller takes before an answer is looked at. */
  turnsPerAsk = 3
  /** null: nobody answers. */
  isAnswering = true
  isImageWhole = true
  /** null: none is open. */
  listeners: readonly ClientListener[] | null = null
  remains: TenantRemains = { directories: [], files: [], looked: 3 }
  /** Resolves when keys are to be made. */
  keysHeld: Promise<void> = Promise.resolve()
  readonly #log = new FakeEntryLog()
  readonly #agent: ControllerAgent
  /** What tenants use. */
  uses: TenantUses = NOTHING_USED
  #answer: ControllerResponse | null = null
  #drawn = 0
  #checks: OpenApiChecks | null = null

  constructor() {
    const guard = new OperatorTokenGuard()
    guard.setToken(TOKEN)
    this.#agent = new ControllerAgent({
      ...{ log: this.#log, clock: this.clock, random: new SeededRandom(1) },
      logger: { log: (_level, message, fields = {}) => void this.lines.push([message, fields]) },
      settings: { cells: 1, brokersPerCell: 3, defaultPartitions: 1 },
      publish: (message) => void applyMetadata(this.image, structuredClone(message)),
      respond: (_front, _correlation, response) => {
        this.#answer = response
      },
    })
    this.turns(3)
    addAdminApi(this.router, (handler) => guard.always(handler), {
      holdings: this.holdings,
      ...{ image: this.image, version: '1.2.3', wallMs: () => 1_800_000_000_000 },
      isImageWhole: () => this.isImageWhole,
      listenersOf: () => this.listeners,
      remainsOf: async () => this.remains,
      ask: async (tenantId, request) => this.ask(tenantId, request) as Answered,
      newTenantId: () => `${++this.#drawn}`.padStart(16, 'a') as TenantId,
      makeKey: () => this.#makeKey(),
      readUses: () => this.uses,
    })
  }

  turns(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#agent.doWork(0)
      this.#log.commit()
    }
  }

  ask(tenantId: TenantId, request: ControllerRequest): ControllerResponse {
    if (!this.isAnswering) {
      const error = ErrorCode.REQUEST_TIMED_OUT
      return { kind: request.kind, error, message: 'The controller does not answer.' } as never
    }
    this.#agent.onRequest('front', tenantId, 1, request)
    this.turns(this.turnsPerAsk)
    return this.#answer!
  }

  /** Topics of a tenant, as its clients make them. */
  makeTopics(tenant: string, partitions: number, ...names: readonly string[]): void {
    const { tenantId } = this.image.tenantByName(tenant)!
    const topics = names.map((name) => ({
      ...{ name, partitions, replicationFactor: -1, assignments: [], configs: [] },
    }))
    const made = this.ask(tenantId, { kind: 'create-topics', validateOnly: false, topics })
    expect(made).toMatchObject({ results: names.map(() => ({ error: 0 })) })
  }

  /** Asks with the token, and checks the answer by the API's own description. */
  async call(
    method: string,
    target: string,
    body?: unknown,
    token: string | null = TOKEN,
  ): Promise<Answer> {
    const answer = await this.#handle(method, target, body, token)
    this.#checks ??= new OpenApiChecks(await this.openApi())
    const contentType = answer.headers['content-type']!
    const path = target.split('?')[0]!
    this.#checks.check(method, path, { ...answer, contentType })
    return answer
  }

  /** Status, what is wrong and what to do next, of what is refused. */
  async refusal(method: string, target: string, body?: unknown): Promise<unknown[]> {
    const answer = await this.call(method, target, body)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect(answer.body.status).toBe(answer.status)
    const { detail, next } = answer.body
    return [answer.status, detail, ...(next === undefined ? [] : [next])]
  }

  async openApi(): Promise<OpenApi> {
    return (await this.#handle('GET', '/admin/v1/openapi.json', undefined, TOKEN)).body
  }

  async #handle(method: string, target: string, body: unknown, token: string | null) {
    const { pathname, searchParams } = new URL(target, 'http://host')
    const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body)
    const response = await this.router.handle({
      ...{ method, path: decodeURIComponent(pathname), query: searchParams },
      body: body instanceof Uint8Array ? body : Buffer.from(text),
      header: (name) => (name === 'authorization' && token !== null ? `Bearer ${token}` : null),
      ...{ onLoopback: true, local: null, peerHost: null },
    })
    const { status, headers } = response
    return { status, headers, body: JSON.parse(`${response.body}`) }
  }

  async #makeKey(): Promise<FreshKey> {
    await this.keysHeld
    const number = ++this.#drawn
    return { keyId: `KEY${number}`, secret: `griot_secret-${number}`, secrets: [SECRET] }
  }
}
