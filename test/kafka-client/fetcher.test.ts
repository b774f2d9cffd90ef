/** A fetcher whose partitions come and go while answers are on their way. */
import { afterEach, expect, test } from 'vitest'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { KafkaClient } from '../../src/kafka-client/client.ts'
import { Fetcher } from '../../src/kafka-client/fetcher.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { FakeBroker, versionsUpTo } from './fake-broker.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

const METADATA = 3
const FETCH = 1
const API_VERSIONS = 18

/** A broker with one partition of one-record batches without end. */
async function start() {
  const broker = await FakeBroker.start()
  closers.push(() => broker.close())
  broker.onRequest = ({ api, request, answer }) => {
    if (api.key === API_VERSIONS) answer(versionsUpTo({ [FETCH]: 12, [METADATA]: 12 }))
    else if (api.key === METADATA) {
      const place = { leaderId: 1, leaderEpoch: 0, replicaNodes: [1], isrNodes: [1] }
      const partition = { errorCode: 0, partitionIndex: 0, ...place, offlineReplicas: [] }
      const topic = { errorCode: 0, name: 't', topicId: ZERO_TOPIC_ID, isInternal: false }
      answer({
        ...{ throttleTimeMs: 0, clusterId: 'c', controllerId: 1 },
        brokers: [{ nodeId: 1, ...broker.address, rack: null }],
        topics: [{ ...topic, partitions: [partition] }],
      })
    } else if (api.key === FETCH) {
      const { topics } = request as { topics: { partitions: { fetchOffset: number }[] }[] }
      const baseOffset = topics[0]!.partitions[0]!.fetchOffset
      const value = Buffer.from(String(baseOffset))
      const records = buildBatch([{ timestampMs: 0, key: null, value }], { baseOffset })
      const marks = { highWatermark: 1e6, lastStableOffset: 1e6, logStartOffset: 0 }
      const partition = { partitionIndex: 0, errorCode: 0, ...marks, abortedTransactions: [] }
      answer({
        ...{ throttleTimeMs: 0, errorCode: 0, sessionId: 0, nodeEndpoints: [] },
        responses: [
          { topic: 't', partitions: [{ ...partition, preferredReadReplica: -1, records }] },
        ],
      })
    }
  }
  const client = new KafkaClient({ bootstrap: [broker.address] })
  const fetcher = new Fetcher(client, { isolation: 'read_uncommitted' })
  closers.push(() => {
    fetcher.close()
    client.close()
  })
  return { broker, fetcher }
}

const PARTITION = { topic: 't', partition: 0 }

test('what was fetched before a partition went and came back is not delivered again', async () => {
  const { broker, fetcher } = await start()
  fetcher.assign(PARTITION, 10)
  const offsets = async () => (await fetcher.next(5_000))!.map(({ fromOffset }) => fromOffset)
  expect(await offsets()).toEqual([10])
  // the next answer is here already, and nobody has taken it
  const fetches = () => broker.asked.filter(({ api }) => api.key === FETCH).length
  while (fetches() < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  await new Promise((resolve) => setTimeout(resolve, 50))
  fetcher.unassign(PARTITION)
  fetcher.assign(PARTITION, 11)
  expect(await offsets()).toEqual([11])
  expect(await offsets()).toEqual([12])
  expect(await offsets()).toEqual([13])
})
