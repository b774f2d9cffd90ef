/** A front while the next controller's image comes. */
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { asFrontId, ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { snapshotMessages } from '../../src/image/snapshot.ts'
import { frontPeer } from '../../src/link/ports.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { createTopics } from '../../src/protocol/19-create-topics.ts'
import { deleteTopics } from '../../src/protocol/20-delete-topics.ts'
import type { Api } from '../../src/protocol/api.ts'
import type { Asking } from './fake-client.ts'
import { Harness } from './harness.ts'
import { batchOf, produced, sendProduce } from './requests.ts'

const TOPICS = 12_000

function start() {
  const harness = new Harness()
  const client = harness.connect()
  const ask = <A extends Api>(api: A, version: number, request: Asking<A>) => {
    const correlation = client.send(api, version, request)
    harness.run()
    return client.answer(api, correlation)
  }
  const newTopic = (name: string) => ({
    ...{ name, numPartitions: 1, replicationFactor: -1, assignments: [], configs: [] },
  })
  for (let n = 0; n < TOPICS; n += 4_000) {
    const topics = Array.from({ length: 4_000 }, (_, i) => newTopic(`t${n + i}`))
    const made = ask(createTopics, 7, { topics })!.topics
    expect(made.filter(({ errorCode }) => errorCode !== 0)).toEqual([])
  }
  return { harness, client, ask }
}

describe('while the next controller publishes 12,000 topics', () => {
  const { harness, client, ask } = start()
  const { image } = harness

  it('a front knows all of them, all the time', () => {
    const messages = [...snapshotMessages(image, image.epoch + 1)]
    expect(messages.length).toBeGreaterThan(2)
    const names = ['t0', 't4999', 't9999', 't11999']
    for (const message of messages) {
      harness.portOf(1).post(frontPeer(asFrontId(0)), message)
      const topics = names.map((name) => ({ name, topicId: ZERO_TOPIC_ID }))
      const answer = ask(metadata, 12, { topics, allowAutoTopicCreation: false })
      expect(answer?.topics.map(({ errorCode }) => errorCode)).toEqual([0, 0, 0, 0])
      expect(image.topicCount).toBe(TOPICS)
      for (const name of names) {
        const correlation = sendProduce(client, name, batchOf('a'))
        harness.run()
        expect(produced(client, correlation)?.errorCode).toBe(ErrorCode.NONE)
      }
    }
    expect(image.isBegunAnew).toBe(false)
  })

  it('what a client wants to have deleted is known to the front by its id', () => {
    const [first] = snapshotMessages(image, image.epoch + 1)
    const toFront = frontPeer(asFrontId(0))
    harness.portOf(1).post(toFront, first!)
    harness.run()
    expect(image.isBegunAnew).toBe(true)
    // the last of them: it is in no part that has come
    const correlation = client.send(deleteTopics, 4, { topicNames: ['t9999'], timeoutMs: 1_000 })
    const requests: unknown[] = []
    const { onRequest } = harness.controller
    harness.controller.onRequest = (...args) => {
      requests.push(args[3])
      onRequest.apply(harness.controller, args)
    }
    harness.run()
    expect(requests).toMatchObject([
      { topics: [{ knownId: expect.stringMatching(/^[0-9a-f]+$/) }] },
    ])
    expect(client.answer(deleteTopics, correlation)?.responses).toMatchObject([{ errorCode: 0 }])
  })
})
