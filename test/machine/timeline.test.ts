import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ReadonlyTimelineMap,
  TimelineMap,
  TimelineRegistry,
  TimelineValue,
} from '../../src/machine/timeline.ts'

type Step =
  | { kind: 'set'; map: 0 | 1; key: number; value: number }
  | { kind: 'delete'; map: 0 | 1; key: number }
  | { kind: 'value'; value: number }
  | { kind: 'next' }
  | { kind: 'commit'; back: number }
  | { kind: 'revert' }

const map = fc.constantFrom(0 as const, 1 as const)
const key = fc.integer({ min: 0, max: 6 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('set'), map, key, value: fc.nat(99) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('delete'), map, key }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('value'), value: fc.nat(99) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('next') }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('commit'), back: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('revert') }) },
) as fc.Arbitrary<Step>

/** The plain model: a whole copy of the state after every position. */
interface State {
  maps: [Map<number, number>, Map<number, number>]
  value: number
}
const copy = (state: State): State => ({
  maps: [new Map(state.maps[0]), new Map(state.maps[1])],
  value: state.value,
})
/** Everything that can be read of a map, as text. */
function picture(one: ReadonlyTimelineMap<number, number> | Map<number, number>): string {
  const entries = [...one.entries()].sort(([a], [b]) => a - b).join(' ')
  const looked = [0, 1, 2, 3, 4, 5, 6].map((k) => (one.has(k) ? one.get(k) : '-'))
  const listed = [...one.keys()].sort().join() + [...one.values()].sort().join()
  return `${one.size}: ${entries} | ${looked} | ${listed}`
}

describe('timelines', () => {
  it('agree with a model that copies everything, in both views, at every step', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const registry = new TimelineRegistry()
        const maps = [
          new TimelineMap<number, number>(registry),
          new TimelineMap<number, number>(registry),
        ] as const
        const value = new TimelineValue(registry, 0)
        // history[i]: the state before position i was replayed; latest: with the changes of the current position.
        let history: State[] = [{ maps: [new Map(), new Map()], value: 0 }]
        let latest = copy(history[0]!)
        let committed = 0
        for (const one of steps) {
          if (one.kind === 'set') {
            maps[one.map].set(one.key, one.value)
            latest.maps[one.map].set(one.key, one.value)
          } else if (one.kind === 'delete') {
            expect(maps[one.map].delete(one.key)).toBe(latest.maps[one.map].delete(one.key))
          } else if (one.kind === 'value') {
            value.set(one.value)
            latest.value = one.value
          } else if (one.kind === 'next') {
            history.push(copy(latest))
            registry.replaying(history.length - 1)
          } else if (one.kind === 'commit') {
            committed = Math.max(committed, history.length - 1 - one.back)
            registry.commit(committed)
          } else {
            registry.revert()
            latest = copy(history[committed]!)
            history = history.slice(0, committed + 1)
          }
          const before = history[committed]!
          const seen = maps.map((map) => [picture(map), picture(map.committed)])
          const model = latest.maps.map((map, i) => [picture(map), picture(before.maps[i]!)])
          expect(seen).toEqual(model)
          expect([value.value, value.committed]).toEqual([latest.value, before.value])
        }
      }),
      { seed: 11, numRuns: 400 },
    )
  })

  it('remember nothing of what is committed, however much it is', () => {
    const registry = new TimelineRegistry()
    const one = new TimelineMap<number, number>(registry)
    for (let position = 0; position < 10_000; position++) {
      registry.replaying(position)
      one.set(position % 100, position)
      if (position >= 10) registry.commit(position - 10)
    }
    expect(registry.uncommittedChanges).toBeLessThanOrEqual(12)
    registry.revert()
    expect(registry.uncommittedChanges).toBe(0)
    expect(one.get(88)).toBe(9988)
    expect(one.get(95)).toBe(9895)
  })

  it('apply what is already committed to both views at once', () => {
    const registry = new TimelineRegistry()
    const one = new TimelineMap<string, number>(registry)
    registry.commit(2)
    registry.replaying(0)
    one.set('a', 1)
    registry.replaying(1)
    one.set('a', 2)
    expect(registry.uncommittedChanges).toBe(0)
    expect(one.committed.get('a')).toBe(2)
    registry.replaying(2)
    one.delete('a')
    expect(one.has('a')).toBe(false)
    expect(one.committed.get('a')).toBe(2)
    expect(() => registry.replaying(1)).toThrow(/in order/)
  })
})
