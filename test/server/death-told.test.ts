/** A broker's thread that has died takes a while to exit: nobody waits for that. */
import { expect, test } from 'vitest'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { ChaosEngine } from './chaos-engine.ts'

/** Its channel closes at once, its exit comes some 6 ms later, more where the machine is busy: one of so many deaths is seen in between. */
const DEATHS = 20

test('clients are told that a broker is gone before its thread has exited', async () => {
  const engine = await ChaosEngine.start(3)
  try {
    const topics = [{ topic: 't', numPartitions: 1, replicationFactor: 3 }]
    await engine.withAdmin((admin) => admin.createTopics({ topics }))
    const wire = await engine.wire()
    const offline = async () => {
      const told = await wire.request(metadata, 9, {
        topics: [{ name: 't', topicId: ZERO_TOPIC_ID }],
        includeClusterAuthorizedOperations: false,
        includeTopicAuthorizedOperations: false,
      })
      return told.topics[0]!.partitions[0]!.offlineReplicas
    }
    let toldBefore = 0
    for (let death = 0; death < DEATHS && toldBefore === 0; death++) {
      let hasExited = false
      // it resolves with the exit
      const killed = engine.chaos.killBroker(2).then(() => {
        hasExited = true
      })
      while (!hasExited) {
        const told = await offline()
        if (told.includes(2) && !hasExited) toldBefore++
      }
      await killed
      await engine.healthIs('broker 2 died')
      await engine.healthIs('serving')
    }
    expect(toldBefore).toBeGreaterThan(0)
  } finally {
    await engine.close()
  }
}, 60_000)
