import { afterEach, expect, test } from 'vitest'
import { KafkaClient } from '../../src/kafka-client/client.ts'
import { GroupMember } from '../../src/kafka-client/group-member.ts'
import { FakeBroker } from './fake-broker.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

test('who is no member does not commit as an empty group’s administrator', async () => {
  const broker = await FakeBroker.start()
  const client = new KafkaClient({
    bootstrap: [broker.address],
    requestTimeoutMs: 300,
    retryTimeoutMs: 300,
  })
  closers.push(() => {
    client.close()
    broker.close()
  })
  const member = new GroupMember(client, { groupId: 'g', topics: ['t'], assignor: 'range' })
  const commit = member.commit([{ topic: 't', partition: 0, offset: 5 }])
  await expect(commit).rejects.toMatchObject({ codeName: 'UNKNOWN_MEMBER_ID' })
  expect(broker.asked).toEqual([])
})
