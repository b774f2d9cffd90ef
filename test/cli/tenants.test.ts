/** `griot tenant` and `griot key` against `griot start`: one engine, step by step. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GriotProcess, griot } from './griot-process.ts'

let directory: string
let engine: GriotProcess
let url: string
let brokers: string[]
beforeAll(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-tenants-'))
  const fixed = ['--kafka-listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0', '--memory', '64M']
  engine = new GriotProcess(['start', '--data-dir', dataDir(), '--brokers', '1', ...fixed])
  url = (await engine.prints(/(http:\/\/127\.0\.0\.1:\d+)/))[1]!
  brokers = [(await engine.prints(/Kafka +(127\.0\.0\.1:\d+)/))[1]!]
}, 30_000)
afterAll(async () => {
  await engine.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

const dataDir = () => path.join(directory, 'data')
const run = (...args: string[]) => griot([...args, '--data-dir', dataDir()])
const tenant = (...args: string[]) => run('tenant', ...args)
const key = (...args: string[]) => run('key', ...args)

/** What a command prints with `--json`. */
async function jsonOf(ended: ReturnType<typeof run>) {
  const { code, stdout, stderr } = await ended
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}

const client = (username: string, password: string) =>
  new Kafka({
    ...{ brokers, logLevel: logLevel.NOTHING, retry: { retries: 0 } },
    sasl: { mechanism: 'plain', username, password },
  })

