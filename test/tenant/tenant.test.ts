import { expect, test } from 'vitest'
import { asCellId, asTenantId } from '../../src/base/ids.ts'
import { handlers } from '../../src/front/handlers.ts'
import { MetadataImage } from '../../src/image/image.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { namedBy, requireScopes } from '../../src/tenant/scope.ts'
import { NOBODY, Sessions } from '../../src/tenant/session.ts'

test('a handler must say how it scopes everything that its requests can name', () => {
  expect([...namedBy(produce)].sort()).toEqual(['topicId', 'topicName', 'transactionalId'])
  expect(() => requireScopes(produce, ['topicName', 'transactionalId'])).toThrow(/topicId/)
  expect(() =>
    requireScopes(produce, ['topicName', 'topicId', 'transactionalId', 'groupId']),
  ).toThrow(/groupId/)
  for (const { api, scopes } of handlers) requireScopes(api, scopes)
})

test('a connection without SASL belongs to the tenant default, once there is one', () => {
  const image = new MetadataImage()
  const sessions = new Sessions(image)
  expect(sessions.anonymous(null)).toBe('nobody can be served yet')
  const tenantId = asTenantId('00000000000000aa')
  image.apply({ kind: 'cluster-formed', format: 1, clusterId: 'c', cells: 1, brokersPerCell: 1 })
  image.apply({
    kind: 'tenant-created',
    tenantId,
    name: 'default',
    clusterId: 'l',
    cellId: asCellId(1),
  })
  expect(sessions.anonymous(null)).toEqual({ ...NOBODY, tenantId })
  expect(sessions.anonymous(null)).toBe(sessions.anonymous(null))
})
