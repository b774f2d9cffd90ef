/** kafkajs without a consumer group: its own cluster and broker objects, which it reaches only through symbols. */
import type { Kafka } from 'kafkajs'

interface FetchedMessage {
  readonly offset: string
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
}

interface KafkajsBroker {
  fetch(request: object): Promise<{
    responses: { partitions: { highWatermark: string; messages: FetchedMessage[] }[] }[]
  }>
}

interface KafkajsCluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  findLeaderForPartitions(topic: string, partitions: number[]): Record<string, number[]>
  findBroker(options: { nodeId: string }): Promise<KafkajsBroker>
}

/** Reads `partition` from `from` to its end as of each answer, through kafkajs's own Fetch. */
export async function* fetchAll(
  kafka: Kafka,
  topic: string,
  partition: number,
  from = 0,
): AsyncGenerator<FetchedMessage> {
  const symbols = Object.getOwnPropertySymbols(kafka)
  const createCluster = symbols.find((s) => s.description?.includes('createCluster'))!
  const internals = kafka as unknown as Record<symbol, (options: object) => KafkajsCluster>
  const cluster = internals[createCluster]!({ allowAutoTopicCreation: false })
  await cluster.connect()
  try {
    await cluster.addTargetTopic(topic)
    const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
    const broker = await cluster.findBroker({ nodeId: nodeId! })
    let offset = from
    let failed = 0
    for (;;) {
      const found = await broker
        .fetch({
          maxWaitTime: 100,
          minBytes: 1,
          maxBytes: 8 << 20,
          topics: [
            { topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: 4 << 20 }] },
          ],
        })
        .catch((error: unknown) => {
          // as its consumer does: an election, on a machine that has much to do
          if ((error as { retriable?: boolean }).retriable !== true || ++failed > 100) throw error
          return null
        })
      const answer = found?.responses[0]?.partitions[0]
      if (answer === undefined) continue
      for (const message of answer.messages) {
        if (Number(message.offset) < offset) continue
        yield message
        offset = Number(message.offset) + 1
      }
      if (offset >= Number(answer.highWatermark)) return
    }
  } finally {
    await cluster.disconnect()
  }
}