describe('griot tenant', () => {
  test('makes tenants, and shows them', async () => {
    const made = await tenant('create', 'acme', '--limit', 'topics=100', '--limit', 'keys=3')
    expect(made).toMatchObject({
      ...{ code: 0, stderr: '' },
      stdout: expect.stringMatching(
        /^tenant acme: created, cluster id [\w-]{22}\n.*key create acme/,
      ),
    })
    const more = ['--super-user', 'User:root', '--allow-everyone-if-no-acl', '--json']
    expect(await jsonOf(tenant('create', 'emca', ...more))).toMatchObject({
      ...{ name: 'emca', state: 'active', superUsers: ['User:root'], allowEveryoneIfNoAcl: true },
    })
    const { stdout } = await tenant('list')
    expect(stdout.split('\n').map((line) => line.replace(/ +/g, ' '))).toEqual([
      'NAME STATE TOPICS PARTITIONS KEYS CLUSTER-ID',
      expect.stringMatching(/^acme active 0 0 0 [\w-]{22}$/),
      expect.stringMatching(/^default active 0 0 0 [\w-]{22}$/),
      expect.stringMatching(/^emca active 0 0 0 [\w-]{22}$/),
      '',
    ])
    const all = await jsonOf(tenant('ls', '--json'))
    expect(all.map(({ name }: { name: string }) => name)).toEqual(['acme', 'default', 'emca'])
    const described = await tenant('describe', 'acme')
    expect(described.stdout).toMatch(/^NAME +acme\nSTATE +active\nCLUSTER-ID +[\w-]{22}\n/)
    expect(described.stdout).toMatch(
      /\ntopics +0 +100 +its own\npartitions +0 +- +-\nconnections +0 +- +-\nkeys +0 +3 +its own\nusers +0 +1000 +default\n(.*\n)*\nUSE +SINCE START\nconnectionsLetIn +0\n/,
    )
    expect(described.stdout).toMatch(/\nbytesIn +0\n(.|\n)*\nbrokerMs +0\n$/)
  }, 30_000)

  test('changes them', async () => {
    const limits = ['--limit', 'topics=5', '--limit', 'keys=none', '--limit', 'partitions=7']
    const access = ['--no-super-users', '--allow-everyone-if-no-acl', 'false']
    expect(await jsonOf(tenant('update', 'emca', ...limits, ...access, '--json'))).toMatchObject({
      limits: { topics: 5, partitions: 7, connections: null, keys: 1_000 },
      ...{ superUsers: [], allowEveryoneIfNoAcl: false },
    })
    const changed = await tenant('set', 'emca', '--limit', 'topics=none')
    expect(changed.stdout).toMatch(/^tenant emca: changed\n(.|\n)*\ntopics +0 +- +-\n/)
    expect(await tenant('suspend', 'emca')).toMatchObject({
      ...{
        code: 0,
        stdout: 'tenant emca: suspended; `griot tenant resume emca` lets its clients in again\n',
      },
    })
    expect((await jsonOf(tenant('describe', 'emca', '--json'))).state).toBe('suspended')
    expect(await tenant('resume', 'emca')).toMatchObject({
      code: 0,
      stdout: 'tenant emca: active\n',
    })
  }, 30_000)

  test('gives them plans', async () => {
    const plan = (...args: string[]) => run('plan', ...args)
    const made = await plan('create', 'small', '--limit', 'topics=5', '--limit', 'keys=2K')
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^plan small: created\n/) })
    await jsonOf(tenant('create', 'planned', '--plan', 'small', '--limit', 'users=1', '--json'))
    const { stdout } = await tenant('describe', 'planned')
    expect(stdout).toMatch(/\nPLAN +small\n(.|\n)*\ntopics +0 +5 +plan\n/)
    expect(stdout).toMatch(/\nkeys +0 +2048 +plan\nusers +0 +1 +its own\n/)
    expect((await plan('list')).stdout).toMatch(/\nsmall +1 +topics=5 keys=2048\n/)
    const changed = await plan('update', 'small', '--limit', 'topics=6')
    expect(changed.stdout).toMatch(/^plan small: changed\n(.|\n)*\ntopics +6\n/)
    expect((await jsonOf(tenant('describe', 'planned', '--json'))).limits.topics).toBe(6)
    expect((await plan('describe', 'small')).stdout).toMatch(/^NAME +small\nTENANTS +1\n/)
    expect(await plan('delete', 'small', '--yes')).toMatchObject({
      ...{ code: 1, stdout: '' },
      stderr:
        "griot: 1 tenant has the plan 'small': planned; `griot tenant update TENANT --plan PLAN` gives another\n",
    })
    expect((await plan('delete', 'small')).code).toBe(2)
    await jsonOf(tenant('update', 'planned', '--plan', 'none', '--json'))
    expect(await plan('delete', 'small', '--yes')).toMatchObject({
      stdout: 'plan small: deleted\n',
    })
    expect(await plan('describe', 'small')).toMatchObject({
      stderr: "griot: there is no plan 'small'; `griot plan list` shows those that there are\n",
    })
    expect(await plan('update', 'small')).toMatchObject({ code: 2 })
    await tenant('delete', 'planned', '--yes')
  }, 30_000)

  test('deletes one with all it has, and waits for that', async () => {
    expect(await tenant('delete', 'emca')).toMatchObject({
      ...{ code: 2, stdout: '' },
      stderr:
        'griot: all that tenant emca has would be lost: 0 topics with 0 partitions and 0 keys (emca): --yes says that this is meant\n',
    })
    expect((await jsonOf(tenant('describe', 'emca', '--json'))).state).toBe('active')
    const there = await tenant('delete', 'emca', '--yes', '--verify')
    expect([there.code, there.stderr]).toEqual([1, expect.stringContaining(' is there, active: 0')])
    expect((await jsonOf(tenant('describe', 'emca', '--json'))).state).toBe('active')
    const deleted = await tenant('delete', 'emca', '--yes')
    const [, id] = /^tenant emca \(id ([0-9a-f]{16})\): deleted\n$/.exec(deleted.stdout)!
    const verified = await tenant('delete', id!, '--verify')
    expect(verified.code).toBe(0)
    expect(verified.stdout).toMatch(
      /^tenant \w{16}: deleted\n\nWHAT +LEFT +GOES\ntopics +0 +gone\n/,
    )
    expect(verified.stdout).toMatch(/\ndirectories +0 +gone\nmetadata files that name it +\d +when/)
    expect(await tenant('delete', 'emca', '--yes')).toMatchObject({
      ...{
        code: 1,
        stderr:
          'griot: there is no tenant "emca"; `griot tenant list` shows those that there are\n',
      },
    })
    const again = await tenant('delete', 'emca', '--verify')
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('not any more')])
    await tenant('create', 'brief')
    const left = await jsonOf(tenant('delete', 'brief', '--yes', '--no-wait', '--json'))
    expect(left).toMatchObject({
      tenant: 'brief',
      tenantId: expect.stringMatching(/^[0-9a-f]{16}$/),
      status: expect.stringMatching(/^delet(ed|ing)$/),
    })
    expect(await tenant('delete', 'default', '--yes')).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('`griot tenant suspend default` keeps') },
    })
  }, 30_000)

  test('says what is wrong, and what to do', async () => {
    expect(await tenant('create', 'acme')).toMatchObject({
      ...{
        code: 1,
        stderr: "griot: a tenant 'acme' exists already; `griot tenant describe acme` shows it\n",
      },
    })
    const unknown = await tenant('describe', 'nobody', '--json')
    const message = "there is no tenant 'nobody'; `griot tenant list` shows those that there are"
    expect([unknown.code, JSON.parse(unknown.stdout)]).toEqual([1, { error: { message } }])
    const elsewhere = await griot(['tenant', 'list', '--url', url])
    expect(elsewhere).toMatchObject({
      ...{
        code: 1,
        stderr: expect.stringContaining('wants the operator token: it is in the data'),
      },
    })
    const none = await griot(['tenant', 'list', '--data-dir', path.join(directory, 'none')])
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('`griot start` starts') })
  }, 30_000)

  test.each([
    [['create', 'A B'], "name: the tenant name 'A B' is refused"],
    [['create'], "missing required argument 'NAME'"],
    [
      ['create', 'x', '--limit', 'topics'],
      'option --limit: "topics" is refused, it wants LIMIT=MAX',
    ],
    [['create', 'x', '--limit', 'topics=-1'], 'option --limit: "topics=-1" is refused'],
    [
      ['create', 'x', '--limit', 'quota=1'],
      'limits.quota: there is no such field; there is topics,',
    ],
    [['create', 'x', '--super-user', 'root'], 'The principal "root" has no colon'],
    [['set', 'acme'], 'nothing is to change: give --plan'],
    [['set', 'acme', '--allow-everyone-if-no-acl', 'no'], 'it wants true or false'],
    [['suspend', 'acme', 'emca'], 'too many arguments'],
    [['remove', 'acme'], "unknown command 'remove'"],
  ])('refuses %j', async (args, text) => {
    const known = args[0] === 'remove' ? griot(['tenant', ...args]) : tenant(...args)
    const ended = await known
    expect([ended.code, ended.stderr]).toEqual([2, expect.stringContaining(text)])
  })
})

