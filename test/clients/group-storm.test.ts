/** A hundred members join, leave and vanish at random against `griot start`; once that ends, the group is stable and shares its partitions. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { SeededRandom } from '../../src/base/random.ts'
import { joinGroup } from '../../src/protocol/11-join-group.ts'
import { heartbeat } from '../../src/protocol/12-heartbeat.ts'
import { leaveGroup } from '../../src/protocol/13-leave-group.ts'
import { syncGroup } from '../../src/protocol/14-sync-group.ts'
import { describeGroups } from '../../src/protocol/15-describe-groups.ts'
import { EngineProcess } from './engine-process.ts'
import { count } from './requirements.ts'
import { Wire } from './wire.ts'

const MEMBERS = 100
const PARTITIONS = 200
const stormMs = count(8_000, 60_000)
const seed = Number(process.env.GRIOT_SEED ?? 20_261_125)
const group = { groupId: 'storm', groupInstanceId: null }

/** A member that comes and goes: its leader deals numbers out, so that what each got can be checked. */
class Member {
  readonly bootstrap: string
  memberId = ''
  generationId = -1
  assigned: readonly number[] = []
  joins = 0
  failure: unknown = null
  #isWanted = true
  #leaves = true
  #running: Promise<void>

  constructor(bootstrap: string) {
    this.bootstrap = bootstrap
    this.#running = this.#run().catch((error) => {
      if (this.#isWanted) this.failure = error
    })
  }

  /** Leaves the group, or vanishes as one that has crashed. */
  async end(leaves: boolean): Promise<void> {
    this.#leaves = leaves
    this.#isWanted = false
    await this.#running
  }

  async #run(): Promise<void> {
    const wire = await Wire.open(this.bootstrap)
    while (this.#isWanted) {
      if (!(await this.#enter(wire))) continue
      let code: number = ErrorCode.NONE
      while (this.#isWanted && code === ErrorCode.NONE) {
        await new Promise((resolve) => setTimeout(resolve, 200))
        const { memberId, generationId } = this
        code = (await wire.request(heartbeat, 4, { ...group, memberId, generationId })).errorCode
      }
      if (code === ErrorCode.UNKNOWN_MEMBER_ID) this.memberId = ''
    }
    if (this.#leaves && this.memberId !== '') {
      const members = [{ memberId: this.memberId, groupInstanceId: null, reason: 'storm' }]
      await wire.request(leaveGroup, 5, { groupId: 'storm', memberId: '', members })
    }
    wire.close()
  }

  /** One round of join and sync; false when it has to be tried again. */
  async #enter(wire: Wire): Promise<boolean> {
    this.assigned = []
    const joined = await wire.request(joinGroup, 9, {
      ...{ ...group, sessionTimeoutMs: 6_000, rebalanceTimeoutMs: 3_000, memberId: this.memberId },
      ...{ protocolType: 'storm', reason: null },
      protocols: [{ name: 'deal', metadata: new Uint8Array(20) }],
    })
    if (joined.errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.memberId = ''
    else if (joined.memberId !== '') this.memberId = joined.memberId
    if (joined.errorCode !== ErrorCode.NONE) return false
    this.joins++
    this.generationId = joined.generationId
    const ids = joined.members.map(({ memberId }) => memberId).sort()
    const synced = await wire.request(syncGroup, 5, {
      ...{ ...group, memberId: this.memberId, generationId: this.generationId },
      ...{ protocolType: 'storm', protocolName: 'deal' },
      assignments: ids.map((memberId, place) => ({
        memberId,
        assignment: Uint8Array.from(
          Array.from({ length: PARTITIONS }, (_, i) => i).filter((i) => i % ids.length === place),
        ),
      })),
    })
    if (synced.errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.memberId = ''
    if (synced.errorCode !== ErrorCode.NONE) return false
    this.assigned = [...synced.assignment]
    return true
  }
}

let directory: string
let engine: EngineProcess

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'griot-storm-'))
  engine = await EngineProcess.create(join(directory, 'data'), 3, [
    '--broker-config',
    'group.initial.rebalance.delay.ms=0',
  ])
  await engine.start()
})

afterAll(async () => {
  await engine?.end('SIGKILL')
  await rm(directory, { recursive: true, force: true })
})

it(
  `a storm of ${MEMBERS} members for ${stormMs / 1_000} s ends stable`,
  async () => {
    console.log(`seed ${seed}`)
    const random = new SeededRandom(seed)
    const members = new Set<Member>()
    const gone: Member[] = []
    const ending: Promise<void>[] = []
    const until = Date.now() + stormMs
    while (Date.now() < until) {
      if (members.size < MEMBERS && random.below(3) > 0) members.add(new Member(engine.bootstrap))
      else if (members.size > 0) {
        const one = [...members][random.below(members.size)]!
        members.delete(one)
        gone.push(one)
        ending.push(one.end(random.below(3) > 0))
      }
      await new Promise((resolve) => setTimeout(resolve, random.below(40)))
    }
    while (members.size < MEMBERS) members.add(new Member(engine.bootstrap))
    await Promise.all(ending)
    const wire = await Wire.open(engine.bootstrap)
    const state = async () => {
      const answer = await wire.request(describeGroups, 5, {
        groups: ['storm'],
        includeAuthorizedOperations: false,
      })
      const { groupState, members: described } = answer.groups[0]!
      return {
        groupState,
        members: described.length,
        generations: new Set([...members].map((one) => one.generationId)).size,
      }
    }
    await expect
      .poll(state, { timeout: 30_000, interval: 250 })
      .toEqual({ groupState: 'Stable', members: MEMBERS, generations: 1 })
    // who was answered last may still be reading
    const dealt = () => [...members].flatMap(({ assigned }) => assigned).sort((a, b) => a - b)
    await expect.poll(dealt).toEqual(Array.from({ length: PARTITIONS }, (_, i) => i))
    const all = [...members, ...gone]
    expect(all.map(({ failure }) => failure).filter((failure) => failure !== null)).toEqual([])
    const [first] = members
    const joins = all.reduce((sum, one) => sum + one.joins, 0)
    console.log(
      `${all.length} members, ${joins} joins, stable in generation ${first!.generationId}`,
    )
    wire.close()
    await Promise.all([...members].map((one) => one.end(false)))
  },
  stormMs + 60_000,
)
