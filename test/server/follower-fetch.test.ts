/** Reading from followers (KIP-392), on real threads: at the wire, and by real clients. */
import { afterEach, expect, test, vi } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { fetch as fetchApi } from '../../src/protocol/01-fetch.ts'
import { Wire } from '../clients/wire.ts'
import { batch, ChaosEngine } from './chaos-engine.ts'

let engine: ChaosEngine
const ends: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()))
  await engine.close()
})

const TOPIC = 'near'

/** Three brokers in racks a, b and c; one partition on all of them, which broker 1 leads. */
async function start(): Promise<{ wires: Wire[]; producer: Awaited<ReturnType<ChaosEngine['producer']>> }> {
  engine = await ChaosEngine.start(3, { rack: '1=a,2=b,3=c' })
  await engine.withAdmin(async (admin) => {
    const replicaAssignment = [{ partition: 0, replicas: [1, 2, 3] }]
    await admin.createTopics({ topics: [{ topic: TOPIC, replicaAssignment }] })
  })
  const wires = await Promise.all(engine.griot.brokers.map((broker) => Wire.open(broker)))
  ends.push(() => wires.forEach((wire) => wire.close()))
  return { wires, producer: await engine.producer() }
}

interface Asked {
  readonly at?: number
  readonly rackId?: string
  readonly epoch?: number
  readonly maxWaitMs?: number
  readonly version?: number
}

async function read(wire: Wire, { at = 0, rackId = '', epoch = -1, maxWaitMs = 0, version = 11 }: Asked) {
  const partition = {
    ...{ partition: 0, currentLeaderEpoch: epoch, fetchOffset: at, partitionMaxBytes: 1 << 20 },
  }
  const { responses } = await wire.request(fetchApi, version, {
    ...{ maxWaitMs, minBytes: 1, maxBytes: 1 << 20, sessionEpoch: -1, rackId },
    topics: [{ topic: TOPIC, topicId: ZERO_TOPIC_ID, partitions: [partition] }],
    forgottenTopicsData: [],
  })
  const { errorCode, highWatermark, logStartOffset, preferredReadReplica, records } =
    responses[0]!.partitions[0]!
  const bytes = (records as Uint8Array | null)?.length ?? 0
  return { errorCode, highWatermark, logStartOffset, preferredReadReplica, bytes }
}

/** Bytes of answers that came from each broker's log. */
async function bytesOut(): Promise<number[]> {
  const text = await (await fetch(`${engine.griot.url}/metrics`)).text()
  return [1, 2, 3].map((broker) => {
    const name = `kafka_server_brokertopicmetrics_bytesout_total{broker="${broker}"}`
    return Number(text.split('\n').find((line) => line.startsWith(name))!.split(' ')[1])
  })
}

test('x', async () => {
  const { wires } = await start()
  const [one, two, three] = wires as [Wire, Wire, Wire]
  for (let i = 0; i < 10; i++) await one.produce(TOPIC, 0, batch(`value ${i}`))
  console.log('leader no rack', await read(one, {}))
  console.log('follower no rack', await read(two, {}))
  console.log('leader rack a', await read(one, { rackId: 'a' }))
  console.log('leader rack b', await read(one, { rackId: 'b' }))
  console.log('leader rack c at end', await read(one, { rackId: 'c', at: 10 }))
  console.log('leader rack z', await read(one, { rackId: 'z' }))
  console.log('follower 2 rack b', await read(two, { rackId: 'b' }))
  console.log('follower 3 rack c', await read(three, { rackId: 'c' }))
  console.log('follower 3 rack b', await read(three, { rackId: 'b' }))
  console.log('bytes', await bytesOut())
  console.log('follower 3 rack c at 10', await read(three, { rackId: 'c', at: 10 }))
  console.log('follower 3 rack c at 11', await read(three, { rackId: 'c', at: 11 }))
  console.log('follower 3 rack c epoch', await read(three, { rackId: 'c', epoch: 0 }), await read(three, { rackId: 'c', epoch: 1 }), await read(three, { rackId: 'c', epoch: 99 }))
  console.log(await engine.withAdmin((a) => a.fetchTopicMetadata({topics:[TOPIC]})).then((m) => JSON.stringify(m)))
  const t = Date.now()
  const waiting = read(three, { rackId: 'c', at: 10, maxWaitMs: 5000 })
  setTimeout(() => void one.produce(TOPIC, 0, batch('late')), 300)
  console.log('woken', await waiting, Date.now() - t)
  console.log('bytes', await bytesOut())
})
