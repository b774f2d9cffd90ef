/** A group's only member: commits positions that rise, and asks now and then which one counts. */
import { ErrorCode } from '../../../src/base/error-code.ts'
import { asPartitionIndex, asTopicId } from '../../../src/base/ids.ts'
import { offsetCommit } from '../../../src/protocol/08-offset-commit.ts'
import { offsetFetch } from '../../../src/protocol/09-offset-fetch.ts'
import { decodeResponse, encodeRequest, joinFrame } from '../../../src/protocol/codec.ts'
import { CELL } from '../../broker/world.ts'
import type { SimCluster } from '../sim-cluster.ts'
import { safe } from '../sim-error.ts'
import type { SimClient } from './client.ts'

export const OFFSETS_TOPIC = '__consumer_offsets'
const COMMIT_VERSION = 7
const FETCH_VERSION = 7
/** Of versions that name topics. */
const NO_TOPIC_ID = asTopicId('0'.repeat(32))

export class Committer implements SimClient {
  readonly #cluster: SimCluster
  readonly #groupId: string
  readonly #topic: string
  /** The least and the most that may count. */
  #committed = -1
  #attempted = -1
  #isAsking = false
  #askAtMs = 0
  #epoch = 0
  #isFinishing = false
  #isSure = false
  /** A commit after all was well: what nobody touches may stay as the last fault has left it. */
  #hasWrittenLast = false
  commits = 0
  fetches = 0

  constructor(cluster: SimCluster, groupId: string, topic: string) {
    this.#cluster = cluster
    this.#groupId = groupId
    this.#topic = topic
  }

  /** The last word is a fetch that was answered. */
  get isDone(): boolean {
    return this.#isFinishing && !this.#isAsking && this.#isSure
  }

  finish(): void {
    this.#isFinishing = true
    this.#isSure = false
  }

  onFrontGone(): void {
    this.#epoch++
    this.#isAsking = false
  }

  describe(): string {
    return `group ${this.#groupId}: committed ${this.#committed}, attempted ${this.#attempted}, asking ${this.#isAsking}, sure ${this.#isSure}`
  }

  turn(): void {
    const { random, nowMs } = this.#cluster
    if (this.#isAsking || this.#isSure || nowMs < this.#askAtMs) return
    this.#askAtMs = nowMs + 5 + random.below(30)
    const isFetch = this.#isFinishing ? this.#hasWrittenLast : random.chance(0.3)
    if (isFetch) this.#fetch()
    else this.#commit(Math.max(this.#committed, this.#attempted) + 1 + random.below(3))
  }

  #commit(offset: number): void {
    const partitions = [
      {
        partitionIndex: 0,
        committedOffset: offset,
        committedLeaderEpoch: -1,
        committedMetadata: '',
      },
    ]
    const of = { groupId: this.#groupId, generationIdOrMemberEpoch: -1, memberId: '' }
    const request = {
      ...of,
      groupInstanceId: null,
      retentionTimeMs: -1,
      topics: [{ name: this.#topic, topicId: NO_TOPIC_ID, partitions }],
    }
    const frame = joinFrame(encodeRequest(offsetCommit, COMMIT_VERSION, 1, 'sim', request))
    const isAsked = this.#ask(frame, (answer) => {
      const { response } = decodeResponse(offsetCommit, COMMIT_VERSION, answer)
      const error = response.topics[0]!.partitions[0]!.errorCode
      if (error !== ErrorCode.NONE) return
      this.commits++
      this.#committed = offset
      this.#hasWrittenLast = this.#isFinishing
    })
    // also where it is answered with an error it may come to count
    if (isAsked) this.#attempted = offset
  }

  #fetch(): void {
    const topics = [{ name: this.#topic, partitionIndexes: [0] }]
    const request = { groupId: this.#groupId, topics, groups: [], requireStable: false }
    const frame = joinFrame(encodeRequest(offsetFetch, FETCH_VERSION, 1, 'sim', request))
    this.#ask(frame, (answer) => {
      const { response } = decodeResponse(offsetFetch, FETCH_VERSION, answer)
      const partition = response.topics[0]?.partitions[0]
      if (response.errorCode !== ErrorCode.NONE || partition?.errorCode !== ErrorCode.NONE) return
      const { committedOffset } = partition
      safe(
        committedOffset >= this.#committed && committedOffset <= this.#attempted,
        () => `${this.describe()}: the coordinator says ${committedOffset}`,
      )
      this.fetches++
      this.#committed = committedOffset
      this.#isSure = this.#isFinishing
    })
  }

  #ask(frame: Uint8Array, onAnswer: (frame: Uint8Array) => void): boolean {
    const { front } = this.#cluster
    const tenant = front.image.defaultTenant
    const topic = tenant && front.image.topicByName(tenant.tenantId, OFFSETS_TOPIC)
    if (topic === undefined) return false
    const partition = topic.numberOf(asPartitionIndex(0))
    const proxy = front.dispatcher.leaderOf(CELL, partition)
    if (proxy === undefined) return false
    this.#isAsking = true
    const epoch = this.#epoch
    const onCoordinated = (_token: number, error: number, answer: Uint8Array | null) => {
      if (epoch !== this.#epoch) return
      this.#isAsking = false
      if (error === ErrorCode.NONE && answer !== null) onAnswer(answer.subarray(4))
    }
    proxy.coordinate(partition, '/127.0.0.1', frame.subarray(4), { onCoordinated }, 0)
    return true
  }
}
