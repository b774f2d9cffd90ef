/** ListOffsets. */
import { listOffsets } from '../../../src/protocol/02-list-offsets.ts'
import { batchOf, TIME_MS } from '../batches.ts'
import { type Scenario, versionsOf } from '../side.ts'
import { append, FOREVER } from './requests.ts'

export const offsetScenarios: readonly Scenario[] = [
  {
    name: 'list-offsets',
    async run(side) {
      await side.createTopic('offsets', 3, FOREVER)
      for (let i = 0; i < 5; i++) await append(side, 'offsets', batchOf(['a', 'b', 'c']))
      await append(side, 'offsets', batchOf(['x']), 1)
      const special = [-1, -2, -3, -4, -5, -6, -7, -100, -(2 ** 63)]
      const times = [...special, 0, 1, TIME_MS - 1, TIME_MS, TIME_MS + 1, TIME_MS + 2, TIME_MS + 3]
      times.push(2 ** 50, 2 ** 63)
      for (const version of versionsOf(listOffsets)) {
        const ask = (
          step: string,
          asked: readonly (readonly [
            name: string,
            index: number,
            timestamp: number,
            epoch?: number,
          ])[],
          more: object = {},
        ) =>
          side.ask(step, listOffsets, version, {
            ...{ replicaId: -1, isolationLevel: 0, timeoutMs: 1_000 },
            topics: asked.map(([name, partitionIndex, timestamp, currentLeaderEpoch = -1]) => ({
              name,
              partitions: [{ partitionIndex, timestamp, currentLeaderEpoch }],
            })),
            ...more,
          })
        for (const timestamp of times) {
          await ask(`timestamp ${timestamp}`, [['offsets', 0, timestamp]])
          await ask(`timestamp ${timestamp}, empty`, [['offsets', 2, timestamp]])
        }
        await ask('unknown topic', [['offsets-unknown', 0, -1]])
        await ask('bad topic name', [['a bad/name', 0, -1]])
        await ask('empty topic name', [['', 0, -1]])
        for (const index of [3, -1, 99]) await ask(`partition ${index}`, [['offsets', index, -1]])
        await ask('two partitions', [
          ['offsets', 0, -1],
          ['offsets', 1, -1],
        ])
        await ask('twice the same', [
          ['offsets', 0, -1],
          ['offsets', 0, -2],
        ])
        await ask('none', [])
        for (const epoch of [0, 1, -2, 99]) {
          await ask(`epoch ${epoch}`, [['offsets', 0, -1, epoch]])
          await ask(`epoch ${epoch} by time`, [['offsets', 0, TIME_MS, epoch]])
        }
        for (const isolationLevel of [1, 2, -1]) {
          await ask(`isolation ${isolationLevel}`, [['offsets', 0, -1]], { isolationLevel })
        }
        for (const replicaId of [-2, -3, 0, 1, 5]) {
          await ask(`replica ${replicaId}`, [['offsets', 0, -1]], { replicaId })
        }
        await ask('timeout 0', [['offsets', 0, -1]], { timeoutMs: 0 })
        await ask('timeout -1', [['offsets', 0, -1]], { timeoutMs: -1 })
      }
    },
  },
]
