// Apache Kafka's own command-line tools: they produce, consume, join groups and administrate.
// Usage: GRIOT_KAFKA_LIBS=DIR node java-tools.mjs BOOTSTRAP PREFIX, DIR as ../../java/pom.xml says. Prints a line per step; ends with 1 at
// the first that fails.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { step, until } from '../step.mjs'

const [bootstrap, prefix] = process.argv.slice(2)
const topic = `${prefix}-topic`
const group = `${prefix}-group`
const directory = mkdtempSync(join(tmpdir(), 'griot-java-tools-'))
const children = new Set()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

const classes = {
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-groups': 'org.apache.kafka.tools.GroupsCommand',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-verifiable-producer': 'org.apache.kafka.tools.VerifiableProducer',
  'kafka-verifiable-consumer': 'org.apache.kafka.tools.VerifiableConsumer',
  'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
  'kafka-consumer-perf-test': 'org.apache.kafka.tools.ConsumerPerformance',
  'kafka-e2e-latency': 'org.apache.kafka.tools.EndToEndLatency',
  'kafka-cluster': 'org.apache.kafka.tools.ClusterTool',
  'kafka-features': 'org.apache.kafka.tools.FeatureCommand',
  'kafka-transactions': 'org.apache.kafka.tools.TransactionsCommand',
  'kafka-client-metrics': 'org.apache.kafka.tools.ClientMetricsCommand',
  'kafka-acls': 'org.apache.kafka.tools.AclCommand',
  'kafka-log-dirs': 'org.apache.kafka.tools.LogDirsCommand',
  'kafka-metadata-quorum': 'org.apache.kafka.tools.MetadataQuorumCommand',
  'kafka-leader-election': 'org.apache.kafka.tools.LeaderElectionCommand',
  'kafka-reassign-partitions': 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
}

function start(name, args) {
  const classPath = `${process.env.GRIOT_KAFKA_LIBS}/*`
  const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx256m', '-cp', classPath]
  const child = spawn('java', [...flags, classes[name], ...args])
  children.add(child)
  child.output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      child.output += text
    })
  }
  child.on('close', () => children.delete(child))
  return child
}

/** Runs a tool to its end; what it printed. `input` goes to its standard input; `code` is what it must end with, null for any but 0. */
async function tool(name, args, { input = '', code = 0, timeoutMs = 90_000 } = {}) {
  const isAnyFirst = ['kafka-cluster', 'kafka-transactions'].includes(name)
  const server = ['--bootstrap-server', bootstrap]
  const all = isAnyFirst ? [...args, ...server] : [...server, ...args]
  if (name === 'kafka-transactions') all.splice(0, all.length, ...server, ...args)
  const child = start(name, all)
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  const [ended] = await once(child, 'close')
  clearTimeout(timer)
  const isExpected = code === null ? ended !== 0 && ended !== null : ended === code
  assert(isExpected, `${name} ${args.join(' ')} ended with ${ended}: ${child.output}`)
  return child.output
}

/** The line of an error that a user reads first. */
const told = (output) => {
  const lines = output.split('\n').filter((line) => !line.startsWith('SLF4J'))
  return lines.find((line) => /exception/i.test(line)) ?? lines.join(' ').slice(0, 200)
}
const rowsOf = (output) =>
  output
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
const ofTopic = ['--topic', topic]
const ofGroup = ['--group', group]
const lines = Array.from({ length: 900 }, (_, i) => `key ${i % 100}:line ${i}`)

/** Committed offsets by partition, as kafka-consumer-groups shows them; - for none. */
async function committed() {
  const rows = rowsOf(await tool('kafka-consumer-groups', ['--describe', ...ofGroup]))
  const header = rows.find((row) => row[0] === 'GROUP')
  const [partition, offset] = ['PARTITION', 'CURRENT-OFFSET'].map((name) => header.indexOf(name))
  return Object.fromEntries(
    rows.filter((row) => row[1] === topic).map((row) => [row[partition], row[offset]]),
  )
}

