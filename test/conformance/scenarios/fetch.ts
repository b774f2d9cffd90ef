/** Fetch: offsets at the edges, limits, epochs, and sessions (KIP-227). */
import { fetch } from '../../../src/protocol/01-fetch.ts'
import { batchOf } from '../batches.ts'
import { type Scenario, type Side, versionsOf } from '../side.ts'
import { append, type FetchInput, type FetchOptions, FOREVER, fetchRequest } from './requests.ts'

async function prepare(side: Side, topic: string): Promise<void> {
  await side.createTopic(topic, 3, FOREVER)
  for (let i = 0; i < 5; i++) await append(side, topic, batchOf([`a${i}`, `b${i}`, `c${i}`]))
  await append(side, topic, batchOf(['only']), 1)
}

type Case = readonly [what: readonly FetchInput[], options?: FetchOptions]

const cases = (topic: string): Record<string, Case> => {
  const at = (offset: number, more: Partial<FetchInput> = {}): readonly FetchInput[] => [
    { topic, offset, ...more },
  ]
  return {
    'from 0': [at(0)],
    'inside a batch': [at(4)],
    'the last offset': [at(14)],
    'the end': [at(15), { maxWaitMs: 20 }],
    'beyond the end': [at(16)],
    'far beyond the end': [at(2 ** 40)],
    'offset -1': [at(-1)],
    'offset -2': [at(-2)],
    'an empty partition': [at(0, { partition: 2 }), { maxWaitMs: 20 }],
    'unknown partition': [at(0, { partition: 3 })],
    'partition -1': [at(0, { partition: -1 })],
    'unknown topic': [[{ topic: 'fetch-unknown' }]],
    'one good, one unknown': [[{ topic }, { topic: 'fetch-unknown' }]],
    'bad topic name': [[{ topic: 'a bad/name' }]],
    nothing: [[]],
    'leader epoch 0': [at(0, { epoch: 0 })],
    'leader epoch 1': [at(0, { epoch: 1 })],
    'leader epoch -2': [at(0, { epoch: -2 })],
    'leader epoch 99': [at(0, { epoch: 99 })],
    'partition limit 1': [at(0, { partitionMaxBytes: 1 })],
    'partition limit 0': [at(0, { partitionMaxBytes: 0 })],
    'partition limit -1': [at(0, { partitionMaxBytes: -1 })],
    'partition limit of one and a half': [at(0, { partitionMaxBytes: 150 })],
    'limit 1': [at(0), { maxBytes: 1 }],
    'limit 0': [at(0), { maxBytes: 0 }],
    'limit -1': [at(0), { maxBytes: -1 }],
    'limit of one and a half': [at(0), { maxBytes: 150 }],
    'limit for two partitions': [[{ topic }, { topic, partition: 1 }], { maxBytes: 10 }],
    'committed only': [at(0), { isolationLevel: 1 }],
    'isolation 2': [at(0), { isolationLevel: 2 }],
    'isolation -1': [at(0), { isolationLevel: -1 }],
    'wait 0 for more': [at(0), { minBytes: 1 << 20 }],
    'wait 50 for more': [at(0), { minBytes: 1 << 20, maxWaitMs: 50 }],
    'min bytes 0 at the end': [at(15), { minBytes: 0, maxWaitMs: 1_000 }],
    'min bytes -1 at the end': [at(15), { minBytes: -1, maxWaitMs: 1_000 }],
    'wait -1': [at(15), { maxWaitMs: -1 }],
    'the same partition twice': [
      [
        { topic, offset: 0 },
        { topic, offset: 12 },
      ],
    ],
    'an error does not wait': [
      [
        { topic, offset: 15 },
        { topic, partition: 9 },
      ],
      { maxWaitMs: 100 },
    ],
    'last fetched epoch 0': [at(3, { lastFetchedEpoch: 0 })],
    'last fetched epoch 5': [at(3, { lastFetchedEpoch: 5 })],
  }
}

