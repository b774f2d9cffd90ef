import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId, PartitionIndex, PartitionNumber } from '../base/ids.ts'
import type { BrokerProxy } from '../cell/broker-proxy.ts'
import type { TopicView } from '../image/view.ts'
import { type ElectLeadersRequest, electLeaders } from '../protocol/43-elect-leaders.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { Deadline } from './deadlines.ts'
import { CLUSTER_DENIED } from './denials.ts'
import type { MoveWaiter } from './leader-moves.ts'
import { refuseExcess } from './limits.ts'

type Context = RequestContext<typeof electLeaders>
const { acls } = requiredAcls.electLeaders

type Named = NonNullable<ElectLeadersRequest['topicPartitions']>

const ElectionType = { PREFERRED: 0, UNCLEAN: 1 } as const

/** Leaderships of one request that are handed over at a time: each costs an election. */
const MOVES_AT_A_TIME = 64
/** While nobody is known to lead, or the new leader has not told this front yet. */
const LOOK_AGAIN_MS = 10
/** Of one partition: its leadership goes round, or nobody gets it. */
const LOOKS_MAX = 300

const LATER = 'One leads once most of the replicas are back.'
const LOST =
  'The directories of most replicas of this partition were emptied or exchanged: what is left of it may lack such records.'

interface Row {
  readonly partitionId: number
  errorCode: number
  errorMessage: string | null
}

/** A leadership that is to go to the preferred replica. */
interface Move extends MoveWaiter {
  readonly topic: TopicView
  readonly number: PartitionNumber
  readonly row: Row
  looks: number
}

/**
 * Has preferred replicas lead: their leaders hand over, so nothing is lost and nobody waits. There is no unclean election: who leads is for
 * the replicas' majority to say.
 */
export const electLeadersHandler = handler({
  api: electLeaders,
  scopes: ['topicName'],
  handle(request, context) {
    const { electionType } = request
    const excess = excessOf(request)
    const named = request.topicPartitions ?? []
    // told once: a request names in four bytes what takes a row of the answer
    const told = excess === null ? named : firstOf(named)
    if (!context.may(acls.cluster)) {
      refuse(told, context, ErrorCode.CLUSTER_AUTHORIZATION_FAILED, CLUSTER_DENIED)
      return
    }
    if (excess !== null) {
      refuse(told, context, ErrorCode.POLICY_VIOLATION, excess)
      return
    }
    if (electionType !== ElectionType.PREFERRED && electionType !== ElectionType.UNCLEAN) {
      refuse(named, context, ErrorCode.INVALID_REQUEST, `Unknown election type ${electionType}`)
    } else if (request.timeoutMs <= 0) refuse(named, context, ErrorCode.REQUEST_TIMED_OUT, null)
    else new Election(request, context).start()
  },
})

const firstOf = ([first]: Named): Named => [
  { topic: first!.topic, partitions: first!.partitions.slice(0, 1) },
]

/** Nothing is done, for anything that is asked. */
function refuse(
  named: Named,
  context: Context,
  errorCode: number,
  errorMessage: string | null,
): void {
  const refused = (partitionId: number) => ({ partitionId, errorCode, errorMessage })
  const asked = onceEach(named)
  context.reply({
    throttleTimeMs: 0,
    // of which the first version has no place
    errorCode: context.version < 1 ? ErrorCode.NONE : errorCode,
    replicaElectionResults: Array.from(asked, ([topic, partitions]) => ({
      topic,
      partitionResult: Array.from(partitions, refused),
    })),
  })
}

function excessOf({ topicPartitions }: ElectLeadersRequest): string | null {
  const named = (topicPartitions ?? []).map(({ partitions }) => ({ assignments: partitions }))
  return refuseExcess('topics', named)
}

/** What is named twice is moved and told once. */
function onceEach(asked: Named): Map<string, Set<number>> {
  const once = new Map<string, Set<number>>()
  for (const { topic, partitions } of asked) {
    const known = once.get(topic) ?? new Set()
    once.set(topic, known)
    for (const index of partitions) known.add(index)
  }
  return once
}

