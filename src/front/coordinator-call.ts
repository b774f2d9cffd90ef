import { ErrorCode } from '../base/error-code.ts'
import type { PartitionIndex } from '../base/ids.ts'
import type { CoordinateSink } from '../cell/broker-proxy.ts'
import type { TopicView } from '../image/view.ts'
import type {
  Api,
  RequestInputOf,
  RequestOf,
  ResponseInputOf,
  ResponseOf,
} from '../protocol/api.ts'
import { decodeResponse, encodeRequest, joinFrame } from '../protocol/codec.ts'
import type { Entity } from '../protocol/entity.ts'
import type { RequiredAcl } from '../tenant/required-acls.ts'
import { type AnyHandler, handler, type OpenRequest, type RequestContext } from './context.ts'

/** Bytes of a frame's size. */
const SIZE_BYTES = 4

/** The partition of `__consumer_offsets` that a group lives in: Kafka's rule, Java's String.hashCode. */
export function groupPartition(groupId: string, partitions: number): PartitionIndex {
  let hash = 0
  for (let i = 0; i < groupId.length; i++) hash = (Math.imul(hash, 31) + groupId.charCodeAt(i)) | 0
  return ((hash & 0x7fff_ffff) % partitions) as PartitionIndex
}

/** `response` is null where `error` is not NONE: no coordinator has answered. */
type CallDone<A extends Api> = (error: number, response: ResponseOf<A> | null) => void

class Call<A extends Api> implements CoordinateSink {
  readonly #api: A
  readonly #version: number
  readonly #done: CallDone<A>

  constructor(api: A, version: number, done: CallDone<A>) {
    this.#api = api
    this.#version = version
    this.#done = done
  }

  onCoordinated(_token: number, error: number, frame: Uint8Array | null): void {
    if (frame === null) this.#done(error, null)
    else {
      const { response } = decodeResponse(this.#api, this.#version, frame.subarray(SIZE_BYTES))
      this.#done(ErrorCode.NONE, response)
    }
  }
}

/** Asks the coordinator in one partition of `topic`. `frame` is a request of the context's API and version, without its size. */
export function askPartition<A extends Api>(
  context: RequestContext<A>,
  topic: TopicView,
  index: PartitionIndex,
  frame: Uint8Array,
  done: CallDone<A>,
): void {
  const { dispatcher } = context.services
  const number = topic.numberOf(index)
  const proxy = dispatcher.leaderOf(topic.cellId, number)
  if (proxy === undefined) {
    done(ErrorCode.COORDINATOR_NOT_AVAILABLE, null)
    return
  }
  const sink = new Call(context.api, context.version, done)
  proxy.coordinate(number, hostOf(context), frame, sink, 0)
}

/** The client's address without its port, as Kafka prints it in descriptions of groups. */
function hostOf({ connection: { remoteAddress } }: RequestContext): string {
  return `/${remoteAddress.slice(0, remoteAddress.lastIndexOf(':'))}`
}

/** The request as a frame without its size, for what is not passed on as it came. */
export function requestFrame<A extends Api>(
  { api, version, correlationId, clientId }: RequestContext<A>,
  request: RequestInputOf<A>,
): Uint8Array {
  const frame = encodeRequest(api, version, correlationId, clientId, request)
  return joinFrame(frame).subarray(SIZE_BYTES)
}

/** A request that waits for others, as long as somebody waits for it. */
class OpenCall<A extends Api> implements OpenRequest {
  readonly #context: RequestContext<A>
  readonly #refuse: (error: number) => ResponseInputOf<A>
  #isOver = false

  constructor(context: RequestContext<A>, refuse: (error: number) => ResponseInputOf<A>) {
    this.#context = context
    this.#refuse = refuse
    context.state.open.add(this)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** False when it has ended before. */
  end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#context.state.open.delete(this)
    return true
  }

  /** The client sends no more, or holds up its own connection: it is told to ask again. */
  answerNow(): void {
    if (this.end()) this.#context.reply(this.#refuse(ErrorCode.REBALANCE_IN_PROGRESS))
  }

