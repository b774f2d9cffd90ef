/** What a front does with produces of one partition, in a few lines: holds them while nobody leads, and sends them again, oldest first. */
import { ErrorCode } from '../../../src/base/error-code.ts'
import type { PartitionNumber } from '../../../src/base/ids.ts'
import { idempotentBatch } from '../batches.ts'
import type { FakeFront } from '../fake-front.ts'
import type { Agents, Node } from './agents.ts'

interface Produce {
  readonly sequence: number
  readonly batch: Uint8Array
  /** Of the node that it was sent to. */
  correlation: number
  sentTo: FakeFront | null
}

/** The hub of all producers of a test: FakeFronts are read once, and the answers dealt out. */
export class Producers {
  readonly #agents: Agents
  readonly #all: IdempotentProducer[] = []

  constructor(agents: Agents) {
    this.#agents = agents
  }

  add(partition: PartitionNumber, producerId: number): IdempotentProducer {
    const producer = new IdempotentProducer(this.#agents, partition, producerId)
    this.#all.push(producer)
    return producer
  }

  /** Deals out what has come, and sends what may be sent. */
  turn(): void {
    for (const node of this.#agents.up) {
      for (const reply of node.front.take()) {
        if (reply.kind !== 'produced') continue
        for (const producer of this.#all) producer.onProduced(node, reply)
      }
    }
    for (const producer of this.#all) producer.turn()
  }
}

const POKE_EVERY_MS = 20
const IN_FLIGHT_MAX = 5

export class IdempotentProducer {
  readonly partition: PartitionNumber
  readonly producerId: number
  /** Base offset by sequence. */
  readonly acknowledged = new Map<number, number>()
  /** Errors that a client would have seen. */
  readonly errors: number[] = []
  /** Sends nothing new. */
  isDone = false
  readonly #agents: Agents
  #waiting: Produce[] = []
  #sequence = 0
  #pokedAtMs = 0
  #poked = 0

  constructor(agents: Agents, partition: PartitionNumber, producerId: number) {
    this.#agents = agents
    this.partition = partition
    this.producerId = producerId
  }

  get unanswered(): number {
    return this.#waiting.length
  }

  onProduced(
    node: Node,
    reply: { readonly correlation: number; readonly error: number; readonly baseOffset: number },
  ): void {
    const at = this.#waiting.findIndex(
      ({ correlation, sentTo }) => sentTo === node.front && correlation === reply.correlation,
    )
    if (at < 0) return
    const produce = this.#waiting[at]!
    if (reply.error === ErrorCode.NONE) {
      this.acknowledged.set(produce.sequence, reply.baseOffset)
      this.#waiting.splice(at, 1)
      return
    }
    if (reply.error !== ErrorCode.NOT_LEADER_OR_FOLLOWER) this.errors.push(reply.error)
    produce.sentTo = null
  }

  /** For who reads of a failure. */
  describe(): string {
    const waiting = this.#waiting.map(
      ({ sequence, sentTo }) => `${sequence} ${sentTo === null ? 'held' : 'sent'}`,
    )
    return `producer ${this.producerId}: errors ${this.errors.slice(-5)}, ${waiting}`
  }

  turn(): void {
    const fronts = this.#agents.up.map(({ front }) => front)
    for (const produce of this.#waiting) {
      // a life before has taken it along
      if (produce.sentTo !== null && !fronts.includes(produce.sentTo)) produce.sentTo = null
    }
    while (!this.isDone && this.#waiting.length < IN_FLIGHT_MAX) {
      const sequence = this.#sequence++
      const batch = idempotentBatch(this.producerId, sequence)
      this.#waiting.push({ sequence, batch, correlation: 0, sentTo: null })
    }
    const leader = this.#leader()
    // whoever else has it leads no more: its answer will be a refusal, if it ever comes
    if (leader !== null) {
      for (const produce of this.#waiting)
        if (produce.sentTo !== leader.front) produce.sentTo = null
    }
    const sent = this.#waiting.findLastIndex(({ sentTo }) => sentTo !== null)
    const unsent = this.#waiting.findIndex(({ sentTo }) => sentTo === null)
    // what was refused goes again only when nothing behind it is under way
    if (unsent < 0 || sent > unsent) return
    if (leader !== null) {
      for (const produce of this.#waiting.slice(unsent)) if (!this.#send(produce, leader)) return
      return
    }
    if (unsent > 0 || this.#agents.clock.monotonicMs() - this.#pokedAtMs < POKE_EVERY_MS) return
    this.#pokedAtMs = this.#agents.clock.monotonicMs()
    const { up } = this.#agents
    if (up.length > 0) this.#send(this.#waiting[0]!, up[this.#poked++ % up.length]!)
  }

  #leader(): Node | null {
    const told = this.#agents.leaders.get(this.partition)
    const node = told === undefined || told.leader === 0 ? null : this.#agents.node(told.leader)
    return node?.isUp === true ? node : null
  }

  #send(produce: Produce, node: Node): boolean {
    const correlation = node.front.produce(this.partition, produce.batch)
    if (correlation < 0) return false
    produce.correlation = correlation
    produce.sentTo = node.front
    return true
  }
}
