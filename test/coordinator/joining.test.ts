import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import {
  GROUP_BYTES_MAX,
  GROUP_ID_LENGTH_MAX,
  MEMBER_METADATA_BYTES_MAX,
  MEMBER_PROTOCOLS_MAX,
  PENDING_MEMBERS_MAX,
} from '../../src/coordinator/group/config.ts'
import { GroupHost, type JoinOptions, subscription } from './group-host.ts'

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

describe('a member that joins', () => {
  it('is told an id first, joins with it, leads, and gets what it assigns', () => {
    const host = new GroupHost()
    const first = host.join({ clientId: 'me' }).now
    expect(first.errorCode).toBe(ErrorCode.MEMBER_ID_REQUIRED)
    expect(first.memberId).toMatch(
      /^me-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    )
    const join = host.join({ memberId: first.memberId, clientId: 'me' })
    expect(join.waits).toBe(true)
    host.advance(0)
    expect(join.now).toMatchObject({
      errorCode: ErrorCode.NONE,
      generationId: 1,
      protocolType: 'consumer',
      protocolName: 'range',
      leader: first.memberId,
      skipAssignment: false,
      members: [{ memberId: first.memberId, groupInstanceId: null, metadata: subscription('a') }],
    })
    const sync = host.sync(join.now, { [first.memberId]: 'all of it' }).now
    expect(sync).toMatchObject({
      errorCode: ErrorCode.NONE,
      protocolType: 'consumer',
      protocolName: 'range',
    })
    expect(text(sync.assignment)).toBe('all of it')
    expect(host.describe()).toMatchObject({
      errorCode: ErrorCode.NONE,
      groupState: 'Stable',
      protocolType: 'consumer',
      protocolData: 'range',
      members: [{ memberId: first.memberId, clientId: 'me', clientHost: '/127.0.0.1' }],
    })
    expect(host.heartbeat(first.memberId, 1)).toBe(ErrorCode.NONE)
  })

  it('needs no second try before version 4', () => {
    for (const version of [0, 1, 2, 3]) {
      const host = new GroupHost()
      const join = host.join({ version })
      host.advance(0)
      expect(join.now).toMatchObject({ errorCode: ErrorCode.NONE, generationId: 1 })
    }
  })

  it('is answered completely in every version', () => {
    for (let version = 0; version <= 9; version++) {
      const host = new GroupHost()
      const asked = host.join({ version })
      const join = version < 4 ? asked : host.join({ version, memberId: asked.now.memberId })
      host.advance(0)
      expect(join.now.errorCode).toBe(ErrorCode.NONE)
      expect(host.sync(join.now, {}, {}, Math.min(version, 5)).now.errorCode).toBe(ErrorCode.NONE)
    }
  })

  it('has its session timeout for its rebalance timeout in version 0', () => {
    const host = new GroupHost({ groupInitialRebalanceDelayMs: 3_000 })
    host.join({ version: 0, sessionTimeoutMs: 6_000 })
    host.advance(1_000)
    const late = host.join({ version: 0, sessionTimeoutMs: 6_000 })
    // extended once by 3 s, up to 6 s after the first join
    host.advance(4_999)
    expect(late.waits).toBe(true)
    host.advance(1)
    expect(late.now.errorCode).toBe(ErrorCode.NONE)
  })

  it('is refused for its session timeout, its group id, its protocols', () => {
    const host = new GroupHost()
    const refused = (options: Parameters<GroupHost['join']>[0]) => host.join(options).now.errorCode
    expect(refused({ sessionTimeoutMs: 5_999 })).toBe(ErrorCode.INVALID_SESSION_TIMEOUT)
    expect(refused({ sessionTimeoutMs: 1_800_001 })).toBe(ErrorCode.INVALID_SESSION_TIMEOUT)
    expect(refused({ groupId: '' })).toBe(ErrorCode.INVALID_GROUP_ID)
    expect(refused({ protocolType: '' })).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    expect(refused({ protocols: [] })).toBe(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    expect(refused({ groupId: 'other', memberId: 'nobody' })).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
    expect(refused({ memberId: 'nobody' })).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  it('is refused beyond the limits, which the log names', () => {
    const host = new GroupHost()
    const groupId = 'g'.repeat(GROUP_ID_LENGTH_MAX + 1)
    expect(host.join({ groupId }).now.errorCode).toBe(ErrorCode.INVALID_GROUP_ID)
    expect(host.lines.at(-1)!.fields).toMatchObject({
      is: GROUP_ID_LENGTH_MAX + 1,
      limit: GROUP_ID_LENGTH_MAX,
    })
    const half = new Uint8Array(MEMBER_METADATA_BYTES_MAX / 2 + 1)
    const large = [
      ['a', half],
      ['b', half],
    ] as const
    expect(host.join({ protocols: large }).now.errorCode).toBe(ErrorCode.INVALID_REQUEST)
    expect(host.lines.at(-1)!.fields).toMatchObject({ limit: MEMBER_METADATA_BYTES_MAX })
    const many = Array.from(
      { length: MEMBER_PROTOCOLS_MAX + 1 },
      (_, i) => [`p${i}`, new Uint8Array(0)] as const,
    )
    expect(host.join({ protocols: many }).now.errorCode).toBe(ErrorCode.INVALID_REQUEST)
    expect(host.lines.at(-1)!.fields).toMatchObject({ limit: MEMBER_PROTOCOLS_MAX })
    expect(host.log).toEqual([])
  })

  it('is refused when the group would say more than fits into an answer, and may come once others leave', () => {
    const host = new GroupHost()
    host.appendBytesMax = Number.POSITIVE_INFINITY
    const large: JoinOptions = { protocols: [['range', new Uint8Array(MEMBER_METADATA_BYTES_MAX)]] }
    const fit = Math.floor(GROUP_BYTES_MAX / (MEMBER_METADATA_BYTES_MAX + 1_000))
    const members = host.stableGroup(fit, large)
    expect(members).toHaveLength(fit)
    const before = host.log.length
    const refused = host.join(large).now
    expect(refused).toMatchObject({ errorCode: ErrorCode.GROUP_MAX_SIZE_REACHED, memberId: '' })
    expect(host.join({ ...large, version: 3 }).now.errorCode).toBe(refused.errorCode)
    const { message, fields } = host.lines.at(-1)!
    expect(message).toContain('more than fits into an answer')
    expect(fields).toMatchObject({ members: fit, limit: GROUP_BYTES_MAX })
    expect((fields as { would: number }).would).toBeGreaterThan(GROUP_BYTES_MAX)
    expect(host.log).toHaveLength(before)
    // who is a member may come back with as much as before, or less, and a small one still fits
    const back = host.join({ ...large, memberId: members[1]!.memberId })
    expect(back.now.errorCode).toBe(ErrorCode.NONE)
    const small = host.enter()
    expect(host.describe().groupState).toBe('PreparingRebalance')
    host.leave(members.map(({ memberId }) => ({ memberId })))
    host.advance(60_000)
    expect(small.join.now.errorCode).toBe(ErrorCode.NONE)
    expect(host.enter(large).join.waits).toBe(true)
  })

  it('counts what its clients are called as well', () => {
    const host = new GroupHost({ groupInitialRebalanceDelayMs: 0 })
    const clientId = 'c'.repeat(32_000)
    let errorCode: number = ErrorCode.MEMBER_ID_REQUIRED
    let joined = 0
    for (; errorCode === ErrorCode.MEMBER_ID_REQUIRED && joined < 1_000; joined++) {
      const answer = host.join({ clientId }).now
      errorCode = answer.errorCode
      if (errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
        host.join({ clientId, memberId: answer.memberId })
      }
    }
    expect(errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED)
    expect(joined).toBeGreaterThan(200)
    expect(joined).toBeLessThan(GROUP_BYTES_MAX / 32_000)
  })

  it('is refused by a full group, of which members that return are part', () => {
    const host = new GroupHost({ groupMaxSize: 2 })
    const members = host.stableGroup(2)
    expect(host.join().now.errorCode).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED)
    const back = members.map(({ memberId }) => host.join({ memberId }))
    expect(back.map((join) => join.now.errorCode)).toEqual([ErrorCode.NONE, ErrorCode.NONE])
    expect(host.describe().members).toHaveLength(2)
  })

  it('is thrown out as the last to return when the limit was lowered', () => {
    const host = new GroupHost()
    const members = host.stableGroup(3)
    host.config = { ...host.config, groupMaxSize: 2 }
    const back = members.map(({ memberId }) => host.join({ memberId }))
    expect(back.map((join) => join.now.errorCode)).toEqual([
      ErrorCode.NONE,
      ErrorCode.NONE,
      ErrorCode.GROUP_MAX_SIZE_REACHED,
    ])
    expect(host.describe().members).toHaveLength(2)
  })

  it('is forgotten if it never uses its id, and the group goes on without it', () => {
    const host = new GroupHost()
    const { memberId } = host.join({ sessionTimeoutMs: 10_000 }).now
    host.advance(9_999)
    expect(host.join({ memberId }).waits).toBe(true)
    const other = host.join({ sessionTimeoutMs: 10_000 }).now.memberId
    host.advance(10_000)
    expect(host.join({ memberId: other }).now.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  it('may not use an id that was given to a dynamic member as a static one', () => {
    const host = new GroupHost()
    const { memberId } = host.join().now
    const answer = host.join({ memberId, instance: 'i' }).now
    expect(answer.errorCode).toBe(ErrorCode.UNKNOWN_MEMBER_ID)
  })

  it('cannot make the coordinator remember ids without end', () => {
    const host = new GroupHost()
    let last = 0
    for (let i = 0; i <= PENDING_MEMBERS_MAX; i++) last = host.join().now.errorCode
    expect(last).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED)
    expect(host.lines.at(-1)!.fields).toMatchObject({ limit: PENDING_MEMBERS_MAX })
    host.advance(10_000)
    expect(host.join().now.errorCode).toBe(ErrorCode.MEMBER_ID_REQUIRED)
  })

  it('leaves after five minutes if it never gets into a generation', () => {
    const host = new GroupHost({ groupInitialRebalanceDelayMs: 400_000 })
    const { join } = host.enter({ rebalanceTimeoutMs: 600_000 })
    host.advance(5 * 60_000 - 1)
    expect(join.waits).toBe(true)
    host.advance(1)
    expect(join.now).toMatchObject({ errorCode: ErrorCode.UNKNOWN_MEMBER_ID, memberId: '' })
  })

  it('says why, which is logged, cut and named', () => {
    const host = new GroupHost()
    const { memberId } = host.join().now
    host.join({ memberId, reason: 'x'.repeat(1_000) })
    const line = host.lines.find(({ message }) => message === 'preparing to rebalance group')!
    expect(line.level).toBe('info')
    expect(line.fields!.reason).toBe(
      `adding new member ${memberId} with group instance id none (client reason: ${'x'.repeat(255)})`,
    )
    expect(line.fields).toMatchObject({ groupId: 'group', generation: 0, members: 1 })
  })

  it('that asks twice is answered once with the group, and once to try again', () => {
    const host = new GroupHost({ groupInitialRebalanceDelayMs: 3_000 })
    const { memberId, join } = host.enter()
    const again = host.join({ memberId })
    expect(join.now.errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    host.advance(3_000)
    expect(again.now).toMatchObject({ errorCode: ErrorCode.NONE, memberId })
  })
})

describe('the protocol of a group', () => {
  const none = new Uint8Array(0)
  const offer = (...names: string[]) => names.map((name) => [name, none] as const)

  it('is the one with the most votes among those that all offer', () => {
    const host = new GroupHost()
    const joins = [
      host.enter({ protocols: offer('x', 'a', 'b') }),
      host.enter({ protocols: offer('b', 'a') }),
      host.enter({ protocols: offer('b', 'a', 'y') }),
    ]
    host.advance(0)
    expect(joins.map(({ join }) => join.now.protocolName)).toEqual(['b', 'b', 'b'])
  })

  it('must be one that a newcomer offers too', () => {
    const host = new GroupHost()
    host.enter({ protocols: offer('a', 'b') })
    const refused = ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    expect(host.join({ protocols: offer('c') }).now.errorCode).toBe(refused)
    const { protocolType } = { protocolType: 'connect' }
    expect(host.join({ protocols: offer('a'), protocolType }).now.errorCode).toBe(refused)
    expect(host.join({ protocols: offer('b') }).now.errorCode).toBe(ErrorCode.MEMBER_ID_REQUIRED)
  })

  it('may be another kind when the group is empty', () => {
    const host = new GroupHost()
    const [member] = host.stableGroup(1)
    host.leave([member!])
    expect(host.describe()).toMatchObject({ groupState: 'Empty', protocolType: 'consumer' })
    const { join } = host.enter({ protocols: offer('z'), protocolType: 'connect' })
    host.advance(0)
    expect(join.now).toMatchObject({ generationId: 3, protocolType: 'connect', protocolName: 'z' })
  })
})

describe('the first rebalance', () => {
  it('waits for others, longer as they come, up to the rebalance timeout', () => {
    const host = new GroupHost({ groupInitialRebalanceDelayMs: 3_000 })
    const first = host.enter({ rebalanceTimeoutMs: 7_000 }).join
    host.advance(2_000)
    const second = host.enter({ rebalanceTimeoutMs: 7_000 }).join
    host.advance(2_000)
    const third = host.enter({ rebalanceTimeoutMs: 7_000 }).join
    host.advance(2_999)
    expect([first, second, third].map(({ waits }) => waits)).toEqual([true, true, true])
    host.advance(1)
    expect(first.now.members).toHaveLength(3)
    expect([second.now.leader, third.now.leader]).toEqual([first.now.memberId, first.now.memberId])
  })

  it('ends after the delay if nobody else comes', () => {
    const host = new GroupHost({ groupInitialRebalanceDelayMs: 3_000 })
    const { join } = host.enter()
    host.advance(2_999)
    expect(join.waits).toBe(true)
    host.advance(1)
    expect(join.now.generationId).toBe(1)
  })
})
