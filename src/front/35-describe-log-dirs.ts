import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId, PartitionIndex, PartitionNumber } from '../base/ids.ts'
import type { DescribedLog } from '../link/control.ts'
import {
  type DescribeLogDirsRequest,
  type DescribeLogDirsResponseInput,
  describeLogDirs,
} from '../protocol/35-describe-log-dirs.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { logDirOf } from './nodes.ts'
import { within } from './within.ts'

type Context = RequestContext<typeof describeLogDirs>
type Result = DescribeLogDirsResponseInput['results'][number]

interface Described {
  readonly sizeBytes: number
  /** Behind the leader's high watermark; 0 where one of the two logs is not open. */
  readonly offsetLag: number
}

interface Found {
  readonly name: string
  readonly index: PartitionIndex
  readonly number: PartitionNumber
}

const { acls } = requiredAcls.describeLogDirs

/** Partitions asked about at a time: each may take a look at the disk, on the broker's thread. */
const PARTITIONS_PER_QUESTION = 32

/** A leader that takes longer hangs: how far behind it others are is not known. */
const LEADER_MS = 500

/**
 * One directory: that of the node of this port, as far as it is the tenant's: what it leads, and what it follows. Neither its place nor the size of
 * its volume is told: both are the machine's, and the volume is shared with others.
 */
export const describeLogDirsHandler = handler({
  api: describeLogDirs,
  scopes: ['topicName'],
  handle(request, context) {
    if (!context.may(acls.cluster)) {
      const errorCode = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
      context.reply({ throttleTimeMs: 0, errorCode, results: [] })
      return
    }
    const nodeId = context.connection.listener.nodeId as BrokerId
    const broker = context.services.dispatcher.proxy(context.cellId, nodeId)
    const found = partitionsHere(request, nodeId, context)
    const logs: Described[] = []
    const silent = new Set<BrokerId | 0>()
    const reply = (errorCode: number) => {
      const results = [resultOf(nodeId, errorCode, found, logs)]
      context.reply({ throttleTimeMs: 0, errorCode: ErrorCode.NONE, results })
    }
    const askOn = () => {
      const next = found.slice(logs.length, logs.length + PARTITIONS_PER_QUESTION)
      if (broker === undefined) reply(ErrorCode.KAFKA_STORAGE_ERROR)
      else if (next.length === 0) reply(ErrorCode.NONE)
      else {
        const partitions = next.map(({ number }) => number)
        // before its own are looked at: or one that keeps up would seem to be behind
        askLeaders(context, nodeId, partitions, silent, (marks) =>
          context.services.logSizes.ask(
            broker,
            (correlation) => ({ kind: 'describe-log-sizes', correlation, partitions }),
            (answer) => {
              if (answer === null) {
                reply(ErrorCode.KAFKA_STORAGE_ERROR)
                return
              }
              answer.forEach(({ sizeBytes, logEndOffset }, at) => {
                const lag = (marks.get(partitions[at]!) ?? 0) - logEndOffset
                logs.push({ sizeBytes, offsetLag: Number.isNaN(lag) ? 0 : Math.max(0, lag) })
              })
              askOn()
            },
          ),
        )
      }
    }
    askOn()
  },
})

/** The high watermarks of what others lead, as far as those who do have the logs open. `silent`: of those, the ones that have not answered and are not asked again. */
function askLeaders(
  context: Context,
  nodeId: BrokerId,
  partitions: readonly PartitionNumber[],
  silent: Set<BrokerId | 0>,
  done: (marks: ReadonlyMap<PartitionNumber, number>) => void,
): void {
  const { image, dispatcher, logSizes } = context.services
  const marks = new Map<PartitionNumber, number>()
  let waiting = 1
  const settle = () => {
    if (--waiting === 0) done(marks)
  }
  for (const [leader, led] of groupBy(partitions, (number) => image.leaderOf(number))) {
    const proxy = leader === 0 ? undefined : dispatcher.proxy(context.cellId, leader)
    if (leader === nodeId || proxy === undefined || silent.has(leader)) continue
    // one whose thread is known to hang would be waited for in vain
    if (!dispatcher.isLed(context.cellId, led[0]!)) continue
    waiting++
    within<readonly DescribedLog[]>(
      context.services,
      LEADER_MS,
      {
        ...{ questions: logSizes, broker: proxy },
        question: (correlation) => ({ kind: 'describe-log-sizes', correlation, partitions: led }),
      },
      (logs) => {
        if (logs === null) silent.add(leader)
        for (const [at, { highWatermark }] of (logs ?? []).entries()) {
          marks.set(led[at]!, highWatermark)
        }
        settle()
      },
    )
  }
  settle()
}

function groupBy<Key, One>(all: readonly One[], keyOf: (one: One) => Key): Map<Key, One[]> {
  const groups = new Map<Key, One[]>()
  for (const one of all) {
    const key = keyOf(one)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [one])
    else group.push(one)
  }
  return groups
}

/** What is asked for, or all there is, and lies here. */
function partitionsHere(
  { topics }: DescribeLogDirsRequest,
  nodeId: BrokerId,
  context: Context,
): Found[] {
  const { image } = context.services
  const { tenantId } = context.session
  const asked =
    topics === null
      ? Array.from(image.topics(tenantId), (topic) => ({
          topic,
          partitions: Array.from({ length: topic.partitionCount }, (_, index) => index),
        }))
      : Array.from(onceEach(topics), ([name, partitions]) => ({
          topic: image.topicByName(tenantId, name),
          partitions: [...partitions],
        }))
  return asked.flatMap(({ topic, partitions }) =>
    topic === undefined
      ? []
      : partitions
          .filter((index) => index >= 0 && index < topic.partitionCount)
          .map((index) => index as PartitionIndex)
          .map((index) => ({ name: topic.name, index, number: topic.numberOf(index) }))
          .filter(({ number }) => image.replicasOf(number).includes(nodeId)),
  )
}

/** A partition that is named twice is told once. */
function onceEach(topics: NonNullable<DescribeLogDirsRequest['topics']>): Map<string, Set<number>> {
  const asked = new Map<string, Set<number>>()
  for (const { topic, partitions } of topics) {
    const known = asked.get(topic) ?? new Set()
    asked.set(topic, known)
    for (const index of partitions) known.add(index)
  }
  return asked
}

function resultOf(
  nodeId: number,
  errorCode: number,
  found: readonly Found[],
  logs: readonly Described[],
): Result {
  const byTopic = new Map<string, Result['topics'][number]['partitions'][number][]>()
  for (const [at, { name, index }] of found.entries()) {
    const log = logs[at]
    // the disk does not tell
    if (errorCode !== ErrorCode.NONE || log === undefined || Number.isNaN(log.sizeBytes)) continue
    const partitions = byTopic.get(name) ?? []
    byTopic.set(name, partitions)
    partitions.push({
      partitionIndex: index,
      partitionSize: log.sizeBytes,
      offsetLag: log.offsetLag,
      isFutureKey: false,
    })
  }
  return {
    errorCode,
    logDir: logDirOf(nodeId),
    topics: Array.from(byTopic, ([name, partitions]) => ({ name, partitions })),
    totalBytes: -1,
    usableBytes: -1,
    isCordoned: false,
  }
}
