/** Long polls by kafkajs's own broker object, which it reaches only through symbols. */
import type { Kafka } from 'kafkajs'

interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  findBroker(options: { nodeId: string }): Promise<{ fetch(request: object): Promise<unknown> }>
}

/** Yields how long each of `count` fetches at `offset`, where there is nothing, took. */
export async function* pollAtEnd(
  kafka: Kafka,
  topic: string,
  offset: number,
  count: number,
  maxWaitTime: number,
): AsyncGenerator<number> {
  const symbol = Object.getOwnPropertySymbols(kafka).find((s) =>
    s.description?.includes('createCluster'),
  )!
  const internals = kafka as unknown as Record<symbol, (options: object) => Cluster>
  const cluster = internals[symbol]!({ allowAutoTopicCreation: false })
  await cluster.connect()
  await cluster.addTargetTopic(topic)
  const broker = await cluster.findBroker({ nodeId: '1' })
  const partitions = [{ partition: 0, fetchOffset: String(offset), maxBytes: 1_000 }]
  for (let i = 0; i < count; i++) {
    const before = performance.now()
    await broker.fetch({
      maxWaitTime,
      minBytes: 1,
      maxBytes: 1_000,
      topics: [{ topic, partitions }],
    })
    yield performance.now() - before
  }
  await cluster.disconnect()
}
