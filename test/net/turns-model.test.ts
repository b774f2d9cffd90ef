/** Whatever owners, connections and clients do: everything that was asked is handed over and answered in the end, and no turn is asked for in which there is nothing to do. */
import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/base/random.ts'
import type { KafkaConnection } from '../../src/net/connection.ts'
import { defaultLimits } from '../../src/net/connection-set.ts'
import type { Owner } from '../../src/net/owner.ts'
import { frames, World } from './connection-world.ts'

/** More turns at one moment than this without anything done are a busy loop. */
const IDLE_TURNS_MAX = 3

class Model {
  readonly world: World
  readonly random: SeededRandom
  readonly owners: Owner[]
  readonly clients: {
    connection: KafkaConnection
    sent: number
    received: string[]
    isOpen: boolean
  }[] = []
  answered = 0

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    const limits = { ...defaultLimits, connectionBytesMax: 4_000 }
    this.world = new World(this.pick([1 << 14, 1 << 16, 1 << 20]), limits)
    this.owners = Array.from({ length: 3 }, () => this.world.set.owners.create())
    this.world.onFrame = () => this.world.clock.advance(this.pick([0, 0, 0.01, 0.2, 3, 40]))
  }

  pick<T>(of: readonly T[]): T {
    return of[this.random.uint32() % of.length]!
  }

  get open() {
    return this.clients.filter(({ connection }) => !connection.closed)
  }

  step(): void {
    const { world } = this
    const kind = this.random.uint32() % 12
    const client = this.open.length === 0 ? null : this.pick(this.open)
    if (kind === 0 || client === null) {
      const { connection, received } = world.connect()
      this.clients.push({ connection, sent: 0, received, isOpen: true })
    } else if (kind < 5) {
      const count = this.pick([1, 1, 3, 20])
      if (!client.connection.paused) {
        client.connection.onData(
          frames(...Array.from({ length: count }, () => this.pick([1, 100, 900]))),
        )
        client.sent += count
      }
    } else if (kind < 7) this.answerSome()
    else if (kind === 7) client.connection.owner = this.pick(this.owners)
    else if (kind === 8 && this.random.uint32() % 4 === 0) client.connection.close()
    else if (kind === 9) world.clock.advance(this.pick([0.1, 1, 30, 11_000]))
    else if (kind === 10) world.set.flush()
    else this.turn()
  }

  answerSome(max = 1 + (this.random.uint32() % 10)): number {
    let count = 0
    for (; this.answered < this.world.slots.length && count < max; count++) {
      this.world.reply(this.answered++, 'r'.repeat(this.pick([1, 50, 1_500])))
    }
    return count
  }

  turn(): number {
    const before = this.progress
    this.world.set.resumeYielded()
    this.world.set.flush()
    return this.progress - before
  }

  get progress(): number {
    const received = this.clients.reduce((sum, one) => sum + one.received.join('').length, 0)
    return this.world.slots.length + received
  }

  /** As an event loop would: turns when they are due, and the clock goes on to the next one. */
  settle(): void {
    let idle = 0
    for (let turns = 0; turns < 50_000; turns++) {
      const { set, clock } = this.world
      const answered = this.answerSome(100)
      if (answered > 0) set.flush()
      const atMs = set.nextTurnAtMs
      if (atMs === Number.POSITIVE_INFINITY && answered === 0) return
      if (atMs > clock.monotonicMs()) {
        if (atMs < Number.POSITIVE_INFINITY)
          clock.advance(Math.max(0.001, atMs - clock.monotonicMs()))
        idle = 0
      }
      const done = this.turn()
      idle = done === 0 && answered === 0 ? idle + 1 : 0
      if (idle > IDLE_TURNS_MAX) throw new Error('turns are asked for, and there is nothing to do')
    }
    throw new Error('it does not come to an end')
  }
}

test('everything comes to its end', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const model = new Model(seed)
    try {
      for (let i = 0; i < 300; i++) model.step()
      model.settle()
      const counts = new Map<KafkaConnection, number>()
      for (const { connection } of model.world.slots)
        counts.set(connection, (counts.get(connection) ?? 0) + 1)
      for (const { connection, sent } of model.open) {
        expect(counts.get(connection) ?? 0).toBe(sent)
        expect(connection.paused).toBe(false)
      }
      expect([model.world.budget.usedBytes, model.world.replies.usedBytes]).toEqual([0, 0])
      for (const owner of [...model.owners, model.world.set.owners.strangers]) {
        expect([owner.yielded.size, owner.requestBytes, owner.replyBytes]).toEqual([0, 0, 0])
      }
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error })
    }
  }
})
