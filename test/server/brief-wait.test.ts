import { describe, expect, test } from 'vitest'
import { type Awaiting, BriefWait } from '../../src/server/brief-wait.ts'

/** Answers after so many looks; the clock moves by a microsecond a reading. */
function makeWait(cores = 2) {
  const state = { isAnswerDue: true, answersAfter: Number.POSITIVE_INFINITY, looks: 0, nowUs: 0 }
  const awaiting: Awaiting = {
    get isAnswerDue() {
      return state.isAnswerDue
    },
    hasAnswer: () => ++state.looks > state.answersAfter,
  }
  const wait = new BriefWait({
    awaiting,
    cores,
    clock: { monotonicMs: () => state.nowUs++ / 1_000 },
  })
  return { state, wait }
}

/** Chances let go by until the next look. */
function chancesUntilLook(wait: BriefWait): number {
  let chances = 0
  while (!wait.isWorthwhile()) chances++
  return chances
}

describe('a brief wait', () => {
  test('ends with the answer', () => {
    const { state, wait } = makeWait()
    state.answersAfter = 100
    expect(wait.isWorthwhile()).toBe(true)
    expect(wait.look()).toBe(true)
    expect(state.looks).toBe(101)
  })

  test('ends after 50 microseconds without one', () => {
    const { state, wait } = makeWait()
    expect(wait.look()).toBe(false)
    expect(state.nowUs).toBeGreaterThanOrEqual(50)
    expect(state.nowUs).toBeLessThan(60)
  })

  test('is worth nothing where no answer is due, or nobody could give it meanwhile', () => {
    const { state, wait } = makeWait()
    state.isAnswerDue = false
    expect(wait.isWorthwhile()).toBe(false)
    expect(makeWait(1).wait.isWorthwhile()).toBe(false)
  })

  test('is tried half as often after each look in vain, down to one chance in 128, and always again once one was found', () => {
    const { state, wait } = makeWait()
    const waited: number[] = []
    for (let i = 0; i < 9; i++) {
      waited.push(chancesUntilLook(wait))
      wait.look()
    }
    expect(waited).toEqual([0, 1, 3, 7, 15, 31, 63, 127, 127])
    chancesUntilLook(wait)
    state.answersAfter = 0
    expect(wait.look()).toBe(true)
    expect(chancesUntilLook(wait)).toBe(0)
  })
})
