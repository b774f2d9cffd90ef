import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import { type LoginJob, LoginQueue } from '../../src/tenant/login-queue.ts'

/** Logins by name, their first letter being the source, that run until they are finished. */
class Logins {
  readonly queue: LoginQueue
  readonly began: string[] = []
  readonly dropped: string[] = []
  readonly #jobs = new Map<string, LoginJob>()
  readonly #done = new Map<string, () => void>()

  constructor(queue: LoginQueue) {
    this.queue = queue
  }

  submit(...names: string[]): void {
    for (const name of names) {
      const job: LoginJob = {
        source: name[0]!,
        run: (done) => {
          this.began.push(name)
          this.#done.set(name, done)
        },
        drop: () => this.dropped.push(name),
      }
      this.#jobs.set(name, job)
      this.queue.submit(job)
    }
  }

  finish(name: string): void {
    this.#done.get(name)!()
  }

  /** Whether that took one from those that wait. */
  cancel(name: string): boolean {
    const before = this.queue.waiting
    const job = this.#jobs.get(name)
    if (job !== undefined) this.queue.cancel(job)
    return this.queue.waiting < before
  }

  /** Finishes what runs until nothing waits. */
  drain(): void {
    for (let i = 0; i < this.began.length; i++) this.finish(this.began[i]!)
  }
}

describe('logins', () => {
  test('run so many at once and no more', () => {
    const logins = new Logins(new LoginQueue({ runningMax: 2 }))
    logins.submit('a1', 'b1', 'c1', 'd1')
    expect(logins.began).toEqual(['a1', 'b1'])
    logins.finish('b1')
    expect(logins.began).toEqual(['a1', 'b1', 'c1'])
    // finishing twice frees one place
    logins.finish('b1')
    expect([logins.queue.running, logins.queue.waiting]).toEqual([2, 1])
  })

  test('take turns by source: one with many holds up the others by one', () => {
    const logins = new Logins(new LoginQueue({ runningMax: 1 }))
    logins.submit('a1', 'a2', 'a3', 'a4', 'b1', 'c1', 'b2')
    logins.drain()
    expect(logins.began).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4'])
  })

  test('are dropped when too many wait, the last of the source with the most', () => {
    const logins = new Logins(new LoginQueue({ runningMax: 1, waitingMax: 4 }))
    logins.submit('a1', 'a2', 'a3', 'a4', 'b1')
    expect(logins.dropped).toEqual([])
    logins.submit('c1', 'd1')
    expect(logins.dropped).toEqual(['a4', 'a3'])
    logins.submit('e1')
    // of equals the one that came last
    expect(logins.dropped).toEqual(['a4', 'a3', 'e1'])
    logins.drain()
    expect(logins.began).toEqual(['a1', 'a2', 'b1', 'c1', 'd1'])
  })

  test('can be cancelled until they begin', () => {
    const logins = new Logins(new LoginQueue({ runningMax: 1 }))
    logins.submit('a1', 'b1', 'b2', 'c1')
    expect([logins.cancel('b1'), logins.cancel('b1'), logins.cancel('a1')]).toEqual([
      ...[true, false, false],
    ])
    expect(logins.cancel('c1')).toBe(true)
    expect(logins.queue.waiting).toBe(1)
    logins.drain()
    expect(logins.began).toEqual(['a1', 'b2'])
    expect([logins.queue.running, logins.queue.waiting]).toEqual([0, 0])
  })

  test('that finish at once do not begin within one another', () => {
    const queue = new LoginQueue({ runningMax: 1 })
    let depth = 0
    let ran = 0
    const job: LoginJob = {
      source: 'a',
      drop: () => {},
      run(done) {
        expect(depth++).toBe(0)
        if (++ran < 20_000) queue.submit(job)
        done()
        depth--
      },
    }
    queue.submit(job)
    expect([ran, queue.running, queue.waiting]).toEqual([20_000, 0, 0])
  })

  test('each end in one way, whatever happens', () => {
    const random = new SeededRandom(7)
    const logins = new Logins(new LoginQueue({ runningMax: 3, waitingMax: 20 }))
    const cancelled: string[] = []
    let finished = 0
    for (let i = 0; i < 5_000; i++) {
      logins.submit('abcdefgh'[random.below(random.chance(0.5) ? 1 : 8)]! + i)
      if (random.chance(0.5) && finished < logins.began.length) {
        logins.finish(logins.began[finished++]!)
      }
      const name = `${'abcdefgh'[random.below(8)]}${i - random.below(3)}`
      if (random.chance(0.3)) {
        if (logins.cancel(name)) cancelled.push(name)
      }
      expect(logins.queue.running).toBeLessThanOrEqual(3)
      expect(logins.queue.waiting).toBeLessThanOrEqual(20)
    }
    logins.drain()
    const all = [...logins.began, ...logins.dropped, ...cancelled]
    expect(all).toHaveLength(5_000)
    expect(new Set(all).size).toBe(5_000)
    for (const some of [logins.began, logins.dropped, cancelled]) {
      expect(some.length).toBeGreaterThan(50)
    }
  })
})
