import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { Arrivals } from '../../src/net/arrivals.ts'
import { defaultLimits } from '../../src/net/connection-set.ts'
import { type Owner, Owners } from '../../src/net/owner.ts'
import { ReadTurns } from '../../src/net/read-turns.ts'
import { frames, World } from './connection-world.ts'

/** Opening one takes 0.15 ms, and 0.1 more are counted for what the system does. */
class ArrivalsWorld {
  readonly clock = new ManualClock()
  readonly owners = new Owners(() => true)
  readonly turns = new ReadTurns(this.clock, this.owners.strangers)
  readonly arrivals = new Arrivals(this.turns)
  readonly opened: string[] = []
  readonly dropped: string[] = []

  add(owner: Owner, name: string): void {
    this.arrivals.add(owner, {
      open: () => {
        this.opened.push(name)
        this.clock.advance(0.15)
      },
      drop: () => void this.dropped.push(name),
    })
  }

  /** Both ask for something, and have paid for it. */
  company(...owners: Owner[]): void {
    for (const owner of owners) {
      this.turns.begin(owner)
      this.turns.end(owner)
    }
    this.clock.advance(100)
  }
}

describe('what has come in', () => {
  test('is opened in the order in which it came, as long as a turn lasts', () => {
    const world = new ArrivalsWorld()
    const owner = world.owners.create()
    for (let i = 0; i < 50; i++) world.add(owner, `${i}`)
    expect(world.arrivals.size).toBe(50)
    // nobody else is there: 10 ms
    expect(world.arrivals.open()).toBe(40)
    expect(world.arrivals.nextAtMs).toBe(Number.NEGATIVE_INFINITY)
    expect(world.arrivals.open()).toBe(10)
    expect(world.opened).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`))
    expect([world.arrivals.size, world.arrivals.nextAtMs]).toEqual([0, Number.POSITIVE_INFINITY])
    expect(world.arrivals.open()).toBe(0)
  })

  test('of one who has hundreds holds up nobody else’s one', () => {
    const world = new ArrivalsWorld()
    const [loud, quiet] = [world.owners.create(), world.owners.create()]
    world.company(loud, quiet)
    for (let i = 0; i < 3000; i++) world.add(loud, 'loud')
    world.arrivals.open()
    const before = world.opened.length
    expect(before).toBeGreaterThan(0)
    // a millisecond, and what it had saved
    expect(before).toBeLessThanOrEqual(6)
    world.add(quiet, 'quiet')
    world.arrivals.open()
    expect(world.opened.slice(before)).toEqual(['quiet'])
    expect(world.arrivals.nextAtMs).toBeGreaterThan(world.clock.monotonicMs())
  })

  test('is opened once its owner has paid for what it had: half of the time', () => {
    const world = new ArrivalsWorld()
    const [loud, quiet] = [world.owners.create(), world.owners.create()]
    world.company(loud, quiet)
    for (let i = 0; i < 3000; i++) world.add(loud, 'loud')
    const sinceMs = world.clock.monotonicMs()
    let waitedMs = 0
    while (world.clock.monotonicMs() - sinceMs < 200) {
      world.turns.begin(quiet)
      world.turns.end(quiet)
      world.arrivals.open()
      const waitMs = Math.max(0, world.arrivals.nextAtMs - world.clock.monotonicMs())
      world.clock.advance(waitMs)
      waitedMs += waitMs
    }
    const paid = waitedMs / (world.opened.length * 0.25)
    expect(paid).toBeGreaterThan(0.9)
    expect(paid).toBeLessThan(1.1)
  })

  test('is dropped where it is not to be opened any more', () => {
    const world = new ArrivalsWorld()
    const owner = world.owners.create()
    for (let i = 0; i < 50; i++) world.add(owner, `${i}`)
    world.arrivals.open()
    world.arrivals.dropAll()
    expect(world.dropped).toEqual(Array.from({ length: 10 }, (_, i) => `${40 + i}`))
    expect([world.arrivals.size, world.arrivals.open()]).toEqual([0, 0])
  })
})

test('who comes in asks for a turn, and the next is due when its owner has paid', () => {
  const world = new World()
  const [owner, other] = [world.set.owners.create(), world.set.owners.create()]
  for (const one of [owner, other]) {
    world.set.turns.begin(one)
    world.set.turns.end(one)
  }
  let opened = 0
  const arrive = () => world.set.arrive(owner, { open: () => void opened++, drop: () => {} })
  const before = world.readEnds
  arrive()
  expect(world.readEnds).toBe(before + 1)
  expect(world.set.nextTurnAtMs).toBe(Number.NEGATIVE_INFINITY)
  world.set.resumeYielded()
  expect([opened, world.set.nextTurnAtMs]).toEqual([1, Number.POSITIVE_INFINITY])
  world.set.turns.open(owner, () => {
    world.clock.advance(5)
    return false
  })
  arrive()
  const atMs = world.set.nextTurnAtMs
  expect(atMs).toBeGreaterThan(world.clock.monotonicMs())
  world.clock.advance(atMs - world.clock.monotonicMs())
  world.set.resumeYielded()
  expect(opened).toBe(2)
})

describe('with as many connections as there may be', () => {
  test('those that wait to be opened count, and what comes then makes room at once', () => {
    const world = new World(1 << 20, { ...defaultLimits, connectionsMax: 2 })
    const said: string[] = []
    const arrive = (name: string) =>
      world.set.arrive(world.set.ownerAt(null), {
        open: () => void said.push(`${name}: ${world.set.makeRoom('client')}`),
        drop: () => void said.push(`${name}: dropped`),
      })
    world.connect()
    arrive('second')
    expect(said).toEqual([])
    arrive('third')
    expect(said).toEqual(['third: false'])
    world.set.resumeYielded()
    expect(said).toEqual(['third: false', 'second: true'])
  })

  test('one owner’s that wait are a quarter of them at most, and cost nobody else a connection', () => {
    const world = new World(1 << 20, { ...defaultLimits, connectionsMax: 40 })
    const { connection } = world.connect()
    connection.owner = world.set.owners.create()
    world.clock.advance(11_000)
    const said: string[] = []
    for (let i = 0; i < 100; i++) {
      world.set.arrive(world.set.ownerAt(null), {
        open: () => void said.push(`${i}: ${world.set.makeRoom('client')}`),
        drop: () => void said.push(`${i}: dropped`),
      })
    }
    expect(connection.closed).toBe(false)
    // the oldest go
    expect(said).toEqual(Array.from({ length: 90 }, (_, i) => `${i}: dropped`))
    world.set.resumeYielded()
    expect(said.slice(90)).toEqual(Array.from({ length: 10 }, (_, i) => `${90 + i}: true`))
  })

  test('what makes room at once is paid for as well', () => {
    const world = new World(1 << 20, { ...defaultLimits, connectionsMax: 1 })
    const [owner, other] = [world.set.owners.create(), world.set.owners.create()]
    for (const one of [owner, other]) {
      world.set.turns.begin(one)
      world.set.turns.end(one)
    }
    world.connect()
    for (let i = 0; i < 10; i++) {
      world.set.arrive(owner, { open: () => world.clock.advance(0.1), drop: () => {} })
    }
    expect(owner.debtMs).toBeGreaterThan(1.5)
  })

  test('a stop opens nothing more', () => {
    const world = new World()
    const said: string[] = []
    world.set.arrive(world.set.ownerAt(null), {
      open: () => void said.push('opened'),
      drop: () => void said.push('dropped'),
    })
    world.set.finishAll()
    world.set.resumeYielded()
    expect(said).toEqual(['dropped'])
  })
})

test('hundreds of owners do not have all their turns in one', () => {
  const world = new ArrivalsWorld()
  const owners = Array.from({ length: 300 }, () => world.owners.create())
  for (const owner of owners) for (let i = 0; i < 100; i++) world.add(owner, 'one')
  const sinceMs = world.clock.monotonicMs()
  world.arrivals.open()
  expect(world.clock.monotonicMs() - sinceMs).toBeLessThan(25)
  // nobody is left out
  while (world.arrivals.nextAtMs <= world.clock.monotonicMs()) world.arrivals.open()
  expect(world.opened).toHaveLength(30_000)
})

describe('an owner with both requests that wait and connections that are not open yet', () => {
  // what drives a front takes another turn after each that has done something: that one finds nothing
  test.each([1, 2, 3])('gets on with both, with %i turns each time it has paid', (turns) => {
    const world = new World()
    const [owner, other] = [world.set.owners.create(), world.set.owners.create()]
    const [client, quiet] = [world.connect(), world.connect()]
    client.connection.owner = owner
    quiet.connection.owner = other
    world.onFrame = () => world.clock.advance(0.1)
    const arrival = { open: () => world.clock.advance(0.1), drop: () => {} }
    let opened = 0
    const open = () => {
      opened++
      arrival.open()
    }
    for (let i = 0; i < 2000; i++) world.set.arrive(owner, { ...arrival, open })
    quiet.connection.onData(frames(1))
    client.connection.onData(frames(...Array.from({ length: 5000 }, () => 1)))
    const before = { opened, handed: world.slots.length }
    for (let round = 0; round < 100; round++) {
      world.clock.advance(Math.max(0.1, world.set.nextTurnAtMs - world.clock.monotonicMs()))
      for (let i = 0; i < turns; i++) world.set.resumeYielded()
      quiet.connection.onData(frames(1))
    }
    expect(opened - before.opened).toBeGreaterThan(100)
    expect(world.slots.length - before.handed - 100).toBeGreaterThan(100)
  })
})
