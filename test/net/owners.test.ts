/** Shares of memory and time are those of owners, whether one has one connection or many. */
import { describe, expect, test } from 'vitest'
import { defaultLimits } from '../../src/net/connection-set.ts'
import { FairQueue } from '../../src/net/fair-queue.ts'
import { type Owner, Owners } from '../../src/net/owner.ts'
import { OwnerCount } from '../../src/net/owner-counts.ts'
import { READ_BYTES } from '../../src/net/receive.ts'
import { frames, World } from './connection-world.ts'

/** `count` connections of an owner of their own. */
function clientsOf(world: World, count: number) {
  const owner = world.set.owners.create()
  const clients = Array.from({ length: count }, () => {
    const client = world.connect()
    client.connection.owner = owner
    return client
  })
  return { owner, clients }
}

const handedOver = (world: World, owner: Owner) =>
  world.slots.filter(({ connection }) => connection.owner === owner).length

const ofOneByte = (count: number) => frames(...Array.from({ length: count }, () => 1))

describe('turns', () => {
  /** Has turns until the clock has moved on by `ms`; a turn that does nothing ends when a timer would. */
  const turnsFor = (world: World, ms: number) => {
    const untilMs = world.clock.monotonicMs() + ms
    while (world.clock.monotonicMs() < untilMs) {
      if (world.set.resumeYielded() === 0) world.clock.advance(1)
      world.set.flush()
    }
  }

  test('are as long for one connection of an owner as for a hundred of another', () => {
    const world = new World()
    const many = clientsOf(world, 100)
    const one = clientsOf(world, 1)
    world.onFrame = () => world.clock.advance(0.5)
    for (const { connection } of many.clients) connection.onData(ofOneByte(10))
    one.clients[0]!.connection.onData(ofOneByte(200))
    const before = [many, one].map(({ owner }) => handedOver(world, owner))
    turnsFor(world, 80)
    const counts = [many, one].map(({ owner }, at) => handedOver(world, owner) - before[at]!)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(4)
    expect(counts[0]! + counts[1]!).toBeGreaterThanOrEqual(0.8 * (80 / 0.5))
  })

  test('of one owner leave half of the time free, and what it has not used is lost', () => {
    const world = new World()
    const one = clientsOf(world, 5)
    const other = clientsOf(world, 1)
    world.onFrame = () => world.clock.advance(0.25)
    other.clients[0]!.connection.onData(ofOneByte(1))
    world.clock.advance(100)
    for (const { connection } of one.clients) connection.onData(ofOneByte(1000))
    const first = handedOver(world, one.owner)
    // a millisecond of all its connections together, and a half that was saved
    expect(first).toBe(6)
    turnsFor(world, 200)
    const tookMs = (handedOver(world, one.owner) - first) * 0.25
    expect(tookMs).toBeGreaterThan(75)
    expect(tookMs).toBeLessThan(102)
    expect(world.set.nextTurnAtMs).toBeLessThanOrEqual(world.clock.monotonicMs() + 3)
  })

  test('of an owner whose request took long come after a while, and no later', () => {
    const world = new World()
    const { owner, clients } = clientsOf(world, 1)
    const other = clientsOf(world, 1)
    other.clients[0]!.connection.onData(ofOneByte(1))
    world.onFrame = () => world.clock.advance(1000)
    clients[0]!.connection.onData(ofOneByte(3))
    expect(handedOver(world, owner)).toBe(1)
    const atMs = world.clock.monotonicMs()
    world.onFrame = () => {}
    expect(world.set.resumeYielded()).toBe(0)
    expect(world.set.nextTurnAtMs - atMs).toBe(50)
    world.clock.advance(50)
    expect(world.set.resumeYielded()).toBe(1)
    expect(handedOver(world, owner)).toBe(3)
  })

  test('count connections as well', () => {
    const world = new World()
    const { owner } = clientsOf(world, 1)
    const other = clientsOf(world, 1)
    other.clients[0]!.connection.onData(ofOneByte(1))
    const [first] = clientsOf(world, 1).clients
    first!.connection.owner = owner
    first!.connection.onData(ofOneByte(1))
    for (let i = 0; i < 20; i++) world.set.turns.open(owner, () => false)
    first!.connection.onData(ofOneByte(1))
    expect(handedOver(world, owner)).toBe(1)
    turnsFor(world, 5)
    expect(handedOver(world, owner)).toBe(2)
  })

  test('let a request of somebody else through at once, however much of another owner waits', () => {
    const world = new World()
    const many = clientsOf(world, 50)
    const one = clientsOf(world, 1)
    world.onFrame = () => world.clock.advance(0.5)
    one.clients[0]!.connection.onData(ofOneByte(1))
    for (const { connection } of many.clients) connection.onData(ofOneByte(20))
    // a millisecond of all its connections together, and a half that was saved
    expect(handedOver(world, many.owner)).toBe(3)
    one.clients[0]!.connection.onData(ofOneByte(1))
    expect(handedOver(world, one.owner)).toBe(2)
    expect(world.set.turns.nextAtMs).toBeLessThan(Number.POSITIVE_INFINITY)
    const ns = [one, many].map(({ owner }) => owner.counts[OwnerCount.FRONT_NS])
    expect(ns).toEqual([1e6, 1.5e6])
  })

  test('count the time of who is interrupted as its own, and nobody’s twice', () => {
    const world = new World(4096)
    const one = clientsOf(world, 2)
    const other = clientsOf(world, 1)
    const [holder, reader] = one.clients
    holder!.connection.onData(frames(2_500))
    const request = frames(10)
    reader!.connection.onData(request.subarray(0, 6))
    other.clients[0]!.connection.onData(frames(1_000))
    expect([handedOver(world, one.owner), handedOver(world, other.owner)]).toEqual([1, 0])
    let isFirst = true
    world.onFrame = () => {
      world.clock.advance(isFirst ? 5 : 2)
      if (!isFirst) return
      isFirst = false
      // gives room, in the middle of a request: the other reads on
      world.reply(0, 'answer')
      world.clock.advance(1)
    }
    reader!.connection.onData(request.subarray(6))
    expect([handedOver(world, one.owner), handedOver(world, other.owner)]).toEqual([2, 1])
    const ns = [one, other].map(({ owner }) => owner.counts[OwnerCount.FRONT_NS])
    expect(ns).toEqual([6e6, 2e6])
  })

  test('count what a connection reads on after its replies were written once', () => {
    const world = new World(1 << 20, { ...defaultLimits, connectionBytesMax: 1_000 })
    const one = clientsOf(world, 1)
    const other = clientsOf(world, 1)
    other.clients[0]!.connection.onData(ofOneByte(1))
    world.onFrame = () => world.clock.advance(0.25)
    one.clients[0]!.connection.onData(frames(1_000, 1))
    const at = world.slots.findIndex(({ connection }) => connection === one.clients[0]!.connection)
    expect(handedOver(world, one.owner)).toBe(1)
    world.reply(at, 'answer')
    world.set.flush()
    expect(handedOver(world, one.owner)).toBe(2)
    expect(one.owner.counts[OwnerCount.FRONT_NS]).toBe(0.5e6)
    expect(one.owner.debtMs).toBeLessThan(0.51)
  })

  test('go round within an owner, too', () => {
    const world = new World()
    const { clients } = clientsOf(world, 3)
    world.onFrame = () => world.clock.advance(6)
    for (const { connection } of clients) connection.onData(ofOneByte(20))
    for (let turn = 0; turn < 6; turn++) world.set.resumeYielded()
    const counts = clients.map(
      ({ connection }) => world.slots.filter((one) => one.connection === connection).length,
    )
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2)
  })

  test('are long again when nobody else has asked for anything for a while', () => {
    const world = new World()
    const one = clientsOf(world, 1)
    const other = clientsOf(world, 1)
    for (const { clients } of [one, other]) clients[0]!.connection.onData(ofOneByte(1))
    world.onFrame = () => world.clock.advance(1)
    one.clients[0]!.connection.onData(ofOneByte(30))
    expect(handedOver(world, one.owner)).toBe(1 + 1)
    world.clock.advance(10_000)
    world.set.resumeYielded()
    expect(handedOver(world, one.owner)).toBe(1 + 1 + 10)
  })

  test('go round between all owners, also where a turn of all does not reach', () => {
    const world = new World()
    const all = Array.from({ length: 8 }, () => clientsOf(world, 3))
    world.onFrame = () => world.clock.advance(1)
    for (const { clients } of all) {
      for (const { connection } of clients) connection.onData(ofOneByte(40))
    }
    const before = all.map(({ owner }) => handedOver(world, owner))
    turnsFor(world, 80)
    const counts = all.map(({ owner }, at) => handedOver(world, owner) - before[at]!)
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2)
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(8)
  })

  test('are kept by what is read of large frames as well', () => {
    const world = new World()
    const one = clientsOf(world, 1)
    const { clients, owner } = clientsOf(world, 3)
    for (const { connection } of clients) connection.onData(frames(100_000).subarray(0, 20_004))
    one.clients[0]!.connection.onData(ofOneByte(1))
    const paused = () => clients.map(({ socket }) => socket.paused)
    clients[0]!.connection.onData(Buffer.alloc(40_000))
    expect(paused()).toEqual([false, false, false])
    // 5.1 MB: a millisecond and a half for the system
    world.set.turns.hasRead(owner, 5_100_000)
    for (const { connection } of clients) connection.onData(Buffer.alloc(40_000))
    // the first is whole
    expect(paused()).toEqual([false, true, true])
    expect(handedOver(world, owner)).toBe(1)
    turnsFor(world, 3)
    expect(paused()).toEqual([false, false, false])
    for (const { connection } of clients.slice(1)) connection.onData(Buffer.alloc(40_000))
    expect(handedOver(world, owner)).toBe(3)
  })
})

