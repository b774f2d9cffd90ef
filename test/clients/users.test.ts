/** Users and ACLs of one tenant by Apache Kafka's own tools, and how they are enforced for other clients. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Griot } from '../../dist/index.js'
import type { GriotTenant } from '../../src/server/engine-tenants.ts'
import { KafkaTools, kafkajsOf, kcatLogin, type Login } from './login.ts'
import { missing } from './requirements.ts'
import { run } from './run.ts'

const keyLogin = ({ key, secret }: { readonly key: string; readonly secret: string }): Login => ({
  ...{ mechanism: 'PLAIN', username: key, password: secret },
})

describe.skipIf(missing('java') || missing('kcat'))('users and ACLs of a tenant', () => {
  const tools = new KafkaTools()
  let griot: Griot
  let acme: GriotTenant
  let admin: Login
  let bob: Login

  const tool = async (name: string, who: Login, ...args: string[]) => {
    const common = ['--bootstrap-server', griot.brokers.join(','), '--command-config']
    return await tools.run(name, [...common, tools.config(who), ...args])
  }
  const topics = (who: Login, ...args: string[]) =>
    tool('org.apache.kafka.tools.TopicCommand', who, ...args)
  const acls = (who: Login, ...args: string[]) =>
    tool('org.apache.kafka.tools.AclCommand', who, ...args)
  const users = (who: Login, ...args: string[]) =>
    tool('kafka.admin.ConfigCommand', who, '--entity-type', 'users', ...args)

  beforeAll(async () => {
    griot = await Griot.start({ brokers: 1, logLevel: 'silent' })
    acme = await griot.createTenant({ name: 'acme' })
    admin = keyLogin(await acme.createKey())
    bob = keyLogin(await acme.createKey({ user: 'bob' }))
  }, 60_000)

  afterAll(async () => {
    tools.close()
    await griot?.close()
  })

  it('kafka-topics: who has a right of none sees and makes none', async () => {
    expect(await topics(admin, '--create', '--topic', 'orders', '--partitions', '1')).toMatchObject(
      { code: 0 },
    )
    expect((await topics(admin, '--list')).stdout).toBe('orders')
    expect((await topics(bob, '--list')).stdout).toBe('')
    const refused = await topics(bob, '--create', '--topic', 'more')
    expect(refused.stdout).toContain('Error while executing topic command : Authorization failed.')
    const described = await topics(bob, '--describe', '--topic', 'orders')
    expect(described).toMatchObject({ code: 1 })
  }, 120_000)

  it('kafka-acls: rights are given, told and taken, and hold for kafkajs and kcat from then on', async () => {
    const given = await acls(
      admin,
      ...['--add', '--allow-principal', 'User:bob', '--operation', 'Read', '--operation', 'Write'],
      ...['--topic', 'ord', '--resource-pattern-type', 'prefixed'],
    )
    expect(given).toMatchObject({ code: 0 })
    const told = await acls(admin, '--list')
    expect(told.stdout).toContain('resourceType=TOPIC, name=ord, patternType=PREFIXED')
    expect(told.stdout).toContain('principal=User:bob, host=*, operation=WRITE')
    expect((await acls(bob, '--list')).stdout).toContain('ClusterAuthorizationException')
    const kafka = kafkajsOf(griot.brokers, bob)
    const producer = kafka.producer({ idempotent: true })
    await producer.connect()
    await producer.send({ topic: 'orders', messages: [{ value: 'from bob' }] })
    await expect(
      kafka.producer().send({ topic: 'other', messages: [{ value: 'x' }] }),
    ).rejects.toThrow()
    const read = (group: string[]) =>
      run('kcat', ['-b', griot.brokers.join(','), ...kcatLogin(bob), ...group])
    const partition = ['-C', '-t', 'orders', '-p', '0', '-o', 'beginning', '-e', '-q']
    expect((await read(partition)).stdout).toBe('from bob\n')
    const inGroup = await read(['-G', 'readers', '-e', '-q', 'orders'])
    expect(inGroup.stderr).toContain('Group authorization failed.')
    const taken = await acls(
      ...[admin, '--remove', '--force', '--allow-principal', 'User:bob', '--operation', 'Write'],
      ...['--topic', 'ord', '--resource-pattern-type', 'prefixed'],
    )
    expect(taken).toMatchObject({ code: 0 })
    // on the connection that it has
    await expect(
      producer.send({ topic: 'orders', messages: [{ value: 'too late' }] }),
    ).rejects.toThrow(/[Nn]ot authorized/)
    await producer.disconnect()
    expect((await read(partition)).stdout).toBe('from bob\n')
  }, 170_000)

  it('kafka-configs: a SCRAM user is made, logs in at both addresses, and is gone when it is removed', async () => {
    const password = 'wonder'
    const add = 'SCRAM-SHA-256=[iterations=8192,password=wonder]'
    const made = await users(admin, '--entity-name', 'alice', '--alter', '--add-config', add)
    expect(made.stdout).toContain('Completed updating config for user alice.')
    const described = await users(admin, '--entity-name', 'alice', '--describe')
    expect(described.stdout).toContain('SCRAM-SHA-256=iterations=8192')
    const refused = await users(bob, '--entity-name', 'eve', '--alter', '--add-config', add)
    expect(refused.stdout).toContain('ClusterAuthorizationException')
    await acls(
      ...[admin, '--add', '--allow-principal', 'User:alice', '--operation', 'Read'],
      ...['--topic', 'orders'],
    )
    const scram = { mechanism: 'SCRAM-SHA-256', password } as const
    const common: Login = { ...scram, username: 'acme/alice' }
    expect((await topics(common, '--list')).stdout).toBe('orders')
    const seen = await run('kcat', [
      ...['-b', acme.bootstrapServers, ...kcatLogin({ ...scram, username: 'alice' })],
      ...['-C', '-t', 'orders', '-p', '0', '-o', 'beginning', '-e', '-q'],
    ])
    expect(seen.stdout).toBe('from bob\n')
    const admins = kafkajsOf(acme.brokers, { ...scram, username: 'alice' }).admin()
    await admins.connect()
    expect(await admins.listTopics()).toEqual(['orders'])
    await admins.disconnect()
    const removed = await users(
      ...[admin, '--entity-name', 'alice', '--alter', '--delete-config', 'SCRAM-SHA-256'],
    )
    expect(removed).toMatchObject({ code: 0 })
    expect((await topics(common, '--list')).stdout).toContain(
      'Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-256',
    )
  }, 170_000)
})
