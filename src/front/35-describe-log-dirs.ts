import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId, PartitionIndex, PartitionNumber } from '../base/ids.ts'
import {
  type DescribeLogDirsRequest,
  type DescribeLogDirsResponseInput,
  describeLogDirs,
} from '../protocol/35-describe-log-dirs.ts'
import { handler, type RequestContext } from './context.ts'

type Context = RequestContext<typeof describeLogDirs>
type Result = DescribeLogDirsResponseInput['results'][number]

interface Found {
  readonly name: string
  readonly index: PartitionIndex
  readonly number: PartitionNumber
}

/** Partitions asked about at a time: each may take a look at the disk, on the broker's thread. */
const PARTITIONS_PER_QUESTION = 32

/**
 * One directory: that of the node of this port, as far as it is the tenant's. Neither its place nor the size of its volume is told: both
 * are the machine's, and the volume is shared with others.
 */
export const describeLogDirsHandler = handler({
  api: describeLogDirs,
  scopes: ['topicName'],
  handle(request, context) {
    const nodeId = context.connection.listener.nodeId as BrokerId
    const broker = context.services.dispatcher.proxy(context.cellId, nodeId)
    const found = partitionsHere(request, nodeId, context)
    const sizes: number[] = []
    const reply = (errorCode: number) => {
      const results = [resultOf(nodeId, errorCode, found, sizes)]
      context.reply({ throttleTimeMs: 0, errorCode: ErrorCode.NONE, results })
    }
    const askOn = () => {
      const next = found.slice(sizes.length, sizes.length + PARTITIONS_PER_QUESTION)
      if (broker === undefined) reply(ErrorCode.KAFKA_STORAGE_ERROR)
      else if (next.length === 0) reply(ErrorCode.NONE)
      else {
        const partitions = next.map(({ number }) => number)
        context.services.logSizes.ask(
          broker,
          (correlation) => ({ kind: 'describe-log-sizes', correlation, partitions }),
          (answer) => {
            if (answer === null) {
              reply(ErrorCode.KAFKA_STORAGE_ERROR)
              return
            }
            sizes.push(...answer)
            askOn()
          },
        )
      }
    }
    askOn()
  },
})

/** What is asked for, or all there is, and led here. */
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
          .filter(({ number }) => image.leaderOf(number) === nodeId),
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
  sizes: readonly number[],
): Result {
  const byTopic = new Map<string, Result['topics'][number]['partitions'][number][]>()
  for (const [at, { name, index }] of found.entries()) {
    const size = sizes[at]
    // the disk does not tell
    if (errorCode !== ErrorCode.NONE || size === undefined || Number.isNaN(size)) continue
    const partitions = byTopic.get(name) ?? []
    byTopic.set(name, partitions)
    partitions.push({
      partitionIndex: index,
      partitionSize: size,
      offsetLag: 0,
      isFutureKey: false,
    })
  }
  return {
    errorCode,
    logDir: `/broker-${nodeId}`,
    topics: Array.from(byTopic, ([name, partitions]) => ({ name, partitions })),
    totalBytes: -1,
    usableBytes: -1,
    isCordoned: false,
  }
}
