import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { GroupHost } from './group-host.ts'
import { Story } from './members.ts'

/** Time for the dead to expire and for everybody to settle. */
function settle(story: Story): void {
  for (let i = 0; i < 400; i++) story.turn(500)
  story.checkWaits()
}

describe('a group of random members', () => {
  it('has one leader a generation, rises, answers everybody, and is the same after a replay', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), (seed) => {
        const host = new GroupHost({ groupInitialRebalanceDelayMs: seed % 2 ? 3_000 : 0 }, seed)
        const story = new Story(host, seed)
        const { random } = story
        for (let i = 0; i < 150; i++) {
          const dice = random.below(100)
          if (dice < 12 && story.clients.size < 8) story.enter()
          else if (dice < 16) remove(story, (client) => client.leave())
          // a crash: it is never heard of again
          else if (dice < 20) remove(story, () => {})
          else if (dice < 22) story.restart()
          // a full disk, for a moment
          host.appendError =
            dice >= 22 && dice < 27 ? ErrorCode.KAFKA_STORAGE_ERROR : ErrorCode.NONE
          story.turn(random.below(dice < 50 ? 200 : 3_000))
          story.checkWaits()
        }
        host.appendError = ErrorCode.NONE
        while (story.clients.size < 3) story.enter(false)
        settle(story)
        story.checkStable()
        const before = host.snapshot()
        host.restart()
        expect(host.snapshot()).toEqual(before)
        story.clients.clear()
        settle(story)
        expect(host.describe()).toMatchObject({ groupState: 'Empty', members: [] })
        expect(host.answers.size).toBe(host.asked.size)
      }),
      { numRuns: 30 },
    )
  }, 50_000)
})

function remove(story: Story, how: (client: NonNullable<ReturnType<Story['any']>>) => void): void {
  const client = story.any()
  if (client === undefined) return
  how(client)
  story.clients.delete(client)
}

describe('a group storm', () => {
  it('of a hundred members joining and leaving for a minute ends stable', () => {
    const host = new GroupHost({ groupInitialRebalanceDelayMs: 3_000 })
    const story = new Story(host, 4)
    const { random } = story
    for (let i = 0; i < 100; i++) story.enter(false)
    const end = host.nowMs + 60_000
    while (host.nowMs < end) {
      for (let i = random.below(4); i > 0; i--) {
        remove(story, random.chance(0.7) ? (client) => client.leave() : () => {})
        story.enter(false)
      }
      story.turn(100)
      story.checkWaits()
    }
    settle(story)
    story.checkStable()
    expect(host.describe().members).toHaveLength(100)
    expect(host.coordinator.gauges.groups.Stable).toBe(1)
    // and the next minute nothing happens
    const { generationId } = [...story.clients][0]!
    for (let i = 0; i < 120; i++) story.turn(500)
    story.checkStable()
    expect([...story.clients][0]!.generationId).toBe(generationId)
  }, 50_000)
})
