/** Tenants of an embedded engine: made and addressed by whoever started it, without HTTP. Server's thread. */
import { ErrorCode, errorName } from '../base/error-code.ts'
import { asTenantId, type TenantId } from '../base/ids.ts'
import type { ControllerRequest } from '../image/request.ts'
import { ADMIN_USER } from '../image/tenant-settings.ts'
import type { ControlMessage, OperatorAnswer } from '../link/control.ts'
import { formatHostPort } from '../net/address.ts'
import { ANONYMOUS } from '../tenant/session.ts'
import { freshKey } from './fresh-key.ts'
import { hostWallMs } from './host-time.ts'
import { systemRandomHex } from './system-random.ts'
import { checkKeyOptions, checkTenantOptions, checkTextArgument } from './tenant-options.ts'

export interface TenantOptions {
  /** A label of DNS; one is drawn where there is none. */
  readonly name?: string
  /** Bounds of what it may have: `topics`, `partitions`, `connections`, `keys`, `users`, `storageBytes`, `groups`, `messageBytes`, `requestBytes`. */
  readonly limits?: Readonly<Record<string, number>>
  /** One that is there: its limits hold where the tenant has none of its own. */
  readonly plan?: string
}

export interface TenantKey {
  /** What Kafka clients call `sasl.username`. */
  readonly key: string
  /** What they call `sasl.password`. Nobody can tell it again. */
  readonly secret: string
}

/** A Kafka cluster of its own. Its addresses are its alone, and who does not authenticate there may do everything, whoever has made the tenant; at those of the engine its keys tell whose a client is. */
export interface GriotTenant {
  readonly name: string
  /** What its clients see as their cluster id. */
  readonly clusterId: string
  /** HOST:PORT of each broker, from broker 1. */
  readonly brokers: readonly string[]
  /** The same, joined by commas. */
  readonly bootstrapServers: string
  /** Makes an API key for SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512) at the engine's own addresses. `user` (`admin`, who may do everything): whom ACLs know it by, without `User:`. */
  createKey(options?: { readonly user?: string }): Promise<TenantKey>
  /** Clients that use the key lose their connections. */
  revokeKey(key: string): Promise<void>
  /** Its clients lose their connections, and everything that it has goes. Resolves when that is decided; it takes a moment then. */
  delete(): Promise<void>
}

/** Something about a tenant was refused; the message says what, and `code` is Kafka's name of the error. */
export class TenantError extends Error {
  override name = 'TenantError'
  readonly code: string

  constructor(error: number, message: string | null) {
    super(message ?? errorName(error))
    this.code = errorName(error)
  }
}

export interface EngineTenantsOptions {
  /** To the Kafka front. */
  readonly tell: (message: ControlMessage) => void
  /** An answer is waited for, and the process must not end meanwhile; or no longer. */
  readonly hold: (isHeld: boolean) => void
  /** Where tenants' own listeners are opened. */
  readonly host: () => string
}

export class EngineTenants {
  readonly #options: EngineTenantsOptions
  readonly #asked = new Map<number, (answer: OperatorAnswer) => void>()
  #correlation = 0
  #isStopped = false

  constructor(options: EngineTenantsOptions) {
    this.#options = options
  }

  onAnswer({ correlation, ...answer }: Extract<ControlMessage, { kind: 'operator-answer' }>): void {
    this.#asked.get(correlation)?.(answer)
    this.#asked.delete(correlation)
    if (this.#asked.size === 0) this.#options.hold(false)
  }

  /** Nobody answers any more. */
  stop(): void {
    this.#isStopped = true
    for (const answer of this.#asked.values()) answer(STOPPED)
    this.#asked.clear()
  }

  async create(options: TenantOptions): Promise<GriotTenant> {
    checkTenantOptions(options)
    const { name, limits, plan } = options
    const tenantId = asTenantId(systemRandomHex(16))
    const given = name ?? `tenant-${systemRandomHex(8)}`
    const settings = {
      superUsers: OWN_SUPER_USERS,
      ...(limits !== undefined && { limits }),
      ...(plan !== undefined && { plan }),
    }
    await this.#ask(tenantId, { kind: 'create-tenant', name: given, settings })
    return this.open(given)
  }

  /** One that is there. */
  async open(name: string): Promise<GriotTenant> {
    checkTextArgument('tenant', 'name', name)
    const host = this.#options.host()
    const { opened } = await this.#send((correlation) => ({
      ...{ kind: 'open-tenant', correlation, name, host },
    }))
    const { tenantId, clusterId, ports } = opened!
    const brokers = ports.map((port) => formatHostPort({ host, port }))
    return {
      ...{ name, clusterId, brokers, bootstrapServers: brokers.join(',') },
      createKey: (asked = {}) => this.#createKey(tenantId, asked),
      revokeKey: (key) => this.#revokeKey(tenantId, key),
      delete: () => this.#ask(tenantId, { kind: 'delete-tenant' }),
    }
  }

  async #createKey(tenantId: TenantId, options: { readonly user?: string }): Promise<TenantKey> {
    checkKeyOptions(options)
    const { user = ADMIN_USER } = options
    const { keyId, secret, secrets } = await freshKey()
    const createdAtMs = Math.floor(hostWallMs())
    await this.#ask(tenantId, { kind: 'create-key', keyId, user, createdAtMs, secrets })
    return { key: keyId, secret }
  }

  async #revokeKey(tenantId: TenantId, key: string): Promise<void> {
    checkTextArgument('revokeKey', 'key', key)
    await this.#ask(tenantId, { kind: 'revoke-key', keyId: key })
  }

  async #ask(tenantId: TenantId, request: ControllerRequest): Promise<void> {
    await this.#send((correlation) => ({
      ...{ kind: 'operator-request', correlation, tenantId, request },
    }))
  }

  async #send(message: (correlation: number) => ControlMessage): Promise<OperatorAnswer> {
    const answer = await new Promise<OperatorAnswer>((resolve) => {
      if (this.#isStopped) {
        resolve(STOPPED)
        return
      }
      const correlation = ++this.#correlation
      this.#asked.set(correlation, resolve)
      this.#options.hold(true)
      this.#options.tell(message(correlation))
    })
    if (answer.error !== ErrorCode.NONE) throw new TenantError(answer.error, answer.message)
    return answer
  }
}

/** Whoever makes one here may use it as it is at other listeners of the engine too, where these are of the tenant and let in who does not log in. */
const OWN_SUPER_USERS = [`User:${ADMIN_USER}`, ANONYMOUS]

const STOPPED: OperatorAnswer = {
  error: ErrorCode.NOT_CONTROLLER,
  message: 'the engine has stopped',
  opened: null,
}
