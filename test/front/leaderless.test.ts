/** Partitions of several replicas of which nobody is elected: what that means for those who ask for them, and for all others. */
import { describe, expect, test } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { replicatedWorld } from './replicated-world.ts'
import { batchOf, sendProduce } from './requests.ts'

const TIMEOUT_MAX_MS = 2 ** 31 - 1
const HUNDRED_KB = 100_000

const world = () => replicatedWorld({ inFlightBytes: 8 * 2 ** 20 })

describe('a partition that nobody leads', () => {
  test('keeps nothing of clients that have gone, however long they would have waited', () => {
    const made = world()
    const before = made.inFlightBytes
    for (let i = 0; i < 30; i++) {
      const one = made.connect()
      sendProduce(one, 'triple', batchOf('x'.repeat(HUNDRED_KB)), { timeoutMs: TIMEOUT_MAX_MS })
      made.run()
      one.connection.close()
    }
    expect(made.inFlightBytes).toBeGreaterThan(before + HUNDRED_KB)
    made.pass(1_000, 20)
    expect(made.inFlightBytes).toBe(before)
    expect(made.front.services.produces.size).toBe(0)
  })

  test('is refused after some seconds, at once from then on, and said to have no leader', () => {
    const made = world()
    const client = made.connect()
    const held = sendProduce(client, 'triple', batchOf('a'), { timeoutMs: TIMEOUT_MAX_MS })
    const behind = sendProduce(client, 'single', batchOf('a'))
    made.pass(6_000, 20)
    const codeOf = (request: number) =>
      client.answer(produce, request)?.responses[0]?.partitionResponses[0]?.errorCode
    expect(codeOf(held)).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    expect(codeOf(behind)).toBe(ErrorCode.NONE)
    const late = sendProduce(client, 'triple', batchOf('a'), { timeoutMs: TIMEOUT_MAX_MS })
    made.run()
    expect(codeOf(late)).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    const asked = client.send(metadata, 9, { topics: [{ name: 'triple' }] })
    made.run()
    expect(client.answer(metadata, asked)?.topics[0]?.partitions[0]).toMatchObject({
      errorCode: ErrorCode.LEADER_NOT_AVAILABLE,
      leaderId: -1,
    })
    made.tellLeader('triple', 0, made.image.replicasOf(made.partition('triple'))[1]!, 1)
    const again = client.send(metadata, 9, { topics: [{ name: 'triple' }] })
    made.run()
    expect(client.answer(metadata, again)?.topics[0]?.partitions[0]).toMatchObject({
      errorCode: ErrorCode.NONE,
    })
  })
})