  onConnectionClosed(): void {
    this.end()
  }
}

/** What is left of a request for its coordinator. */
export interface Rest<A extends Api> {
  /** Null: nothing, and the coordinator is not asked. */
  readonly request: RequestInputOf<A> | null
  /** Adds what was refused to its answer. */
  readonly complete: (answer: ResponseInputOf<A> | null) => ResponseInputOf<A>
}

export interface GroupHandler<A extends Api> {
  readonly api: A
  readonly scopes: readonly Entity[]
  /** On the group: without it the coordinator is not asked. */
  readonly right: RequiredAcl
  readonly groupOf: (request: RequestOf<A>) => string
  /** Of a request that names topics: without those that the client may not name; null where it may name them all. */
  readonly withoutDenied?: (request: RequestOf<A>, context: RequestContext<A>) => Rest<A> | null
  /** It is answered when other members have done their part: a client that goes meanwhile is not waited for. */
  readonly waitsForOthers?: true
  /** Makes the answer to give when no coordinator has answered. Keeps of the request what that needs: it may be long until then. */
  readonly refusalOf: (
    request: RequestOf<A>,
    context: RequestContext<A>,
  ) => (error: number) => ResponseInputOf<A>
}

/** A handler that passes requests about one group on to its coordinator. */
export function groupHandler<A extends Api>(definition: GroupHandler<A>): AnyHandler {
  const { api, scopes, right, groupOf, refusalOf, withoutDenied } = definition
  return handler({
    api,
    scopes,
    handle(request, context, frame) {
      const groupId = groupOf(request)
      const refuse = refusalOf(request, context)
      if (!context.may(right, groupId)) {
        context.reply(refuse(ErrorCode.GROUP_AUTHORIZATION_FAILED))
        return
      }
      const rest = withoutDenied?.(request, context) ?? null
      if (rest !== null && rest.request === null) {
        context.reply(rest.complete(null))
        return
      }
      const asked = rest === null ? frame : requestFrame(context, rest.request!)
      const wait = definition.waitsForOthers ? new OpenCall(context, refuse) : null
      const { internalTopics } = context.services
      internalTopics.offsets(context.session.tenantId, (topic) => {
        if (wait?.isOver) return
        if (topic === null) {
          wait?.end()
          context.reply(refuse(ErrorCode.COORDINATOR_NOT_AVAILABLE))
          return
        }
        const index = groupPartition(groupId, topic.partitionCount)
        askPartition(context, topic, index, asked, (error, response) => {
          if (wait?.end() === false) return
          const answer = response as ResponseInputOf<A> | null
          if (answer === null) context.reply(refuse(error))
          else context.reply(rest === null ? answer : rest.complete(answer))
        })
        context.slot.frameDone()
      })
    },
  })
}

export interface GroupsHandler<A extends Api> {
  readonly api: A
  readonly scopes: readonly Entity[]
  /** On each group. */
  readonly right: RequiredAcl
  /** The groups that a request names. */
  readonly groupsOf: (request: RequestOf<A>) => readonly string[]
  /** The request, about some of its groups only. */
  readonly only: (request: RequestOf<A>, groups: ReadonlySet<string>) => RequestInputOf<A>
  /** An answer that refuses these groups. */
  readonly refuse: (groups: readonly string[], error: number) => ResponseInputOf<A>
  /** One answer made of several. */
  readonly merge: (
    answers: readonly ResponseInputOf<A>[],
    groups: readonly string[],
  ) => ResponseInputOf<A>
  /** What coordinators cannot know is added to their answer. */
  readonly complete?: (
    answer: ResponseInputOf<A>,
    request: RequestOf<A>,
    context: RequestContext<A>,
  ) => ResponseInputOf<A>
}

type Answering = 'groupsOf' | 'only' | 'refuse' | 'merge'

/** Has a request about several groups answered, each by its own coordinator. `frame`: the request as it came, or null where some of that is left out. */
export function askGroups<A extends Api>(
  definition: Pick<GroupsHandler<A>, Answering>,
  request: RequestOf<A>,
  context: RequestContext<A>,
  frame: Uint8Array | null,
  done: (answer: ResponseInputOf<A>) => void,
): void {
  const { groupsOf, only, refuse, merge } = definition
  const groups = groupsOf(request)
  context.services.internalTopics.offsets(context.session.tenantId, (topic) => {
    if (topic === null) {
      done(refuse(groups, ErrorCode.COORDINATOR_NOT_AVAILABLE))
      return
    }
    const byPartition = new Map<PartitionIndex, Set<string>>()
    for (const group of groups) {
      const index = groupPartition(group, topic.partitionCount)
      const known = byPartition.get(index)
      if (known === undefined) byPartition.set(index, new Set([group]))
      else known.add(group)
    }
    if (byPartition.size === 0) {
      done(merge([], groups))
      return
    }
    const answers: ResponseInputOf<A>[] = []
    for (const [index, some] of byPartition) {
      const isWhole = byPartition.size === 1 && frame !== null
      const part = isWhole ? frame : requestFrame(context, only(request, some))
      askPartition(context, topic, index, part, (error, response) => {
        answers.push(
          response === null ? refuse([...some], error) : (response as ResponseInputOf<A>),
        )
        if (answers.length === byPartition.size) done(merge(answers, groups))
      })
    }
    context.slot.frameDone()
  })
}

export const groupsHandler = <A extends Api>(definition: GroupsHandler<A>): AnyHandler =>
  handler({
    api: definition.api,
    scopes: definition.scopes,
    handle(request, context, frame) {
      const { right, groupsOf, only, refuse, merge, complete } = definition
      const groups = groupsOf(request)
      const reply = (answer: ResponseInputOf<A>) =>
        context.reply(complete === undefined ? answer : complete(answer, request, context))
      const denied = new Set(groups.filter((groupId) => !context.may(right, groupId)))
      if (denied.size === 0) {
        askGroups(definition, request, context, frame, reply)
        return
      }
      const refusal = refuse([...denied], ErrorCode.GROUP_AUTHORIZATION_FAILED)
      const allowed = new Set(groups.filter((groupId) => !denied.has(groupId)))
      if (allowed.size === 0) {
        reply(refusal)
        return
      }
      const rest = only(request, allowed) as RequestOf<A>
      askGroups(definition, rest, context, null, (answer) =>
        reply(merge([refusal, answer], groups)),
      )
    },
  })
