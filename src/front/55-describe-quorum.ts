import { ErrorCode } from '../base/error-code.ts'
import { asBrokerId, asCellId, type TopicId, ZERO_TOPIC_ID } from '../base/ids.ts'
import {
  type DescribeQuorumRequest,
  type DescribeQuorumResponseInput,
  describeQuorum,
} from '../protocol/55-describe-quorum.ts'
import { handler, type RequestContext } from './context.ts'
import { CONTROLLER_NODE, nodesOf } from './nodes.ts'
import { within } from './within.ts'

type Context = RequestContext<typeof describeQuorum>
type Partition = DescribeQuorumResponseInput['topics'][number]['partitions'][number]
type ReplicaState = Partition['currentVoters'][number]

/** What Kafka calls the topic that its metadata log is. */
const METADATA_TOPIC = '__cluster_metadata'
/** The one voter is never elected anew. */
const QUORUM_EPOCH = 0
/** A broker that takes longer hangs: how far it is, is not known. */
const ANSWER_MS = 500

/**
 * The metadata log: broker 1 keeps it, the others follow. Told to the tenant of connections without credentials, which is whoever runs the engine; to any
 * other it is the cluster's, which it may not describe. Neither depends on who else is there, or it would tell that.
 */
export const describeQuorumHandler = handler({
  api: describeQuorum,
  scopes: ['topicName'],
  handle(request, context) {
    const { image } = context.services
    if (context.session.tenantId !== image.defaultTenant?.tenantId) {
      const errorCode = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
      const errorMessage = 'Cluster authorization failed.'
      context.reply({ errorCode, errorMessage, topics: [], nodes: [] })
      return
    }
    askEnds(context, (ends) => {
      context.reply({
        errorCode: ErrorCode.NONE,
        errorMessage: '',
        topics: topicsOf(request, () => quorum(context, ends)),
        nodes: context.version >= 2 ? votersOf(context) : [],
      })
    })
  },
})

/** Of each node in turn, up to where it has the log; null: not known. */
function askEnds(context: Context, done: (ends: readonly (number | null)[]) => void): void {
  const { services, cellId } = context
  const ends: (number | null)[] = nodesOf(context).map(() => null)
  let waiting = 1
  const settle = () => {
    if (--waiting === 0) done(ends)
  }
  for (const [at, { nodeId }] of nodesOf(context).entries()) {
    const broker = services.dispatcher.proxy(asCellId(cellId), asBrokerId(nodeId))
    if (broker === undefined) continue
    waiting++
    within<number>(
      services,
      ANSWER_MS,
      {
        ...{ questions: services.metadataEnds, broker },
        question: (correlation) => ({ kind: 'describe-metadata', correlation }),
      },
      (end) => {
        ends[at] = end
        settle()
      },
    )
  }
  settle()
}

/** As Kafka, which knows of one quorum only: of anything asked beside it there is none, nor of itself then. */
function topicsOf(
  { topics }: DescribeQuorumRequest,
  describe: () => Partition,
): DescribeQuorumResponseInput['topics'] {
  const [first] = topics
  const isIt =
    topics.length === 1 &&
    first!.topicName === METADATA_TOPIC &&
    first!.partitions.length === 1 &&
    first!.partitions[0]!.partitionIndex === 0
  return topics.map(({ topicName, partitions }) => ({
    topicName,
    partitions: partitions.map(({ partitionIndex }) =>
      isIt ? describe() : unknown(partitionIndex),
    ),
  }))
}

function quorum(context: Context, ends: readonly (number | null)[]): Partition {
  const { clock, image } = context.services
  const nowMs = clock.wallMs()
  // they have answered one after the other, and entries may have come meanwhile
  const highWatermark = ends.reduce<number>((max, end) => Math.max(max, end ?? 0), image.offset)
  const leaderEnd = ends[CONTROLLER_NODE - 1] ?? null
  const states = nodesOf(context).map(({ nodeId }, at): ReplicaState => {
    const isLeader = nodeId === CONTROLLER_NODE
    const end = isLeader && leaderEnd !== null ? highWatermark : (ends[at] ?? null)
    return {
      replicaId: nodeId,
      replicaDirectoryId: directoryOf(context, nodeId),
      logEndOffset: end ?? -1,
      lastFetchTimestamp: end === null ? -1 : nowMs,
      lastCaughtUpTimestamp: end === highWatermark ? nowMs : -1,
    }
  })
  return {
    partitionIndex: 0,
    errorCode: ErrorCode.NONE,
    errorMessage: '',
    leaderId: leaderEnd === null ? -1 : CONTROLLER_NODE,
    leaderEpoch: QUORUM_EPOCH,
    highWatermark,
    currentVoters: states.filter(({ replicaId }) => replicaId === CONTROLLER_NODE),
    observers: states.filter(({ replicaId }) => replicaId !== CONTROLLER_NODE),
  }
}

function directoryOf({ services, cellId, version }: Context, nodeId: number): TopicId {
  // the versions before have no place for it
  const directory =
    version < 2 ? undefined : services.image.brokerDirectory(cellId, asBrokerId(nodeId))
  return (directory?.directoryId ?? ZERO_TOPIC_ID) as TopicId
}

/** Any node takes what is for the controller. */
const votersOf = (context: Context): DescribeQuorumResponseInput['nodes'] =>
  nodesOf(context)
    .filter(({ nodeId }) => nodeId === CONTROLLER_NODE)
    .map(({ nodeId, host, port }) => ({
      nodeId,
      listeners: [{ name: 'PLAINTEXT', host, port }],
    }))

const unknown = (partitionIndex: number): Partition => ({
  partitionIndex,
  errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  errorMessage: 'This server does not host this topic-partition.',
  leaderId: 0,
  leaderEpoch: 0,
  highWatermark: 0,
  currentVoters: [],
  observers: [],
})
