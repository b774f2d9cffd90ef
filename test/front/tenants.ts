/** Tenants and keys in a harness, and clients that log in with them. */
import type { TenantId } from '../../src/base/ids.ts'
import { SeededRandom } from '../../src/base/random.ts'
import type { ControllerRequest } from '../../src/image/request.ts'
import { saslHandshake } from '../../src/protocol/17-sasl-handshake.ts'
import { saslAuthenticate } from '../../src/protocol/36-sasl-authenticate.ts'
import { makeApiKey } from '../../src/tenant/api-key.ts'
import type { SaslCrypto } from '../../src/tenant/sasl-crypto.ts'
import { secretToStore } from '../../src/tenant/stored-credential.ts'
import type { FakeClient } from './fake-client.ts'
import type { Harness } from './harness.ts'
import { seededSaslCrypto } from './seeded-sasl-crypto.ts'

export interface Key {
  readonly key: string
  readonly secret: string
}

/** What an operator does, without HTTP. */
export class Operator {
  readonly #world: Harness
  readonly #crypto: SaslCrypto
  #drawn = 0

  constructor(world: Harness, crypto = seededSaslCrypto(new SeededRandom(11))) {
    this.#world = world
    this.#crypto = crypto
  }

  ask(tenantId: TenantId, request: ControllerRequest): void {
    let error = -1
    this.#world.front.services.controller.request(tenantId, request, (answer) => {
      error = 'error' in answer ? answer.error : -2
    })
    this.#world.run()
    if (error !== 0) throw new Error(`${request.kind}: ${error}`)
  }

  tenant(name: string, limits: Record<string, number> = {}): TenantId {
    const tenantId = `${++this.#drawn}`.padStart(16, 'a') as TenantId
    this.ask(tenantId, { kind: 'create-tenant', name, settings: { limits } })
    return tenantId
  }

  key(tenantId: TenantId, user = 'admin'): Key {
    let made: Key | null = null
    makeApiKey(this.#crypto, (key) => {
      if (key instanceof Error) throw key
      const { keyId, secret, credentials } = key
      const secrets = credentials.map(secretToStore)
      this.ask(tenantId, { kind: 'create-key', keyId, user, createdAtMs: 1, secrets })
      made = { key: keyId, secret }
    })
    return made!
  }
}

export const plainToken = (user: string, password: string): Buffer =>
  Buffer.from(`\0${user}\0${password}`)

/** Logs in by PLAIN; the answer to SaslAuthenticate. */
export function login(world: Harness, client: FakeClient, { key, secret }: Key) {
  client.send(saslHandshake, 1, { mechanism: 'PLAIN' })
  const asked = client.send(saslAuthenticate, 2, { authBytes: plainToken(key, secret) })
  world.run()
  return client.answer(saslAuthenticate, asked)
}
