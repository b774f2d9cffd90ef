/** Produce: good and bad batches, acks, idempotence. */
import { produce } from '../../../src/protocol/00-produce.ts'
import { fetch } from '../../../src/protocol/01-fetch.ts'
import { apiVersions } from '../../../src/protocol/18-api-versions.ts'
import { encodeRequest, joinFrame } from '../../../src/protocol/codec.ts'
import { Codec } from '../../../src/record/batch.ts'
import { prepareCompression } from '../../../src/record/compression.ts'
import { badBatches, batchOf } from '../batches.ts'
import { CLIENT_ID, type Scenario, type Side, versionsOf } from '../side.ts'
import { FOREVER, fetchRequest, type ProduceInput, produceRequest } from './requests.ts'

const send = (side: Side, version: number, step: string, input: ProduceInput) =>
  side.ask(step, produce, version, produceRequest(side, input))

/** Nothing answers acks=0, so what is noted is whether the connection lives on. */
async function sendWithoutAnswer(side: Side, version: number, step: string, input: ProduceInput) {
  const link = await side.link('no answer')
  const request = produceRequest(side, { ...input, acks: 0 })
  link.write(
    joinFrame(encodeRequest(produce, version, side.nextCorrelationId(), CLIENT_ID, request)),
  )
  const software = { clientSoftwareName: 'griot', clientSoftwareVersion: '1' }
  const id = side.nextCorrelationId()
  const frame = joinFrame(encodeRequest(apiVersions, 0, id, CLIENT_ID, software))
  const { kind } = await link.exchange(frame, id, 3_000)
  side.note(step, produce, version, kind === 'answer' ? 'connection open' : `connection ${kind}`)
}

async function produceVersions(side: Side): Promise<void> {
  await prepareCompression()
  const records = batchOf(['one', 'two'])
  for (const version of versionsOf(produce)) {
    const topic = `produce-${version}`
    await side.createTopic(topic, 2, FOREVER)
    await send(side, version, 'plain', { topic, records })
    await send(side, version, 'again', { topic, records })
    await send(side, version, 'acks 1', { topic, records, acks: 1 })
    for (const acks of [2, -2, 99])
      await send(side, version, `acks ${acks}`, { topic, records, acks })
    for (const index of [2, -1, 2 ** 31 - 1]) {
      await send(side, version, `partition ${index}`, { topic, records, index })
    }
    await send(side, version, 'unknown topic', { topic: 'produce-unknown', records })
    await send(side, version, 'bad topic name', { topic: 'a bad/name', records })
    await send(side, version, 'empty topic name', { topic: '', records })
    for (const [name, codec] of Object.entries(Codec)) {
      await send(side, version, `codec ${name}`, { topic, records: batchOf(['a', 'b'], { codec }) })
    }
    await sendWithoutAnswer(side, version, 'acks 0', { topic, records })
    await sendWithoutAnswer(side, version, 'acks 0, unknown topic', { topic: 'no-such', records })
    await sendWithoutAnswer(side, version, 'acks 0, wrong CRC', {
      topic,
      records: badBatches['wrong CRC']!(),
    })
    const nothing = { transactionalId: null, acks: -1, timeoutMs: 1_000 }
    await side.ask('no topic', produce, version, { ...nothing, topicData: [] })
    const { topicData } = produceRequest(side, { topic, records })
    const one = topicData[0]!
    await side.ask('no partition', produce, version, {
      ...nothing,
      topicData: [{ ...one, partitionData: [] }],
    })
    await side.ask('a partition twice', produce, version, {
      ...nothing,
      topicData: [{ ...one, partitionData: [...one.partitionData, ...one.partitionData] }],
    })
    await side.ask('two partitions, one unknown', produce, version, {
      ...nothing,
      topicData: [
        {
          ...one,
          partitionData: [
            { index: 0, records },
            { index: 1, records },
            { index: 9, records },
          ],
        },
      ],
    })
    await side.ask(
      'what was stored',
      fetch,
      version >= 13 ? 13 : 11,
      fetchRequest(side, [{ topic }]),
    )
  }
}