describe('replies', () => {
  test('of an owner that has had its time are written later, and a turn for that is asked for once', () => {
    const world = new World()
    const one = clientsOf(world, 1)
    const other = clientsOf(world, 1)
    other.clients[0]!.connection.onData(ofOneByte(1))
    world.onFrame = () => world.clock.advance(20)
    one.clients[0]!.connection.onData(ofOneByte(1))
    world.reply(1, 'late')
    const asked = world.readEnds
    world.set.flush()
    expect(one.clients[0]!.received).toEqual([])
    expect(world.readEnds - asked).toBe(1)
    const before = world.readEnds
    for (let i = 0; i < 10; i++) world.set.flush()
    expect(world.readEnds - before).toBe(0)
    expect(world.set.nextTurnAtMs).toBeGreaterThan(world.clock.monotonicMs())
    world.clock.advance(50)
    world.set.resumeYielded()
    world.set.flush()
    expect(one.clients[0]!.received).toEqual(['late'])
  })

  test('of one owner that take long to write do not hold up those of others', () => {
    const world = new World()
    const many = clientsOf(world, 20)
    const one = clientsOf(world, 1)
    const all = [...many.clients, ...one.clients]
    for (const { connection } of all) connection.onData(ofOneByte(1))
    for (const { socket } of many.clients) {
      const write = socket.write.bind(socket)
      socket.write = (bytes, done) => {
        world.clock.advance(1)
        return write(bytes, done)
      }
    }
    for (let i = 0; i < all.length; i++) world.reply(i, 'r')
    world.set.flush()
    const answered = () => many.clients.filter(({ received }) => received.length > 0).length
    expect(one.clients[0]!.received).toEqual(['r'])
    expect(answered()).toBe(2)
    expect(world.set.nextTurnAtMs).toBeGreaterThan(world.clock.monotonicMs())
    for (let waitedMs = 0; answered() < 20 && waitedMs < 60; waitedMs++) {
      world.clock.advance(1)
      world.set.resumeYielded()
      world.set.flush()
    }
    expect(answered()).toBe(20)
    expect(world.set.nextTurnAtMs).toBe(Number.POSITIVE_INFINITY)
  })

  test('that are not read stop the connections of an owner that holds more than half, and no others', () => {
    const world = new World(1 << 20)
    const many = clientsOf(world, 20)
    const one = clientsOf(world, 1)
    many.clients.forEach(({ socket, connection }, i) => {
      socket.blocked = true
      connection.onData(ofOneByte(1))
      world.reply(i, 'x'.repeat(30_000))
    })
    world.set.flush()
    const { socket, connection } = one.clients[0]!
    socket.blocked = true
    connection.onData(ofOneByte(1))
    world.reply(20, 'y'.repeat(1_000))
    world.set.flush()
    connection.onData(ofOneByte(1))
    many.clients[0]!.connection.onData(ofOneByte(1))
    expect(handedOver(world, one.owner)).toBe(2)
    expect(handedOver(world, many.owner)).toBe(20)
    many.clients[0]!.socket.drain()
    expect(handedOver(world, many.owner)).toBe(21)
  })

  test('that fill the memory cost the owner a connection that holds most of it, though another has the largest', () => {
    const world = new World(1 << 20)
    const one = clientsOf(world, 1)
    const many = clientsOf(world, 20)
    const all = [...one.clients, ...many.clients]
    all.forEach(({ socket, connection }, i) => {
      socket.blocked = true
      connection.onData(ofOneByte(1))
      world.clock.advance(5_000)
      world.reply(i, 'x'.repeat(i === 0 ? 500_000 : 100_000))
      world.set.flush()
    })
    expect(one.clients[0]!.socket.destroyed).toBe(false)
    expect(many.clients.filter(({ socket }) => socket.destroyed).length).toBeGreaterThan(0)
    // the same where others wait for the room
    world.clock.advance(5_000)
    const before = many.clients.filter(({ socket }) => socket.destroyed).length
    expect(world.set.closeStuck(world.clock.monotonicMs())).toBe(1)
    expect(many.clients.filter(({ socket }) => socket.destroyed)).toHaveLength(before + 1)
    expect([world.replies.usedBytes, one.owner.replyBytes]).toEqual([
      one.owner.replyBytes + many.owner.replyBytes,
      500_000,
    ])
  })
})