describe('griot key', () => {
  test('makes keys that clients come in with, until they are revoked', async () => {
    const shown = await key('create', 'acme')
    expect([shown.code, shown.stderr]).toEqual([0, ''])
    expect(shown.stdout).toContain(`bootstrap.servers=${brokers[0]}\n`)
    expect(shown.stdout).toContain('shown this once')
    const jaas = /PlainLoginModule required username="(\w+)" password="(griot_[\w-]+)";/
    const [, username, password] = jaas.exec(shown.stdout)!
    expect(shown.stdout).toContain(`-X sasl.username=${username} -X sasl.password=${password}\n`)
    const admin = client(username!, password!).admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 'orders', numPartitions: 2 }] })
    const { used, clusterId } = await jsonOf(tenant('describe', 'acme', '--json'))
    expect(used).toMatchObject({ topics: 1, partitions: 2, connections: 1, keys: 1, users: 0 })
    expect((await admin.describeCluster()).clusterId).toBe(clusterId)
    await admin.disconnect()
    expect(await key('revoke', 'acme', username!)).toMatchObject({
      ...{ code: 0, stdout: `key ${username}: revoked\n` },
    })
    const late = client(username!, password!).admin()
    await expect(late.connect()).rejects.toThrow('SASL')
    await late.disconnect()
    expect(engine.stderr).toContain('"API key made"')
    expect(engine.stderr).toContain('"API key revoked"')
    expect(engine.stderr).not.toContain(password)
  }, 30_000)

  test('prints them as a file that clients read, and nothing else', async () => {
    await tenant('create', 'files')
    const { key: id } = await jsonOf(key('create', 'files', '--json'))
    const librdkafka = await key('create', 'files', '--properties', 'librdkafka')
    const bootstrap = `bootstrap.servers=${brokers[0]}\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n`
    const login = /^sasl\.username=(\w{16})\nsasl\.password=(griot_[\w-]+)\n$/
    expect(librdkafka.stdout.startsWith(bootstrap)).toBe(true)
    const [, username, password] = login.exec(librdkafka.stdout.slice(bootstrap.length))!
    const admin = client(username!, password!).admin()
    await admin.connect()
    await admin.disconnect()
    const java = await key('create', 'files', '--properties', 'java')
    expect(java.stdout.split('\n').map((line) => line.split('=')[0])).toEqual([
      ...['bootstrap.servers', 'security.protocol', 'sasl.mechanism', 'sasl.jaas.config', ''],
    ])
    const wrong = await key('create', 'files', '--properties', 'go')
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("'go' is refused")])
    const listed: { key: string }[] = await jsonOf(key('list', 'files', '--json'))
    expect(listed).toHaveLength(3)
    for (const one of listed) await key('revoke', 'files', one.key)
    expect(listed.map((one) => one.key)).toContain(id)
  }, 30_000)

  test('lists them, and says what is wrong', async () => {
    const alice = await jsonOf(key('create', 'acme', '--user', 'alice', '--json'))
    expect(alice).toEqual({ key: expect.any(String), secret: expect.any(String), user: 'alice' })
    const listed = await key('list', 'acme')
    expect(listed.stdout).toMatch(
      new RegExp(`^KEY +USER +CREATED\n${alice.key} +alice +20\\S+Z\n$`),
    )
    expect(listed.stdout).not.toContain(alice.secret)
    const [only, ...others] = await jsonOf(key('ls', 'acme', '--json'))
    expect([only, others]).toEqual([
      { key: alice.key, user: 'alice', createdAt: expect.anything() },
      [],
    ])
    await key('create', 'acme')
    await key('create', 'acme')
    const full = await key('create', 'acme')
    expect([full.code, full.stderr]).toEqual([
      1,
      expect.stringContaining('`griot key revoke acme KEY`'),
    ])
    const unknown = await key('revoke', 'acme', 'NONE')
    expect(unknown).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('`griot key list acme` show what there is') },
    })
    expect(await key('create', 'acme', '--user', 'a b')).toMatchObject({
      ...{ code: 2, stderr: expect.stringContaining("user: the user 'a b' is refused") },
    })
    expect(await key('create', 'acme', '--user', 'User:bob')).toMatchObject({
      ...{
        code: 2,
        stderr: expect.stringContaining("is refused: leave out 'User:', a key of 'bob'"),
      },
    })
  }, 30_000)
})

test('both are told of by --help', async () => {
  const { stdout } = await griot(['--help'])
  expect(stdout).toMatch(/ tenant .*tenants/)
  expect(stdout).toMatch(/ key .*API keys/)
  const of = async (name: string) => (await griot([name, '--help'])).stdout
  for (const name of ['create', 'list', 'describe', 'set', 'suspend', 'resume', 'delete']) {
    expect(await of('tenant')).toContain(name)
  }
  for (const name of ['create', 'list', 'revoke']) expect(await of('key')).toContain(name)
})