/** One request until every partition of it is answered, or its time is up. */
class Election extends Deadline {
  readonly #request: ElectLeadersRequest
  readonly #context: Context
  readonly #topics: { readonly topic: string; readonly partitionResult: Row[] }[] = []
  readonly #moves: Move[] = []
  #next = 0
  #moving = 0
  #isOver = false

  constructor(request: ElectLeadersRequest, context: Context) {
    super()
    this.#request = request
    this.#context = context
  }

  start(): void {
    if (this.#request.topicPartitions === null) this.#judgeAll()
    else
      for (const [topic, partitions] of onceEach(this.#request.topicPartitions))
        this.#judge(topic, partitions)
    const { clock, deadlines } = this.#context.services
    const nowMs = clock.monotonicMs()
    if (this.#moves.length > 0) deadlines.add(this, nowMs + this.#request.timeoutMs, nowMs)
    this.#moveOn()
  }

  onDeadline(): void {
    for (const { row } of this.#moves) {
      if (row.errorCode !== UNDECIDED) continue
      row.errorCode = ErrorCode.REQUEST_TIMED_OUT
      row.errorMessage = 'The preferred replica does not lead yet.'
    }
    this.#finish()
  }

  /** Of all partitions those are told of that need an election. */
  #judgeAll(): void {
    const { image } = this.#context.services
    for (const topic of image.topics(this.#context.session.tenantId)) {
      const partitionResult: Row[] = []
      this.#topics.push({ topic: topic.name, partitionResult })
      for (let index = 0; index < topic.partitionCount; index++) {
        const row = this.#rowOf(topic, index)
        if (row.errorCode !== ErrorCode.ELECTION_NOT_NEEDED) partitionResult.push(row)
      }
    }
  }

  #judge(name: string, partitions: ReadonlySet<number>): void {
    const topic = this.#context.services.image.topicByName(this.#context.session.tenantId, name)
    const partitionResult = Array.from(partitions, (index) => {
      if (topic === undefined) return unknown(index, `No such topic as ${name}`)
      const isThere = index >= 0 && index < topic.partitionCount
      return isThere
        ? this.#rowOf(topic, index)
        : unknown(index, `No such partition as ${name}-${index}`)
    })
    this.#topics.push({ topic: name, partitionResult })
  }

  #rowOf(topic: TopicView, index: number): Row {
    const number = topic.numberOf(index as PartitionIndex)
    const row: Row = { partitionId: index, errorCode: UNDECIDED, errorMessage: null }
    const move: Move = {
      ...{ topic, number, row, looks: 0 },
      onMoved: (error) => this.#onMoved(move, error),
    }
    const isUnclean = this.#request.electionType === ElectionType.UNCLEAN
    if (isUnclean) this.#refuseUnclean(move)
    else if (this.#isLedAsPreferred(move)) refuseNeedless(row)
    else if (!this.#isPreferredThere(move)) this.#refuseAbsent(move)
    else this.#moves.push(move)
    return row
  }

  #refuseUnclean({ topic, number, row }: Move): void {
    if (this.#living(topic, this.#leaderOf(number)) !== undefined) {
      refuseNeedless(row)
      return
    }
    row.errorCode = ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE
    const { image } = this.#context.services
    row.errorMessage = `There is no unclean election: a replica that lacks acknowledged records never leads. ${image.isLost(number) ? LOST : LATER}`
  }

  /** Nobody leads what too few replicas are left of, whoever is preferred. */
  #leaderOf(number: PartitionNumber): BrokerId | 0 {
    const { image } = this.#context.services
    return image.isLost(number) ? 0 : image.leaderOf(number)
  }

  #isLedAsPreferred({ topic, number }: Move): boolean {
    const leader = this.#leaderOf(number)
    return leader === this.#preferred(number) && this.#living(topic, leader) !== undefined
  }

  #isPreferredThere({ topic, number }: Move): boolean {
    if (this.#context.services.image.isLost(number)) return false
    return this.#living(topic, this.#preferred(number)) !== undefined
  }

  #preferred(number: PartitionNumber): BrokerId | 0 {
    return this.#context.services.image.replicasOf(number)[0] ?? 0
  }

