import { describe, expect, it } from 'vitest'
import { CONFIG_CHARS_MAX, TENANT_CONFIG_CHARS_MAX } from '../../src/controller/config-sizes.ts'
import { BROKER, controller, DELETE, GROUP, OTHER, resource, SET, TOPIC } from './controller.ts'

const listOf = (count: number) => Array.from({ length: count }, (_, i) => `${i}:1`).join(',')

describe('what a tenant may set', () => {
  it('bounds what all resources of a tenant have together', () => {
    const one = controller()
    const throttled = 'leader.replication.throttled.replicas'
    const value = listOf(9_000)
    const chars = throttled.length + value.length
    const fit = Math.floor(TENANT_CONFIG_CHARS_MAX / chars)
    const create = (i: number) => one.create(`v${i}`, one.tenantId, { [throttled]: value })
    const said = Array.from({ length: fit }, (_, i) => create(i))
    expect(new Set(said)).toEqual(new Set(['NONE']))
    const used = fit * chars
    const refused = (more: number) =>
      `POLICY_VIOLATION: The configs of all topics, brokers and groups may take ${TENANT_CONFIG_CHARS_MAX} characters: ${used} are used, ${more} more are asked for.`
    expect(create(fit)).toBe(refused(chars))
    const set = resource(TOPIC, 't', [throttled, SET, value])
    expect(one.alter([set]).said).toEqual([refused(chars)])
    const plugin = resource(BROKER, '1', ['some.plugin', SET, 'x'.repeat(chars - 11)])
    expect(one.alter([plugin]).said).toEqual([refused(chars)])
    // a little still fits, as much as is left, and of one request each takes from it
    const left = TENANT_CONFIG_CHARS_MAX - used
    const group = (name: string) =>
      resource(GROUP, name, ['consumer.session.timeout.ms', SET, '46000'])
    const groups = Math.floor(left / (1_000 + 32))
    const asked = Array.from({ length: groups + 1 }, (_, i) => group(`${i}`.padStart(1_000, 'g')))
    const verdicts = one.alter(asked).said
    expect(verdicts.slice(0, groups)).toEqual(Array(groups).fill('NONE'))
    expect(verdicts[groups]).toContain(`, ${1_000 + 32} more are asked for`)
    // what is as large as before passes; other tenants have their own, and the engine's own topics are made
    expect(one.alter([resource(TOPIC, 'v0', [throttled, SET, `1${value.slice(1)}`])]).said).toEqual(
      ['NONE'],
    )
    expect(one.create('v', OTHER, { [throttled]: value })).toBe('NONE')
    expect(one.create('__consumer_offsets', one.tenantId)).toBe('NONE')
    // what is given back makes room
    one.alter([resource(GROUP, '0'.padStart(1_000, 'g'), ['consumer.session.timeout.ms', DELETE])])
    expect(one.alter([asked[groups]!]).said).toEqual(['NONE'])
    expect(one.alter([set]).said[0]).toContain('more are asked for')
    one.remove('v1')
    expect(one.alter([set]).said).toEqual(['NONE'])
  })

  it('knows no group with an id so long that no coordinator would take it', () => {
    const name = 'g'.repeat(1_025)
    const long = resource(GROUP, name, ['consumer.session.timeout.ms', SET, '46000'])
    expect(controller().alter([long]).said).toEqual([
      'POLICY_VIOLATION: A group id of 1025 characters cannot have configs, the limit is 1024.',
    ])
  })

  it('bounds what a topic is created with as what it is set to', () => {
    const value = listOf(15_000)
    const one = controller()
    const configs = { 'leader.replication.throttled.replicas': value }
    const said = one.create('v', one.tenantId, configs)
    expect(said).toContain(`the limit is ${CONFIG_CHARS_MAX}`)
  })
})