async function produceBadBatches(side: Side): Promise<void> {
  const topics = {
    plain: {},
    compacted: { 'cleanup.policy': 'compact' },
    'append-time': { 'message.timestamp.type': 'LogAppendTime' },
    gzip: { 'compression.type': 'gzip' },
    uncompressed: { 'compression.type': 'uncompressed' },
    small: { 'max.message.bytes': '100' },
    strict: { 'message.timestamp.before.max.ms': '1000' },
  }
  const good = () => batchOf(['one', 'two'])
  const batches = Object.entries({ good, ...badBatches })
  for (const [kind, configs] of Object.entries(topics)) {
    for (const version of kind === 'plain' ? [3, 7, 8, 9, 12, 13] : [9]) {
      // Each has a partition of its own, so that one that is taken moves no other's offset.
      const topic = `bad-${kind}-${version}`
      await side.createTopic(topic, batches.length, { ...FOREVER, ...configs })
      for (const [index, [what, make]] of batches.entries()) {
        // Kafka never answers that: once is enough.
        if (what === 'records null' && topic !== 'bad-plain-9') continue
        await send(side, version, `${kind}: ${what}`, { topic, index, records: make() })
        const request = fetchRequest(side, [{ topic, partition: index }])
        await side.ask(`${kind}: ${what}, stored`, fetch, version >= 13 ? 13 : 11, request)
      }
    }
  }
}

async function idempotence(side: Side): Promise<void> {
  await side.createTopic('sequences', 3, FOREVER)
  const steps: [step: string, epoch: number, sequence: number, texts: string[]][] = [
    ['first', 0, 0, ['a', 'b']],
    ['duplicate', 0, 0, ['a', 'b']],
    ['next', 0, 2, ['c']],
    ['duplicate of the one before', 0, 0, ['a', 'b']],
    ['a gap', 0, 9, ['d']],
    ['back', 0, 1, ['e']],
    ['part of a duplicate', 0, 0, ['a']],
    ['next, again', 0, 3, ['f']],
    ['a newer epoch from 0', 1, 0, ['g']],
    ['an older epoch', 0, 4, ['h']],
    ['a newer epoch not from 0', 2, 5, ['i']],
    ['duplicate in the newer epoch', 1, 0, ['g']],
    ['next in the newer epoch', 1, 1, ['j']],
  ]
  for (let i = 0; i < 6; i++) steps.push([`filling ${i}`, 1, 2 + i, [`k${i}`]])
  steps.push(['duplicate, five back', 1, 3, ['k1']], ['duplicate, six back', 1, 2, ['k0']])
  steps.push(['duplicate, long gone', 1, 0, ['g']])
  for (const version of [3, 9, 13]) {
    const index = version === 3 ? 0 : version === 9 ? 1 : 2
    for (const [step, producerEpoch, baseSequence, texts] of steps) {
      const records = batchOf(texts, { producerId: 4711, producerEpoch, baseSequence })
      await send(side, version, step, { topic: 'sequences', index, records })
    }
  }
  const wrap = batchOf(['a', 'b'], {
    ...{ producerId: 4712, producerEpoch: 0, baseSequence: 2 ** 31 - 1 },
  })
  await send(side, 9, 'an unknown producer at the last sequence', {
    topic: 'sequences',
    records: wrap,
  })
  const negative = batchOf(['a'], { producerId: 4713, producerEpoch: 0, baseSequence: -5 })
  await send(side, 9, 'sequence -5', { topic: 'sequences', records: negative })
}

export const produceScenarios: readonly Scenario[] = [
  { name: 'produce', run: produceVersions },
  { name: 'produce-bad-batches', run: produceBadBatches },
  { name: 'produce-idempotent', run: idempotence },
]
