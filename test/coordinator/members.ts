/** Random members of one group, who behave like clients: join, sync, heartbeat, commit, leave, crash. */
import { ErrorCode } from '../../src/base/error-code.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { type JoinGroupResponse, joinGroup } from '../../src/protocol/11-join-group.ts'
import type { syncGroup } from '../../src/protocol/14-sync-group.ts'
import { type Call, GROUP, type GroupHost, type JoinOptions } from './group-host.ts'

const SESSION_MS = 10_000
const REBALANCE_MS = 30_000
const HEARTBEAT_MS = 3_000

/** One client, a state machine over virtual time. `act` does whatever is next. */
export class Client {
  readonly host: GroupHost
  readonly name: string
  readonly instance: string | null
  readonly version: number
  memberId = ''
  generationId = -1
  assignment: string | null = null
  #join: Call<typeof joinGroup> | null = null
  #sync: Call<typeof syncGroup> | null = null
  #heartbeatAtMs = 0
  readonly #story: Story

  constructor(story: Story, name: string, instance: string | null, version: number) {
    this.#story = story
    this.host = story.host
    this.name = name
    this.instance = instance
    this.version = version
  }

  get isSettled(): boolean {
    return this.assignment !== null && this.#join === null && this.#sync === null
  }

  /** Forgets its part, and who it is too when it is told that nobody knows it. */
  #lost(error: number): void {
    this.assignment = null
    if (error === ErrorCode.UNKNOWN_MEMBER_ID) this.memberId = ''
    if (error === ErrorCode.FENCED_INSTANCE_ID) this.#story.fenced.add(this)
  }

  act(): void {
    if (this.#join !== null) this.#joined(this.#join)
    else if (this.#sync !== null) this.#synced(this.#sync)
    else if (this.assignment === null) this.#ask()
    else if (this.host.nowMs >= this.#heartbeatAtMs) this.#beat()
  }

  #ask(): void {
    const options: JoinOptions = {
      version: this.version,
      memberId: this.memberId,
      instance: this.version >= 5 ? this.instance : null,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
      clientId: this.name,
    }
    this.#join = this.host.join(options)
  }

  #joined(join: Call<typeof joinGroup>): void {
    const { answer } = join
    if (answer === undefined) return
    this.#join = null
    if (answer.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.memberId = answer.memberId
      this.#ask()
      return
    }
    if (answer.errorCode !== ErrorCode.NONE) {
      this.#lost(answer.errorCode)
      return
    }
    this.memberId = answer.memberId
    this.generationId = answer.generationId
    this.#heartbeatAtMs = this.host.nowMs + HEARTBEAT_MS
    const isLeader = answer.leader === answer.memberId
    const assignments: Record<string, string> = {}
    if (isLeader && !answer.skipAssignment) {
      for (const { memberId } of answer.members) {
        assignments[memberId] = this.#story.part(answer.generationId, memberId)
      }
    }
    const { memberId, generationId } = this
    const groupInstanceId = this.version >= 5 ? this.instance : null
    this.#sync = this.host.sync({ memberId, generationId, groupInstanceId }, assignments)
  }

  #synced(sync: Call<typeof syncGroup>): void {
    const { answer } = sync
    if (answer === undefined) return
    this.#sync = null
    if (answer.errorCode !== ErrorCode.NONE) {
      this.#lost(answer.errorCode)
      return
    }
    this.assignment = Buffer.from(answer.assignment).toString()
    this.#story.got(this, this.assignment)
  }

  #beat(): void {
    const { memberId, generationId } = this
    this.#heartbeatAtMs = this.host.nowMs + HEARTBEAT_MS
    const instance = this.version >= 5 ? this.instance : null
    const error = this.host.heartbeat(memberId, generationId, instance)
    if (error !== ErrorCode.NONE) this.#lost(error)
    else this.#story.commit(this)
  }

  leave(): void {
    if (this.memberId === '') return
    this.host.leave([{ memberId: this.memberId, groupInstanceId: null }])
  }
}

