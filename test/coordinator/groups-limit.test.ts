import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { deleteGroups } from '../../src/protocol/42-delete-groups.ts'
import { GroupHost } from './group-host.ts'

const { NONE, POLICY_VIOLATION, MEMBER_ID_REQUIRED } = ErrorCode

function hostWith(max: number | null, elsewhere = 0): GroupHost {
  const host = new GroupHost()
  host.limit = { max, elsewhere }
  return host
}

const join = (host: GroupHost, groupId: string) => host.join({ groupId }).now.errorCode

const commit = (host: GroupHost, groupId: string) => host.commitErrors({ a: [1] }, { groupId })[0]

describe('a limit of groups', () => {
  it('holds for new groups, whether they come to be by a JoinGroup or by a commit', () => {
    const host = hostWith(2)
    expect(join(host, 'one')).toBe(MEMBER_ID_REQUIRED)
    expect(commit(host, 'two')).toBe(NONE)
    expect(host.coordinator.groupCount).toBe(2)
    expect([join(host, 'three'), commit(host, 'three')]).toEqual([
      POLICY_VIOLATION,
      POLICY_VIOLATION,
    ])
    expect(host.log.some(({ key }) => Buffer.from(key).includes('three'))).toBe(false)
    expect(host.lines.at(-1)).toMatchObject({
      ...{ level: 'warn', message: 'a new group is refused: the limit of groups is reached' },
      fields: { groupId: 'three', limit: 'groups', max: 2, used: 2 },
    })
  })

  it('lets those that are there go on, also where it is lowered, and after a restart', () => {
    const host = hostWith(null)
    for (const group of ['one', 'two', 'three']) expect(commit(host, group)).toBe(NONE)
    host.limit = { max: 1, elsewhere: 0 }
    host.restart()
    expect([commit(host, 'one'), join(host, 'two')]).toEqual([NONE, MEMBER_ID_REQUIRED])
    expect([commit(host, 'four'), join(host, 'four')]).toEqual([POLICY_VIOLATION, POLICY_VIOLATION])
  })

  it('has room again when a group is gone', () => {
    const host = hostWith(1)
    expect(commit(host, 'one')).toBe(NONE)
    expect(join(host, 'two')).toBe(POLICY_VIOLATION)
    host.call(deleteGroups, 2, { groupsNames: ['one'] })
    expect(join(host, 'two')).toBe(MEMBER_ID_REQUIRED)
  })

  it('counts groups in other partitions', () => {
    const host = hostWith(3, 2)
    expect([commit(host, 'one'), commit(host, 'two')]).toEqual([NONE, POLICY_VIOLATION])
  })
})
