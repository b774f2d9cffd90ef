import { expect } from 'vitest'
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { offsetCommit } from '../../src/protocol/08-offset-commit.ts'
import type { Wire } from '../clients/wire.ts'

/** From outside of a group, as administrators do; again while there is no coordinator yet. */
export async function commitOffset(
  client: Wire,
  groupId: string,
  topic: string,
  ...offsets: number[]
): Promise<void> {
  const committed = offsets.length === 0 ? [0] : offsets
  for (let tries = 0; ; tries++) {
    const { topics } = await client.request(offsetCommit, 8, {
      ...{ groupId, generationIdOrMemberEpoch: -1, memberId: '', groupInstanceId: null },
      retentionTimeMs: -1,
      topics: [
        {
          ...{ name: topic, topicId: ZERO_TOPIC_ID },
          partitions: committed.map((committedOffset, partitionIndex) => ({
            ...{ partitionIndex, committedOffset },
            ...{ committedLeaderEpoch: -1, committedMetadata: '' },
          })),
        },
      ],
    })
    const errors = topics[0]!.partitions.map(({ errorCode }) => errorCode)
    if (errors.every((error) => error === 0)) return
    if (tries > 100) expect(errors).toEqual(committed.map(() => 0))
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
