/** Asks the group coordinators what scrapes want to know, by Kafka's own requests. HTTP front's thread. */
import type {
  AskGroups,
  CommittedOffset,
  GroupCount,
  GroupStats,
  GroupsAnswer,
} from '../admin/group-metrics.ts'
import { asBrokerId, type PartitionIndex } from '../base/ids.ts'
import type { Region } from '../base/region.ts'
import { CoordinatorCalls } from '../cell/coordinator-calls.ts'
import { OFFSETS_TOPIC } from '../front/internal-topics.ts'
import type { MetadataView, TopicView } from '../image/view.ts'
import { brokerPeer, type ControlPort } from '../link/ports.ts'
import { offsetFetch } from '../protocol/09-offset-fetch.ts'
import { describeGroups } from '../protocol/15-describe-groups.ts'
import { listGroups } from '../protocol/16-list-groups.ts'
import type { Api, RequestInputOf, ResponseOf } from '../protocol/api.ts'
import { decodeResponse, encodeRequest, joinFrame } from '../protocol/codec.ts'
import { DoorbellRinger } from '../shared/doorbell.ts'
import { RingWriter } from '../shared/ring-writer.ts'
import { brokerBells, type ThreadData } from './thread.ts'
import { CELL } from './wiring.ts'

/** Groups told in one scrape, and offsets of them all. */
export const SCRAPE_GROUPS_MAX = 1_000
export const SCRAPE_OFFSETS_MAX = 10_000
/** Groups in one request: a coordinator answers it in one turn. */
const GROUPS_AT_ONCE = 50
/** What is not answered by then is left out. */
const TIMEOUT_MS = 4_000
/** A frame's size, which answers have and the coordinators' own frames have not. */
const SIZE_BYTES = 4
const CLIENT_ID = 'griot-metrics'

/** The commands of one broker: one call at a time is out. */
interface BrokerCalls {
  readonly calls: CoordinatorCalls
  readonly bell: DoorbellRinger
  isGone: boolean
}

/** A coordinator's place. */
interface Place {
  readonly tenant: string
  readonly topic: TopicView
  readonly index: PartitionIndex
}

interface Listed extends Place {
  readonly groupId: string
}

/** Deadline of one scrape. */
interface Deadline {
  readonly reached: Promise<null>
  readonly isOver: () => boolean
}

export class GroupStatsClient {
  readonly #image: MetadataView
  readonly #brokers: BrokerCalls[]
  readonly #data: ThreadData
  readonly #control: ControlPort

  /** `commandRings` from here to each broker, from index 0. */
  constructor(
    image: MetadataView,
    data: ThreadData,
    control: ControlPort,
    commandRings: readonly Region[],
  ) {
    this.#image = image
    this.#data = data
    this.#control = control
    this.#brokers = commandRings.map((commands, at) => this.#callsOf(at, commands))
  }

  /** Another thread is that broker now. */
  onBrokerBack(brokerId: number, commands: Region): void {
    this.#brokers[brokerId - 1] = this.#callsOf(brokerId - 1, commands)
  }

  #callsOf(at: number, commands: Region): BrokerCalls {
    const peer = brokerPeer(CELL, asBrokerId(at + 1))
    let bufferId = 0
    const sendBuffer = (bytes: Uint8Array): number => {
      const sab = new SharedArrayBuffer(bytes.length)
      new Uint8Array(sab).set(bytes)
      this.#control.post(peer, { kind: 'batch-buffer', bufferId: ++bufferId, sab })
      return bufferId
    }
    return {
      calls: new CoordinatorCalls(new RingWriter(commands), sendBuffer),
      bell: new DoorbellRinger(brokerBells(this.#data.wiring)[at]!),
      isGone: false,
    }
  }

  /** What the coordinators of a broker have answered. */
  onAnswers(brokerId: number, heads: Int32Array, bytes: Uint8Array): void {
    const broker = this.#brokers[brokerId - 1]!
    // on its way when its broker died: whoever asked has been told so
    if (broker.isGone) return
    broker.calls.onAnswers(heads, bytes)
    if (broker.calls.parked > 0 && broker.calls.sendParked() > 0) broker.bell.ring()
  }

  onBrokerGone(brokerId: number): void {
    const broker = this.#brokers[brokerId - 1]!
    broker.isGone = true
    broker.calls.failAll()
  }

  readonly ask: AskGroups = async (matches) => {
    let timer: NodeJS.Timeout | undefined
    let isOver = false
    const deadline = {
      isOver: () => isOver,
      reached: new Promise<null>((resolve) => {
        timer = setTimeout(() => {
          isOver = true
          resolve(null)
        }, TIMEOUT_MS)
      }),
    }
    try {
      return await this.#ask(matches, deadline)
    } finally {
      clearTimeout(timer)
    }
  }

  async #ask(matches: (groupId: string) => boolean, deadline: Deadline): Promise<GroupsAnswer> {
    const counts = new Map<string, { tenant: string; state: string; count: number }>()
    const asked: Listed[] = []
    let leftOut = 0
    for (const place of this.#places()) {
      const request = { statesFilter: [], typesFilter: [] }
      const answer = await this.#call(place, listGroups, 5, request, deadline)
      for (const { groupId, groupState } of answer?.groups ?? []) {
        const key = JSON.stringify([place.tenant, groupState])
        const known = counts.get(key) ?? { tenant: place.tenant, state: groupState, count: 0 }
        known.count++
        counts.set(key, known)
        if (!matches(groupId)) continue
        if (asked.length < SCRAPE_GROUPS_MAX) asked.push({ ...place, groupId })
        else leftOut++
      }
    }
    const groups: GroupStats[] = []
    let offsets = 0
    for (const chunk of chunksOf(asked)) {
      for (const group of await this.#describe(chunk, deadline)) {
        if (offsets + group.offsets.length > SCRAPE_OFFSETS_MAX) {
          leftOut++
          continue
        }
        offsets += group.offsets.length
        groups.push(group)
      }
    }
    return { groups, counts: [...counts.values()] satisfies GroupCount[], leftOut }
  }