/** A group and what must hold of it, whoever comes and goes. */
export class Story {
  readonly host: GroupHost
  readonly random: SeededRandom
  readonly clients = new Set<Client>()
  readonly fenced = new Set<Client>()
  #named = 0
  /** Of each generation that somebody was told: its leader. A restart may bring one back that was not written. */
  #leaders = new Map<number, string>()
  #generation = 0

  constructor(host: GroupHost, seed: number) {
    this.host = host
    this.random = new SeededRandom(seed)
    host.onAnswer = (api, response) => {
      if (api.key !== joinGroup.key) return
      const { errorCode, generationId, leader } = response as JoinGroupResponse
      if (errorCode === ErrorCode.NONE) this.#sawGeneration(generationId, leader)
    }
  }

  enter(isStatic = this.random.chance(0.2)): void {
    const name = `c${this.#named++}`
    const instance = isStatic ? `i${this.random.below(5)}` : null
    const version = this.random.chance(0.2) ? this.random.below(9) : 9
    this.clients.add(new Client(this, name, instance, version))
  }

  any(): Client | undefined {
    const all = [...this.clients]
    return all[this.random.below(all.length)]
  }

  /** What a member gets says whose it is. */
  part = (generationId: number, memberId: string): string => `${generationId}:${memberId}`

  #sawGeneration(generationId: number, leader: string): void {
    if (generationId < this.#generation) {
      throw new Error(`generation ${generationId} after ${this.#generation}`)
    }
    this.#generation = generationId
    const before = this.#leaders.get(generationId)
    // a static leader that returned has a new id and its old instance
    const instance = /^i\d-/.exec(leader)?.[0]
    const isSame =
      before === undefined ||
      before === leader ||
      (instance !== undefined && before.startsWith(instance))
    if (!isSame) throw new Error(`generation ${generationId} has leaders ${before} and ${leader}`)
    this.#leaders.set(generationId, leader)
  }

  /** Generations that were not written are forgotten by a restart. */
  restart(): void {
    this.host.restart()
    this.#leaders = new Map()
    this.#generation = 0
  }

  got(client: Client, assignment: string): void {
    // A member that came while the leader assigned may get nothing; a static one the part of its former self.
    if (assignment === '' || client.instance !== null) return
    const expected = this.part(client.generationId, client.memberId)
    if (assignment !== expected)
      throw new Error(`${client.name} got ${assignment}, not ${expected}`)
  }

  commit(client: Client): void {
    if (!client.isSettled || !this.random.chance(0.3)) return
    const { memberId, generationId } = client
    const instance = client.version >= 5 ? client.instance : null
    const offset = this.random.below(1_000)
    this.host.commitOffsets({ a: [offset] }, { memberId, generationId, instance })
  }

  /** A little time, in which every client does what is next. */
  turn(ms: number): void {
    for (const client of this.clients) client.act()
    for (const client of this.fenced) this.clients.delete(client)
    this.fenced.clear()
    this.host.advance(ms)
  }

  /** Nobody may wait longer than any timeout allows. */
  checkWaits(): void {
    const { asked, answers, nowMs } = this.host
    const limitMs = 5 * 60_000 + REBALANCE_MS
    for (const [token, { api, atMs }] of asked) {
      if (!answers.has(token) && nowMs - atMs > limitMs) {
        throw new Error(`${api.name} of ${atMs} ms waits at ${nowMs} ms`)
      }
    }
  }

  /** Everybody has a part of one generation, which is as described. */
  checkStable(): void {
    const group = this.host.describe(GROUP)
    if (group.groupState !== 'Stable') throw new Error(`the group is ${group.groupState}`)
    const ids = [...this.clients].map(({ memberId }) => memberId).sort()
    const described = group.members.map(({ memberId }) => memberId).sort()
    if (ids.join() !== described.join()) throw new Error(`members ${described}, clients ${ids}`)
    const generations = new Set([...this.clients].map(({ generationId }) => generationId))
    if (generations.size !== 1) throw new Error(`generations ${[...generations]}`)
  }
}
