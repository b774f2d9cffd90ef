/** What waits here, of one tenant: in order, from `head` on. */
interface Lane<T> {
  readonly commands: T[]
  head: number
}

/** So many that have gone are let go of at a time. */
const SPLICE_AT = 1024

/** Commands that wait for room in a broker's ring: one of each tenant in turn, in order within one. Belongs to the front's thread. */
export class ParkedCommands<T> {
  /** In the order of their turns; none is empty. */
  readonly #lanes = new Map<string, Lane<T>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The tenant has some: what comes after them has to wait, too. */
  has(tenant: string): boolean {
    return this.#lanes.has(tenant)
  }

  add(tenant: string, command: T): void {
    const lane = this.#lanes.get(tenant)
    if (lane === undefined) this.#lanes.set(tenant, { commands: [command], head: 0 })
    else lane.commands.push(command)
    this.#size++
  }

  /** Gives them to `send` until that has no room, which it says by false; returns how many went. */
  sendTo(send: (command: T) => boolean): number {
    let sent = 0
    while (this.#size > 0) {
      const [tenant, lane] = this.#lanes.entries().next().value!
      if (!send(lane.commands[lane.head]!)) break
      sent++
      this.#size--
      lane.head++
      // its next turn comes after all others
      this.#lanes.delete(tenant)
      if (lane.head === lane.commands.length) continue
      this.#lanes.set(tenant, lane)
      if (lane.head >= SPLICE_AT) lane.commands.splice(0, lane.head)
      if (lane.head >= SPLICE_AT) lane.head = 0
    }
    return sent
  }

  /** All of them, which wait no longer. */
  takeAll(): T[] {
    const all = [...this.#lanes.values()].flatMap(({ commands, head }) => commands.slice(head))
    this.#lanes.clear()
    this.#size = 0
    return all
  }
}