/** A session from its beginning to its end, with the mistakes that can be made on the way. */
async function session(side: Side, version: number): Promise<void> {
  const topic = `session-${version}`
  await prepare(side, topic)
  const ask = (step: string, wanted: readonly FetchInput[], options: FetchOptions) =>
    side.ask(step, fetch, version, fetchRequest(side, wanted, { maxWaitMs: 20, ...options }))
  const both = [{ topic }, { topic, partition: 1 }]
  await ask('unknown session', [], { sessionId: 77, sessionEpoch: 1 })
  await ask('session 0, epoch 1', [], { sessionId: 0, sessionEpoch: 1 })
  await ask('no session', both, { sessionEpoch: -1 })
  await ask('a session of nothing', [], { sessionEpoch: 0 })
  const sessionId = (await ask('begins', both, { sessionEpoch: 0 }))?.sessionId ?? 0
  await ask('nothing new', [], { sessionId, sessionEpoch: 1 })
  await ask('epoch skipped', [], { sessionId, sessionEpoch: 5 })
  await ask('offset moves', [{ topic, offset: 15 }], { sessionId, sessionEpoch: 2 })
  await ask('one at its end', [], { sessionId, sessionEpoch: 3 })
  await ask('both at their ends', [{ topic, partition: 1, offset: 1 }], {
    sessionId,
    sessionEpoch: 4,
  })
  await append(side, topic, batchOf(['new']))
  await ask('something new', [], { sessionId, sessionEpoch: 5 })
  await ask('moved beyond it', [{ topic, offset: 16 }], { sessionId, sessionEpoch: 6 })
  await ask('an old epoch', [], { sessionId, sessionEpoch: 5 })
  await ask('out of range', [{ topic, offset: 99 }], { sessionId, sessionEpoch: 7 })
  await ask('still out of range', [], { sessionId, sessionEpoch: 8 })
  await ask('a third', [{ topic, partition: 2 }], { sessionId, sessionEpoch: 9 })
  await ask('one forgotten', [], {
    ...{ sessionId, sessionEpoch: 10 },
    forgotten: [{ topic, partitions: [0] }],
  })
  await ask('one unknown', [{ topic, partition: 7 }], { sessionId, sessionEpoch: 11 })
  await ask('it stays unknown', [], { sessionId, sessionEpoch: 12 })
  await ask('forgets what is not there', [], {
    ...{ sessionId, sessionEpoch: 13 },
    forgotten: [{ topic: 'fetch-unknown', partitions: [0, 1] }],
  })
  await ask('all forgotten', [], {
    ...{ sessionId, sessionEpoch: 14 },
    forgotten: [{ topic, partitions: [0, 1, 2, 7] }],
  })
  await ask('after that', [], { sessionId, sessionEpoch: 15 })
  const second = (await ask('begins again', both, { sessionEpoch: 0 }))?.sessionId ?? 0
  await ask('replaced', both, { sessionId: second, sessionEpoch: 0 })
  await ask('the replaced one', [], { sessionId: second, sessionEpoch: 1 })
  await ask('closed', [], { sessionId: second, sessionEpoch: -1 })
}

export const fetchScenarios: readonly Scenario[] = [
  {
    name: 'fetch',
    async run(side) {
      for (const version of versionsOf(fetch)) {
        const topic = `fetch-${version}`
        await prepare(side, topic)
        for (const [step, [wanted, options]] of Object.entries(cases(topic))) {
          await side.ask(step, fetch, version, fetchRequest(side, wanted, options))
        }
      }
    },
  },
  {
    name: 'fetch-zstd',
    async run(side) {
      await side.createTopic('zstd', 1, { ...FOREVER, 'compression.type': 'zstd' })
      await append(side, 'zstd', batchOf(['a']))
      for (const version of versionsOf(fetch)) {
        await side.ask('from 0', fetch, version, fetchRequest(side, [{ topic: 'zstd' }]), {
          keep: (path) => !path.endsWith('.records'),
        })
      }
    },
  },
  {
    name: 'fetch-sessions',
    async run(side) {
      for (const version of versionsOf(fetch).filter((one) => one >= 7))
        await session(side, version)
      await prepare(side, 'session-mixed')
      const begin = fetchRequest(side, [{ topic: 'session-mixed' }], { sessionEpoch: 0 })
      for (const [first, then] of [
        [12, 13],
        [13, 12],
        [11, 12],
      ] as const) {
        const begun = await side.ask(`begins, to go on in ${then}`, fetch, first, begin)
        const sessionId = begun?.sessionId ?? 0
        const next = fetchRequest(side, [], { sessionId, sessionEpoch: 1, maxWaitMs: 20 })
        await side.ask(`began in ${first}`, fetch, then, next)
      }
    },
  },
]
