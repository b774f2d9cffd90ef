import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import type { StoredSecret } from '../../src/image/entry.ts'
import { packSecrets, unpackSecrets } from '../../src/image/packed-secrets.ts'
import { TenantAccess } from '../../src/image/tenant-access.ts'
import { ACME } from './support.ts'

const bytes = (random: SeededRandom, length: number): string =>
  Buffer.from(Array.from({ length }, () => random.below(256))).toString('base64')

const some = (random: SeededRandom): StoredSecret => {
  const isLong = random.chance(0.5)
  const key = () => bytes(random, isLong ? 64 : 32)
  return {
    mechanism: isLong ? 'SCRAM-SHA-512' : 'SCRAM-SHA-256',
    iterations: 4_096 + random.below(12_289),
    ...{ salt: bytes(random, 4 + random.below(125)), storedKey: key(), serverKey: key() },
  }
}

test('packed secrets are those that they were, in a byte for a byte', () => {
  const random = new SeededRandom(1)
  for (let round = 0; round < 500; round++) {
    const secrets = Array.from({ length: random.below(3) }, () => some(random))
    expect(unpackSecrets(packSecrets(secrets))).toEqual(secrets)
  }
  const two = [some(random), some(random)]
  const inBytes = two.flatMap((one) => [one.salt, one.storedKey, one.serverKey])
  const length = inBytes.reduce((sum, one) => sum + Buffer.from(one, 'base64').length, 0)
  expect(packSecrets(two)).toHaveLength(length + 16)
})

test('a tenant’s keys are those of a plain map, one or many, over any coming and going', () => {
  const random = new SeededRandom(2)
  const access = new TenantAccess()
  const live = new Map<string, string>()
  for (let step = 0; step < 2_000; step++) {
    const keyId = `K${random.below(4)}`
    if (live.delete(keyId)) access.revokeKey(keyId)
    else {
      const user = random.chance(0.5) ? 'admin' : `u${step}`
      const entry = { kind: 'api-key', tenantId: ACME, keyId, user, createdAtMs: step } as const
      access.addKey({ ...entry, secrets: [some(random)] })
      live.set(keyId, user)
    }
    const keys = Array.from(access.keys(), (key) => [key.keyId, key.user])
    expect(keys.sort()).toEqual([...live].sort())
    expect([access.keyCount, access.isEmpty]).toEqual([live.size, live.size === 0])
    for (const one of ['K0', 'K1', 'K2', 'K3']) {
      expect(access.key(one)?.user).toBe(live.get(one))
    }
  }
})