  #refuseAbsent({ number, row }: Move): void {
    row.errorCode = ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE
    const { image } = this.#context.services
    const absent = `Broker ${this.#preferred(number)}, the preferred leader, is not there.`
    row.errorMessage = image.isLost(number) ? `Nobody can lead. ${LOST}` : absent
  }

  #living(topic: TopicView, broker: BrokerId | 0): BrokerProxy | undefined {
    if (broker === 0) return undefined
    const proxy = this.#context.services.dispatcher.proxy(topic.cellId, broker)
    return proxy?.alive === true ? proxy : undefined
  }

  /** Begins what may be under way; answers when nothing is left. */
  #moveOn(): void {
    while (!this.#isOver && this.#moving < MOVES_AT_A_TIME && this.#next < this.#moves.length) {
      this.#moving++
      this.#look(this.#moves[this.#next++]!)
    }
    if (this.#moving === 0) this.#finish()
  }

  #look(move: Move): void {
    const { services } = this.#context
    const { topic, number } = move
    if (this.#isOver) return
    if (!services.image.hasPartition(number)) {
      const message = `No such topic as ${topic.name}`
      this.#decide(move, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message)
      return
    }
    if (this.#isLedAsPreferred(move)) {
      this.#decide(move, ErrorCode.NONE, null)
      return
    }
    if (!this.#isPreferredThere(move)) {
      this.#refuseAbsent(move)
      this.#decide(move, move.row.errorCode, move.row.errorMessage)
      return
    }
    if (move.looks++ >= LOOKS_MAX) {
      const message = 'Leadership does not come to rest at the preferred replica.'
      this.#decide(move, ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE, message)
      return
    }
    const leader = this.#living(topic, services.image.leaderOf(number))
    if (leader === undefined) this.#lookAgain(move)
    else this.#ask(leader, move)
  }

  #ask(leader: BrokerProxy, move: Move): void {
    const { leaderMoves } = this.#context.services
    leaderMoves.ask(leader, move.number, this.#preferred(move.number), move)
  }

  #onMoved(move: Move, error: number | null): void {
    switch (error) {
      // Who leads now tells this front itself. null: the broker that led has died.
      case null:
      case ErrorCode.NONE:
      case ErrorCode.NOT_LEADER_OR_FOLLOWER:
        this.#lookAgain(move)
        break
      case ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE:
        this.#decide(move, error, `Broker ${this.#preferred(move.number)} cannot take over now.`)
        break
      case ErrorCode.REQUEST_TIMED_OUT:
        this.#decide(
          move,
          error,
          `Broker ${this.#preferred(move.number)} did not take over in time.`,
        )
        break
      default:
        this.#decide(move, error, null)
    }
  }

  #lookAgain(move: Move): void {
    const { timers, clock } = this.#context.services
    timers.schedule(clock.monotonicMs() + LOOK_AGAIN_MS, () => this.#look(move))
  }

  #decide({ row }: Move, errorCode: number, errorMessage: string | null): void {
    if (this.#isOver) return
    row.errorCode = errorCode
    row.errorMessage = errorMessage
    this.#moving--
    this.#moveOn()
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    const { deadlines, leaderMoves } = this.#context.services
    deadlines.remove(this)
    for (const move of this.#moves) leaderMoves.leave(move.number, move)
    this.#context.reply({
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      replicaElectionResults: this.#topics,
    })
  }
}

function refuseNeedless(row: Row): void {
  row.errorCode = ErrorCode.ELECTION_NOT_NEEDED
  row.errorMessage = 'Leader election not needed for topic partition.'
}

/** No error of Kafka's. */
const UNDECIDED = -2

const unknown = (partitionId: number, errorMessage: string): Row => ({
  partitionId,
  errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  errorMessage,
})
