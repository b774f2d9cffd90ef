import { expect, test } from 'vitest'
import { asTenantId } from '../../src/base/ids.ts'
import type { StoredSecret } from '../../src/image/entry.ts'
import { MetadataImage } from '../../src/image/image.ts'
import { API_KEY_SHAPE, MadeUpCredentials, shapeOf } from '../../src/tenant/made-up-credentials.ts'
import { UserShapes } from '../../src/tenant/user-shapes.ts'
import { seededCrypto, utf8 } from './scram-client.ts'

const tenantId = asTenantId('a'.repeat(32))
const crypto = seededCrypto()
const secret = crypto.randomBytes(32)

const stored = (iterations: number, salt = 'cxxf1e8ktg897q5ib8932odjv'): StoredSecret => ({
  ...{ mechanism: 'SCRAM-SHA-256', iterations, salt: utf8(salt).toString('base64') },
  ...{ storedKey: '', serverKey: '' },
})

const userSecrets = (user: string, ...secrets: StoredSecret[]) =>
  ({ kind: 'user-secrets', tenantId, user, secrets }) as const

test('are those of keys, and of the users that there are or were, each once', () => {
  const shapes = new UserShapes()
  expect(shapes.all).toEqual([API_KEY_SHAPE])
  shapes.onEntries([userSecrets('a', stored(4096)), userSecrets('b', stored(4096))])
  shapes.onEntries([userSecrets('a', stored(8192, 'four'))])
  shapes.onEntries([userSecrets('a')])
  expect(shapes.all.slice(1)).toEqual([
    [{ mechanism: 'SCRAM-SHA-256', iterations: 4096, salt: 'kafka' }],
    [{ mechanism: 'SCRAM-SHA-256', iterations: 8192, salt: 4 }],
  ])
})

test('are taken from a whole image', () => {
  const image = new MetadataImage()
  const [clusterId, name] = ['physical', 'acme']
  for (const entry of [
    { kind: 'cluster-formed', format: 5, clusterId, cells: 1, brokersPerCell: 1 },
    { kind: 'tenant-created', tenantId, name, clusterId: 'acme', cellId: 1 },
    userSecrets('a', stored(5000)),
  ]) {
    image.apply(entry as never)
  }
  const shapes = new UserShapes()
  shapes.lookAt(image)
  expect(shapes.all.slice(1)).toEqual([
    [{ mechanism: 'SCRAM-SHA-256', iterations: 5000, salt: 'kafka' }],
  ])
})

test('are 32 at most', () => {
  const shapes = new UserShapes()
  for (let n = 0; n < 100; n++) shapes.onEntries([userSecrets('a', stored(4096 + n))])
  expect(shapes.all).toHaveLength(32)
})

test('change with a new kind for few of those who do not exist', () => {
  const shapes = new UserShapes()
  for (let n = 1; n < 9; n++) shapes.onEntries([userSecrets('a', stored(4096 + n))])
  const madeUp = new MadeUpCredentials({ crypto, secret, shapes: shapes.all })
  const names = Array.from({ length: 1000 }, (_, n) => `user-${n}`)
  const seen = () => names.map((name) => madeUp.of('SCRAM-SHA-256', name))
  const before = seen()
  shapes.onEntries([userSecrets('a', stored(9000))])
  const after = seen()
  const changed = names.filter((_, n) => before[n]!.iterations !== after[n]!.iterations)
  expect(changed.length).toBeGreaterThan(50)
  expect(changed.length).toBeLessThan(170)
  for (const [n, credential] of after.entries()) {
    if (before[n]!.iterations === credential.iterations) expect(credential).toEqual(before[n])
    else expect(shapeOf(credential).iterations).toBe(9000)
  }
  // each kind is somebody's
  expect(new Set(after.map(({ iterations }) => iterations)).size).toBe(10)
})
