/** A front whose brokers replicate, before anybody has led anything. */
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { Harness, type HarnessOptions } from './harness.ts'

/** Three brokers; the topic `triple` has three replicas, `single` has one. */
export function replicatedWorld(options: HarnessOptions = {}): Harness {
  const world = new Harness({ brokers: 3, isReplicated: true, ...options })
  const client = world.connect()
  for (const [name, replicationFactor] of [
    ['single', 1],
    ['triple', 3],
  ] as const) {
    const topic = { name, numPartitions: 1, replicationFactor, assignments: [], configs: [] }
    client.send(createTopics, 7, { topics: [topic] })
    world.run()
  }
  client.connection.close()
  return world
}