  /** Every partition of every tenant's `__consumer_offsets`. */
  *#places(): Generator<Place> {
    for (const { tenantId, name: tenant } of this.#image.tenants()) {
      const topic = this.#image.topicByName(tenantId, OFFSETS_TOPIC)
      for (let index = 0; index < (topic?.partitionCount ?? 0); index++) {
        yield { tenant, topic: topic!, index: index as PartitionIndex }
      }
    }
  }

  /** `groups` live in one place. */
  async #describe(groups: readonly Listed[], deadline: Deadline): Promise<GroupStats[]> {
    const [place] = groups
    const ids = groups.map(({ groupId }) => groupId)
    const [fetched, described] = await Promise.all([
      this.#call(place!, offsetFetch, 8, fetchAll(ids), deadline),
      this.#call(
        place!,
        describeGroups,
        5,
        { groups: ids, includeAuthorizedOperations: false },
        deadline,
      ),
    ])
    if (fetched === null || described === null) return []
    const offsets = new Map(fetched.groups.map((group) => [group.groupId, offsetsOf(group)]))
    return described.groups.map(({ groupId, members }) => ({
      ...{ tenant: place!.tenant, groupId, members: members.length },
      offsets: offsets.get(groupId) ?? [],
    }))
  }

  /** null when there is no answer in time, or none but an error. */
  #call<A extends Api>(
    { topic, index }: Place,
    api: A,
    version: number,
    request: RequestInputOf<A>,
    deadline: Deadline,
  ): Promise<ResponseOf<A> | null> {
    // nobody waits for it: asked all the same, it would be work for a broker that has too much, and wait in memory for one that hangs
    if (deadline.isOver()) return Promise.resolve(null)
    const number = topic.numberOf(index)
    const broker = this.#brokers[this.#image.leaderOf(number) - 1]
    if (broker === undefined || broker.isGone) return Promise.resolve(null)
    const frame = joinFrame(encodeRequest(api, version, 0, CLIENT_ID, request))
    const answer = new Promise<ResponseOf<A> | null>((resolve) => {
      const onCoordinated = (_token: number, _error: number, bytes: Uint8Array | null) =>
        resolve(
          bytes === null ? null : decodeResponse(api, version, bytes.slice(SIZE_BYTES)).response,
        )
      broker.calls.call(number, '', frame.subarray(SIZE_BYTES), { onCoordinated }, 0)
      broker.bell.ring()
    })
    return Promise.race([answer, deadline.reached])
  }
}

/** At most so many at a time, and only of one place: a coordinator has the groups of its partition. */
function* chunksOf(groups: readonly Listed[]): Generator<readonly Listed[]> {
  let chunk: Listed[] = []
  for (const group of groups) {
    const [first] = chunk
    const isElsewhere =
      first !== undefined && (first.topic !== group.topic || first.index !== group.index)
    if (isElsewhere || chunk.length === GROUPS_AT_ONCE) {
      yield chunk
      chunk = []
    }
    chunk.push(group)
  }
  if (chunk.length > 0) yield chunk
}

const fetchAll = (ids: readonly string[]): RequestInputOf<typeof offsetFetch> => ({
  ...{ groupId: '', topics: [], requireStable: false },
  groups: ids.map((groupId) => ({ groupId, memberId: null, memberEpoch: -1, topics: null })),
})

type FetchedGroup = ResponseOf<typeof offsetFetch>['groups'][number]

const offsetsOf = ({ topics }: FetchedGroup): CommittedOffset[] =>
  topics.flatMap(({ name, partitions }) =>
    partitions
      .filter(({ errorCode }) => errorCode === 0)
      .map(({ partitionIndex, committedOffset }) => ({
        topic: name!,
        partition: partitionIndex,
        offset: Number(committedOffset),
      })),
  )