describe('the memory for requests', () => {
  test('has room for who comes, whatever one owner holds of it', () => {
    const world = new World(1 << 20)
    const many = clientsOf(world, 100)
    const one = clientsOf(world, 1)
    for (const { connection } of many.clients) connection.onData(frames(50_000).subarray(0, 10))
    expect(world.budget.usedBytes).toBeGreaterThan(0.8 * 2 ** 20)
    expect(world.budget.usedBytes).toBeLessThanOrEqual(0.875 * 2 ** 20)
    one.clients[0]!.connection.onData(frames(50_000))
    expect(handedOver(world, one.owner)).toBe(1)
  })

  test('has room for who comes, also where one owner has been there alone', () => {
    const owners = new Owners(() => true)
    const world = new World(1 << 20, defaultLimits, owners)
    const many = clientsOf(world, 100)
    for (const { connection } of many.clients) connection.onData(frames(70_000).subarray(0, 10))
    expect(world.budget.usedBytes).toBeGreaterThan(0.7 * 2 ** 20)
    const one = clientsOf(world, 1)
    one.clients[0]!.connection.onData(frames(70_000))
    expect(handedOver(world, one.owner)).toBe(1)
  })

  test('is all its own where an owner is alone', () => {
    const world = new World(1 << 20)
    const { clients } = clientsOf(world, 100)
    for (const { connection } of clients) connection.onData(frames(50_000).subarray(0, 10))
    expect(world.budget.usedBytes).toBeGreaterThan(0.95 * 2 ** 20)
  })

  test('is given to those who wait, one of each owner in turn', () => {
    const world = new World(300_000)
    const [many, one] = [clientsOf(world, 20), clientsOf(world, 5)]
    for (const { connection } of many.clients) connection.onData(frames(50_000))
    const held = world.slots.length
    for (const { connection } of one.clients) connection.onData(frames(50_000))
    const atOnce = handedOver(world, one.owner)
    expect(atOnce).toBeLessThan(5)
    for (let i = 0; i < 6; i++) {
      world.reply(i, '')
      world.set.flush()
    }
    expect(handedOver(world, many.owner) - held).toBeLessThanOrEqual(3)
    expect(handedOver(world, one.owner) - atOnce).toBeGreaterThanOrEqual(2)
  })

  test('is taken from the owner that holds most of it, when frames do not come on', () => {
    const world = new World(300_000)
    const one = clientsOf(world, 1)
    const many = clientsOf(world, 20)
    one.clients[0]!.connection.onData(frames(20_000).subarray(0, 10))
    for (const { connection } of many.clients) connection.onData(frames(50_000).subarray(0, 10))
    expect(world.budget.waiting).toBeGreaterThan(0)
    world.clock.advance(5_000)
    expect(world.budget.relieve(world.clock.monotonicMs())).toBe(1)
    expect(one.clients[0]!.socket.destroyed).toBe(false)
    expect(many.clients.filter(({ socket }) => socket.destroyed)).toHaveLength(1)
  })

  test('is another owner’s when a connection becomes that one’s, and nobody’s when it has gone', () => {
    const world = new World(100_000)
    const { strangers } = world.set.owners
    const holder = world.connect()
    holder.connection.onData(frames(60_000))
    const waiting = world.connect()
    waiting.connection.onData(frames(60_000).subarray(0, 10))
    expect(waiting.socket.paused).toBe(true)
    const owner = world.set.owners.create()
    for (const { connection } of [holder, waiting]) connection.owner = owner
    expect([strangers.requestBytes, owner.requestBytes]).toEqual([0, 60_512])
    expect([strangers.connections, owner.connections, world.set.owners.connected]).toEqual([
      0, 2, 1,
    ])
    const inFlight = () => owner.counts[OwnerCount.IN_FLIGHT_BYTES_NOW]
    expect(inFlight()).toBe(60_512)
    holder.socket.blocked = true
    world.reply(0, 'x')
    expect(owner.replyBytes).toBe(1)
    // the second has its room
    expect(inFlight()).toBe(60_512 + 1)
    holder.socket.drain()
    world.set.flush()
    expect(waiting.socket.paused).toBe(false)
    for (const { connection } of [holder, waiting]) connection.close()
    expect([owner.isIdle, world.budget.usedBytes, world.budget.waiting]).toEqual([true, 0, 0])
    expect(world.set.owners.connected).toBe(0)
    expect(inFlight()).toBe(0)
  })
})

