// What loading __consumer_offsets costs a record: a million commits over 12,000 partitions of 100 groups, streamed from one
// buffer as a host does. CPU time, so that a busy machine tells less. Needs `npm run build`.
// Usage: node native-bench/offsets.mjs [ROUNDS]
import { SeededRandom } from '../dist/lib/base/random.js'
import {
  DEFAULT_GROUP_CONFIG,
  GroupCoordinator,
} from '../dist/lib/coordinator/group/coordinator.js'
import { encodeOffsetKey } from '../dist/lib/coordinator/group/offset-keys.js'
import { encodeOffsetValue } from '../dist/lib/coordinator/group/offset-value.js'

const rounds = Number(process.argv[2] ?? 7)
const RECORDS = 1_000_000
const GROUPS = 100
const TOPICS = 10
const PARTITIONS = 12
const topicIds = Array.from({ length: TOPICS }, (_, i) => String(i).padStart(32, 'a'))

const keys = []
for (let group = 0; group < GROUPS; group++) {
  for (let topic = 0; topic < TOPICS; topic++) {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      keys.push(encodeOffsetKey(`my-consumer-group-${group}`, `orders.topic-${topic}`, partition))
    }
  }
}

// Each group commits all partitions of a topic at once; which comes next is anybody's guess.
const parts = []
const ends = new Int32Array(2 * RECORDS)
let length = 0
for (let i = 0; i < RECORDS; i++) {
  const commit = (Math.floor(i / PARTITIONS) * 7_919) % (GROUPS * TOPICS)
  const topicId = topicIds[commit % TOPICS]
  const value = encodeOffsetValue({
    offset: i * 10,
    leaderEpoch: 3,
    metadata: '',
    commitTimestampMs: 1_700_000_000_000 + i,
    expireTimestampMs: -1,
    topicId,
  })
  for (const part of [keys[commit * PARTITIONS + (i % PARTITIONS)], value]) {
    parts.push(part)
    length += part.length
    ends[parts.length - 1] = length
  }
}
const bytes = Buffer.concat(parts)
const view = (n) => bytes.subarray(n === 0 ? 0 : ends[n - 1], ends[n])
const nanoseconds = (from) => (process.cpuUsage(from).user * 1e3) / RECORDS

const replays = []
const views = []
for (let round = 0; round < rounds; round++) {
  const coordinator = new GroupCoordinator({
    config: () => DEFAULT_GROUP_CONFIG,
    topics: {
      idOf: (name) => topicIds[Number(name.split('-')[1])],
      nameOf: (id) => `orders.topic-${topicIds.indexOf(id)}`,
      partitionsOf: () => PARTITIONS,
    },
    random: new SeededRandom(1),
    logger: { log() {} },
  })
  coordinator.commit(RECORDS)
  let from = process.cpuUsage()
  let seen = 0
  for (let n = 0; n < 2 * RECORDS; n++) seen += view(n).length
  views.push(nanoseconds(from))
  from = process.cpuUsage()
  for (let i = 0; i < RECORDS; i++) coordinator.replay(i, view(2 * i), view(2 * i + 1))
  coordinator.onLoaded(0, 0)
  replays.push(nanoseconds(from))
  if (seen !== length || coordinator.gauges.offsets !== keys.length) throw new Error('lost some')
}
const line = (name, all) => {
  const sorted = [...all].sort((a, b) => a - b)
  const [min, median, max] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)]
  const text = [min, median, max].map((ns) => ns.toFixed(0))
  console.log(`${name}: ${text[1]} ns a record (${text[0]}–${text[2]}, ${rounds} rounds)`)
}
line('replay', replays)
line('of which views of key and value', views)
