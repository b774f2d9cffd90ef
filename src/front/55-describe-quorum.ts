import { ErrorCode } from '../base/error-code.ts'
import { asBrokerId, asCellId, type TopicId, ZERO_TOPIC_ID } from '../base/ids.ts'
import type { QuorumView } from '../link/control.ts'
import {
  type DescribeQuorumRequest,
  type DescribeQuorumResponseInput,
  describeQuorum,
} from '../protocol/55-describe-quorum.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { clusterDenied } from './denials.ts'
import { nodesOf } from './nodes.ts'
import { within } from './within.ts'

type Context = RequestContext<typeof describeQuorum>
const { acls } = requiredAcls.describeQuorum

type Partition = DescribeQuorumResponseInput['topics'][number]['partitions'][number]
type ReplicaState = Partition['currentVoters'][number]

/** What Kafka calls the topic that its metadata log is. */
const METADATA_TOPIC = '__cluster_metadata'
/** A broker that takes longer hangs: how far it is, is not known. */
const ANSWER_MS = 500

/**
 * The metadata log: some brokers keep it, and are its voters, the others follow. Told to the tenant of connections without credentials, which is whoever runs the engine; to any
 * other it is the cluster's, which it may not describe. Neither depends on who else is there, or it would tell that.
 */
export const describeQuorumHandler = handler({
  api: describeQuorum,
  scopes: ['topicName'],
  handle(request, context) {
    const { image } = context.services
    const isOperators = context.session.tenantId === image.defaultTenant?.tenantId
    if (!isOperators || !context.may(acls.cluster)) {
      context.reply({ ...clusterDenied, topics: [], nodes: [] })
      return
    }
    askNodes(context, (views) => {
      const found = quorumOf(views, nodesOf(context).length)
      context.reply({
        errorCode: ErrorCode.NONE,
        errorMessage: '',
        topics: topicsOf(request, () => quorum(context, views, found)),
        nodes: context.version >= 2 ? nodesAmong(context, found.voters) : [],
      })
    })
  },
})

/** Of each node in turn, what it knows; null: it has not said. */
type Views = readonly (QuorumView | null)[]
type Quorum = Pick<QuorumView, 'term' | 'leader' | 'voters'>

function askNodes(context: Context, done: (views: Views) => void): void {
  const { services, cellId } = context
  const views: (QuorumView | null)[] = nodesOf(context).map(() => null)
  let waiting = 1
  const settle = () => {
    if (--waiting === 0) done(views)
  }
  for (const [at, { nodeId }] of nodesOf(context).entries()) {
    const broker = services.dispatcher.proxy(asCellId(cellId), asBrokerId(nodeId))
    if (broker === undefined) continue
    waiting++
    within<QuorumView>(
      services,
      ANSWER_MS,
      {
        ...{ questions: services.quorumViews, broker },
        question: (correlation) => ({ kind: 'describe-metadata', correlation }),
      },
      (view) => {
        views[at] = view
        settle()
      },
    )
  }
  settle()
}

/**
 * As the leader of the latest term says, or, where it does not answer, whoever has heard of that term and keeps the log; where none of them answers, those that are
 * to keep it.
 */
function quorumOf(views: Views, nodes: number): Quorum {
  let found: Quorum = { term: 0, leader: 0, voters: [] }
  let isLeaders = false
  for (const [at, view] of views.entries()) {
    if (view === null || view.voters.length === 0) continue
    const isOwn = view.leader === at + 1
    const isBetter = view.term === found.term && isOwn && !isLeaders
    if (
      view.term < found.term ||
      (view.term === found.term && !isBetter && found.voters.length > 0)
    )
      continue
    found = view
    isLeaders = isOwn
  }
  if (found.voters.length === 0) return { ...found, voters: nodes < 3 ? [1] : [1, 2, 3] }
  // whom the others take for the leader may have gone
  return isLeaders ? found : { ...found, leader: 0 }
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

function quorum(context: Context, views: Views, { term, leader, voters }: Quorum): Partition {
  const { clock, image } = context.services
  const nowMs = clock.wallMs()
  // they have answered one after the other, and entries may have come meanwhile
  const highWatermark = views.reduce<number>(
    (max, view) => Math.max(max, view?.highWatermark ?? 0),
    image.offset,
  )
  const states = nodesOf(context).map(({ nodeId }, at): ReplicaState => {
    const told = views[at]?.endOffset ?? null
    const end = nodeId === leader && told !== null ? Math.max(told, highWatermark) : told
    return {
      replicaId: nodeId,
      replicaDirectoryId: directoryOf(context, nodeId),
      logEndOffset: end ?? -1,
      lastFetchTimestamp: end === null ? -1 : nowMs,
      lastCaughtUpTimestamp: end !== null && end >= highWatermark ? nowMs : -1,
    }
  })
  return {
    partitionIndex: 0,
    errorCode: ErrorCode.NONE,
    errorMessage: '',
    leaderId: leader === 0 ? -1 : leader,
    leaderEpoch: term,
    highWatermark,
    currentVoters: states.filter(({ replicaId }) => voters.includes(replicaId)),
    observers: states.filter(({ replicaId }) => !voters.includes(replicaId)),
  }
}

function directoryOf({ services, cellId, version }: Context, nodeId: number): TopicId {
  // the versions before have no place for it
  const directory =
    version < 2 ? undefined : services.image.brokerDirectory(cellId, asBrokerId(nodeId))
  return (directory?.directoryId ?? ZERO_TOPIC_ID) as TopicId
}

/** Any node takes what is for the controller. */
const nodesAmong = (
  context: Context,
  voters: readonly number[],
): DescribeQuorumResponseInput['nodes'] =>
  nodesOf(context)
    .filter(({ nodeId }) => voters.includes(nodeId))
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