test('where no more connections may be, one of an owner with more than half gives way, beside others', () => {
  const world = new World(1 << 20, { ...defaultLimits, connectionsMax: 10 })
  const many = clientsOf(world, 10)
  expect(world.set.makeRoom('alone')).toBe(false)
  many.clients[0]!.connection.close()
  const one = clientsOf(world, 1)
  for (const { connection } of many.clients.slice(1, 3)) {
    world.clock.advance(200)
    connection.onData(ofOneByte(1))
  }
  expect(world.set.makeRoom('other')).toBe(true)
  const gone = () => many.clients.flatMap(({ socket }, i) => (socket.destroyed ? [i] : []))
  expect(gone()).toEqual([0, 3])
  expect(one.clients[0]!.socket.destroyed).toBe(false)
  for (const { connection } of many.clients.slice(4, 7)) connection.close()
  clientsOf(world, 5)
  expect(world.set.size).toBe(11)
  // five of eleven: nobody has too many
  expect(world.set.makeRoom('one too many')).toBe(false)
})

test('the connections of one owner read less each the more of them there are', () => {
  const world = new World()
  const few = clientsOf(world, 1)
  const many = clientsOf(world, 2_000)
  expect(few.clients[0]!.connection.readInto).toHaveLength(READ_BYTES)
  expect(many.clients[0]!.connection.readInto).toHaveLength(16 * 1024)
  for (const { connection } of many.clients.slice(100)) connection.close()
  expect(many.clients[0]!.connection.readInto).toHaveLength(READ_BYTES)
})