await step('kafka-broker-api-versions', async () => {
  const output = await tool('kafka-broker-api-versions', [])
  assert.match(output, /\(id: 1 rack: \S+ isFenced: false\)|\(id: 1 rack: null/)
  assert.match(output, /Produce\(0\): 0 to 13/)
})
await step('kafka-cluster: id and endpoints', async () => {
  assert.match(await tool('kafka-cluster', ['cluster-id']), /Cluster ID: \S{22}/)
  const [host, port] = bootstrap.split(':')
  assert.match(await tool('kafka-cluster', ['list-endpoints']), new RegExp(`1 +${host} +${port}`))
})
await step('kafka-topics: create, alter, describe, list', async () => {
  const config = ['--config', 'retention.ms=86400000']
  const create = ['--create', ...ofTopic, '--partitions', '2', '--replication-factor', '1']
  await tool('kafka-topics', [...create, ...config])
  assert.match(await tool('kafka-topics', create, { code: null }), /already exists/)
  await tool('kafka-topics', [...create, '--if-not-exists'])
  await tool('kafka-topics', ['--alter', ...ofTopic, '--partitions', '3'])
  const described = await tool('kafka-topics', ['--describe', ...ofTopic])
  assert.match(
    described,
    /PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: .*retention.ms=86400000/,
  )
  assert.equal(described.match(/Partition: \d/g).length, 3)
  assert(
    rowsOf(await tool('kafka-topics', ['--list']))
      .flat()
      .includes(topic),
  )
})
await step('kafka-configs: topics', async () => {
  const entity = ['--entity-type', 'topics', '--entity-name', topic]
  const configs = (...args) => tool('kafka-configs', [...args, ...entity])
  await configs('--alter', '--add-config', 'flush.messages=10,cleanup.policy=[compact,delete]')
  const changed = await configs('--describe')
  assert.match(changed, /flush.messages=10/)
  assert.match(changed, /cleanup.policy=compact,delete/)
  await configs('--alter', '--delete-config', 'flush.messages,cleanup.policy')
  assert.doesNotMatch(await configs('--describe'), /flush.messages/)
  assert.match(await configs('--describe', '--all'), /flush.messages=9223372036854775807/)
  const wrong = ['--alter', '--add-config', 'no.such.config=1', ...entity]
  assert.match(await tool('kafka-configs', wrong, { code: null }), /no\.such\.config/)
})
await step('kafka-configs: brokers, one and all', async () => {
  const value = 'message.max.bytes=2000000'
  for (const entity of [['--entity-default'], ['--entity-name', '1']]) {
    const configs = (...args) =>
      tool('kafka-configs', [...args, '--entity-type', 'brokers', ...entity])
    await configs('--alter', '--add-config', value)
    assert.match(await configs('--describe'), new RegExp(value))
    await configs('--alter', '--delete-config', 'message.max.bytes')
    assert.doesNotMatch(await configs('--describe'), new RegExp(value))
  }
  const all = ['--entity-type', 'brokers', '--entity-name', '1', '--describe', '--all']
  assert.match(await tool('kafka-configs', all), /num.partitions=4/)
})
await step('kafka-configs: groups', async () => {
  const configs = (...args) =>
    tool('kafka-configs', [...args, '--entity-type', 'groups', '--entity-name', group])
  await configs('--alter', '--add-config', 'consumer.session.timeout.ms=50000')
  assert.match(await configs('--describe'), /consumer.session.timeout.ms=50000/)
  await configs('--alter', '--delete-config', 'consumer.session.timeout.ms')
})
await step('kafka-console-producer', async () => {
  const keyed = ['--reader-property', 'parse.key=true', '--reader-property', 'key.separator=:']
  const options = [...ofTopic, ...keyed, '--compression-codec', 'zstd']
  await tool('kafka-console-producer', options, { input: `${lines.join('\n')}\n` })
})
await step('kafka-console-consumer in a group, and again from where it was', async () => {
  const options = [...ofTopic, ...ofGroup, '--from-beginning', '--timeout-ms', '20000']
  const consume = (count, ...more) =>
    tool('kafka-console-consumer', [...options, '--max-messages', String(count), ...more])
  const keyed = ['--formatter-property', 'print.key=true']
  const separated = ['--formatter-property', 'key.separator=:']
  const read = (await consume(lines.length, ...keyed, ...separated)).trim().split('\n')
  const records = read.filter((line) => line.startsWith('key '))
  assert.deepEqual(records.sort(), [...lines].sort())
  await tool('kafka-console-producer', [...ofTopic, '--sync'], { input: 'one more\n' })
  assert.match(await consume(1), /^one more$/m)
})
await step('kafka-get-offsets', async () => {
  const sum = async (time) => {
    const output = await tool('kafka-get-offsets', [...ofTopic, '--time', time])
    const rows = rowsOf(output).map(([row]) => row.split(':'))
    const found = rows.filter((row) => row[0] === topic)
    return found.reduce((total, [, , offset]) => total + Number(offset || 0), 0)
  }
  assert.equal(await sum('latest'), lines.length + 1)
  assert.equal(await sum('earliest'), 0)
  assert((await sum('max-timestamp')) > 0)
  assert.equal(await sum('1'), 0)
})
await step(
  'kafka-verifiable-producer and two of kafka-verifiable-consumer in a group',
  async () => {
    const members = [0, 1].map(() =>
      start('kafka-verifiable-consumer', [
        ...['--bootstrap-server', bootstrap, ...ofTopic, '--group-id', group],
        ...['--session-timeout', '6000', '--reset-policy', 'earliest'],
        ...['--assignment-strategy', 'org.apache.kafka.clients.consumer.CooperativeStickyAssignor'],
      ]),
    )
    const events = (child, wanted) =>
      child.output
        .split('\n')
        .filter((line) => line.startsWith('{') && line.endsWith('}'))
        .map((line) => JSON.parse(line))
        .filter(({ name }) => name === wanted)
    const assigned = (child) => {
      const owned = new Set()
      for (const { name, partitions } of [
        ...events(child, 'partitions_assigned'),
        ...events(child, 'partitions_revoked'),
      ].toSorted((a, b) => a.timestamp - b.timestamp)) {
        for (const { partition } of partitions) {
          if (name === 'partitions_assigned') owned.add(partition)
          else owned.delete(partition)
        }
      }
      return owned
    }
    const failed = () => members.map(({ output }) => output).join('\n')
    const isShared = () => {
      const [one, two] = members.map(assigned)
      return (
        one.size + two.size === 3 && new Set([...one, ...two]).size === 3 && one.size * two.size > 0
      )
    }
    await until('a share each', isShared, 60_000).catch((error) => {
      throw new Error(`${error.message}: ${failed()}`)
    })
    const state = await tool('kafka-consumer-groups', ['--describe', ...ofGroup, '--state'])
    assert.match(state, /cooperative-sticky\s+Stable\s+2/)
    const described = await tool('kafka-consumer-groups', [
      ...['--describe', ...ofGroup, '--members', '--verbose'],
    ])
    assert.equal(described.match(new RegExp(`${topic}[(:]`, 'g')).length, 2, described)
    const refused = await tool('kafka-consumer-groups', ['--delete', ...ofGroup])
    assert.match(refused, /not empty|NonEmpty/i)
    const produced = await tool('kafka-verifiable-producer', [
      ...[...ofTopic, '--max-messages', '2000', '--acks', '-1'],
    ])
    assert.match(produced, /"sent":2000,.*"acked":2000|"acked":2000,.*"sent":2000/)
    const seen = () =>
      members
        .flatMap((child) => events(child, 'records_consumed'))
        .reduce((total, { count }) => total + count, 0)
    await until('all records', () => seen() === 2_000, 60_000).catch((error) => {
      throw new Error(`${error.message} (${seen()}): ${failed().slice(-4_000)}`)
    })
    for (const child of members) {
      const ended = once(child, 'close')
      child.kill('SIGTERM')
      await ended
      assert.equal(events(child, 'shutdown_complete').length, 1, child.output.slice(-2_000))
    }
  },
)
await step('kafka-consumer-groups and kafka-groups: list, describe', async () => {
  assert(
    rowsOf(await tool('kafka-consumer-groups', ['--list']))
      .flat()
      .includes(group),
  )
  const listed = await tool('kafka-consumer-groups', ['--list', '--state', 'Empty'])
  assert.match(listed, new RegExp(`${group}\\s+Empty`))
  const all = await tool('kafka-groups', ['--list', '--group-type', 'classic'])
  assert.match(all, new RegExp(`${group}\\s+Classic\\s+consumer`))
  const total = Object.values(await committed()).reduce((sum, offset) => sum + Number(offset), 0)
  assert.equal(total, lines.length + 1 + 2_000)
  assert.match(
    await tool('kafka-consumer-groups', ['--describe', '--all-groups']),
    new RegExp(group),
  )
})
await step('kafka-consumer-groups: reset and delete offsets', async () => {
  const reset = (...how) =>
    tool('kafka-consumer-groups', ['--reset-offsets', ...ofGroup, ...how, '--execute'])
  const all = ['--topic', topic]
  const before = await committed()
  await reset('--to-earliest', ...all)
  assert.deepEqual(await committed(), { 0: '0', 1: '0', 2: '0' })
  await reset('--to-offset', '7', '--topic', `${topic}:1`)
  await reset('--shift-by', '3', '--topic', `${topic}:0,1`)
  assert.deepEqual(await committed(), { 0: '3', 1: '10', 2: '0' })
  await reset('--to-datetime', '2001-02-03T04:05:06.000', ...all)
  assert.deepEqual(await committed(), { 0: '0', 1: '0', 2: '0' })
  await reset('--to-latest', ...all)
  assert.deepEqual(await committed(), before)
  await tool('kafka-consumer-groups', ['--delete-offsets', ...ofGroup, '--topic', `${topic}:1`])
  const { 1: second, ...rest } = await committed()
  const { 1: _, ...others } = before
  assert(second === undefined || second === '-', `offset of a deleted one: ${second}`)
  assert.deepEqual(rest, others)
})
await step('kafka-delete-records', async () => {
  const file = join(directory, 'delete.json')
  const partitions = [{ topic, partition: 0, offset: 5 }]
  writeFileSync(file, JSON.stringify({ version: 1, partitions }))
  const deleted = await tool('kafka-delete-records', ['--offset-json-file', file])
  assert.match(deleted, /low_watermark: 5/)
  const earliest = await tool('kafka-get-offsets', [...ofTopic, '--time', 'earliest'])
  assert.match(earliest, new RegExp(`${topic}:0:5`))
})
await step('performance and latency tools', async () => {
  const sized = ['--num-records', '20000', '--record-size', '100', '--throughput', '-1']
  assert.match(await tool('kafka-producer-perf-test', [...ofTopic, ...sized]), /20000 records sent/)
  const read = ['--num-records', '10000', '--timeout', '20000']
  assert.match(await tool('kafka-consumer-perf-test', [...ofTopic, ...read]), /data.consumed/)
  const one = [...ofTopic, '--num-records', '100', '--producer-acks', '1', '--record-size', '20']
  assert.match(await tool('kafka-e2e-latency', one), /Percentiles/)
})
await step(
  'kafka-features, kafka-transactions describe-producers, kafka-client-metrics',
  async () => {
    assert.match(await tool('kafka-features', ['describe']), /metadata.version/)
    const producers = ['describe-producers', ...ofTopic, '--partition', '0']
    assert.match(await tool('kafka-transactions', producers), /ProducerId/)
    await tool('kafka-client-metrics', ['--list'])
  },
)
await step('what is not there yet is refused at once, by name', async () => {
  const consume = [...ofTopic, '--timeout', '20000', '--num-records', '10']
  for (const [what, name, args] of [
    [
      // the console consumer says so in its log only
      'KIP-848 group',
      'kafka-consumer-perf-test',
      [...consume, '--group', `${prefix}-848`, '--command-property', 'group.protocol=consumer'],
    ],
    [
      'transactions',
      'kafka-producer-perf-test',
      [
        ...[...ofTopic, '--num-records', '10', '--record-size', '10', '--throughput', '-1'],
        ...['--transactional-id', `${prefix}-id`],
      ],
    ],
    ['list transactions', 'kafka-transactions', ['list']],
  ]) {
    const from = performance.now()
    const output = await tool(name, args, { code: null }).catch((error) => error.message)
    const ms = Math.round(performance.now() - from)
    assert.match(output, /unsupported|not support|authoriz|does not/i, what)
    console.log(`   ${what} (${ms} ms): ${told(output)}`)
  }
})
await step('kafka-log-dirs', async () => {
  const output = await tool('kafka-log-dirs', ['--describe', '--topic-list', topic])
  const { brokers } = JSON.parse(output.split('\n').find((line) => line.startsWith('{')))
  const told = brokers.flatMap(({ logDirs }) => logDirs[0].partitions.map((one) => one.partition))
  const described = await tool('kafka-topics', ['--describe', ...ofTopic])
  const wanted = [...described.matchAll(/Partition: (\d+).*?Replicas: ([\d,]+)/g)].flatMap(
    ([, index, replicas]) => replicas.split(',').map(() => `${topic}-${index}`),
  )
  assert(wanted.length > 0)
  assert.deepEqual(told.sort(), wanted.sort())
})
await step('kafka-metadata-quorum and kafka-leader-election', async () => {
  const status = await tool('kafka-metadata-quorum', ['describe', '--status'])
  assert.match(status, /LeaderId: +1\n/)
  assert.match(status, /HighWatermark: +[1-9]/)
  const replication = await tool('kafka-metadata-quorum', ['describe', '--replication'])
  assert.match(replication, /\n1\b.*Leader/)
  assert.match(replication, /\n2\b.*Observer/)
  // they lead already: nobody has died
  const elected = ['--election-type', 'preferred', ...ofTopic, '--partition', '0']
  const output = await tool('kafka-leader-election', elected)
  assert.match(output, /Valid replica already elected|Successfully completed/)
})
await step('kafka-reassign-partitions: one replica becomes three, which move', async () => {
  const moved = `${prefix}-moved`
  const file = join(directory, 'reassignment.json')
  const asFile = ['--reassignment-json-file', file]
  const write = (replicas) => {
    const partitions = [{ topic: moved, partition: 0, replicas }]
    writeFileSync(file, JSON.stringify({ version: 1, partitions }))
  }
  const reassign = (...args) => tool('kafka-reassign-partitions', args)
  const isDone = async () => /is completed/.test(await reassign('--verify', ...asFile))
  const described = () => tool('kafka-topics', ['--describe', '--topic', moved])
  await tool('kafka-topics', ['--create', '--topic', moved, '--replica-assignment', '2'])
  await tool('kafka-console-producer', ['--topic', moved], { input: 'a\nb\nc\n' })
  write([2, 1, 3])
  const begun = await reassign('--execute', ...asFile)
  assert.match(begun, /Successfully started partition reassignment for/)
  await until('the replicas are moved', isDone, 60_000)
  assert.match(await reassign('--list'), /No partition reassignments found/)
  assert.match(await described(), /Leader: 2\s+Replicas: 2,1,3\s+Isr: [1-3],[1-3],[1-3]\s/)
  // a throttle is set, holds, and is taken away once it is done
  const records = ['--num-records', '4000', '--record-size', '1000', '--throughput', '-1']
  await tool('kafka-producer-perf-test', ['--topic', moved, ...records])
  write([3, 2])
  await reassign('--execute', ...asFile)
  await until('the replicas are moved', isDone, 60_000)
  const configsOf = (...of) => tool('kafka-configs', ['--describe', ...of])
  const rates = async () =>
    (await Promise.all([1, 2, 3].map((n) => configsOf('--broker', `${n}`)))).join('')
  const throttledReplicas = () => configsOf('--topic', moved)
  assert.doesNotMatch(await rates(), /throttled/)
  write([3, 1])
  const from = performance.now()
  const throttled = await reassign('--execute', '--throttle', '150000', ...asFile)
  assert.match(throttled, /throttle limit was set to 150000 B\/s/)
  assert.equal(
    (await rates()).match(/(leader|follower).replication.throttled.rate=150000/g).length,
    6,
  )
  assert.match(await throttledReplicas(), /leader.replication.throttled.replicas=0:2,0:3/)
  assert.match(await throttledReplicas(), /follower.replication.throttled.replicas=0:1/)
  assert.match(await described(), /Replicas: 3,1,2\s/, 'it is under way')
  await until('the replicas are moved', isDone, 60_000)
  const ms = Math.round(performance.now() - from)
  console.log(`   4 MB at 150 kB/s: ${ms} ms, with the tools' own starts`)
  assert(ms > 22_000, `4 MB at 150 kB/s took ${ms} ms`)
  assert.match(await described(), /Leader: 3\s+Replicas: 3,1\s/)
  assert.doesNotMatch((await rates()) + (await throttledReplicas()), /throttled.*=[^s]*[0-9]/)
  assert.match(await reassign('--cancel', ...asFile), /None of the specified .* are active/)
  write([1, 2, 99])
  const refused = ['--execute', ...asFile]
  assert.match(await tool('kafka-reassign-partitions', refused, { code: null }), /99/)
  assert.match(await tool('kafka-get-offsets', ['--topic', moved]), new RegExp(`${moved}:0:4003`))
  await tool('kafka-topics', ['--delete', '--topic', moved])
})
await step('kafka-consumer-groups and kafka-topics: delete', async () => {
  assert.match(await tool('kafka-consumer-groups', ['--delete', ...ofGroup]), /success/)
  await tool('kafka-topics', ['--delete', ...ofTopic])
  assert.match(
    await tool('kafka-topics', ['--delete', ...ofTopic], { code: null }),
    /does not exist/,
  )
  assert(
    !rowsOf(await tool('kafka-topics', ['--list']))
      .flat()
      .includes(topic),
  )
})
process.exit(0)