describe('a fair queue', () => {
  const owners = new World().set.owners
  const [a, b, c] = [owners.create(), owners.create(), owners.create()]

  test('serves one of each owner in turn, passes who has had its share, and waits for who finds no room', () => {
    const queue = new FairQueue<string>()
    for (const name of ['a1', 'a2', 'a3']) queue.add(a, name, true)
    for (const name of ['b1', 'b2']) queue.add(b, name, false)
    queue.add(c, 'c1', false)
    expect([queue.size, queue.isHeld]).toEqual([6, true])
    const served: string[] = []
    const serve = (max: number) =>
      queue.serve((name, owner, leave) => {
        if (owner === c) return 'over-share'
        if (served.length >= max) return 'no-room'
        leave()
        served.push(name)
        return 'taken'
      })
    serve(4)
    expect(served).toEqual(['a1', 'b1', 'a2', 'b2'])
    expect([queue.size, queue.isHeld]).toEqual([2, true])
    serve(9)
    expect(served).toEqual(['a1', 'b1', 'a2', 'b2', 'a3'])
    // who waits for its own share holds nobody up
    expect([queue.size, queue.isHeld, queue.has(c)]).toEqual([1, false, true])
    expect([queue.delete(c, 'c1'), queue.delete(c, 'c1'), queue.size]).toEqual([true, false, 0])
  })
})
