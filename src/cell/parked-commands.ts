/** What waits here, of one tenant: in order, from `head` on. */
interface Lane<T> {
  readonly commands: T[]
  /** Of each command, what it counts. */
  readonly costs: number[]
  head: number
  /** What it may still send before others have their turn, in bytes. */
  credit: number
}

/** So many that have gone are let go of at a time. */
const SPLICE_AT = 1024
/** What a tenant may send in a turn, … */
const TURN_BYTES = 64 * 1024
/** … and what each command counts beside its bytes, for what it takes the broker to look at it. */
export const COMMAND_COST_BYTES = 2048
/** Of tenants that cannot send anything now, so many are passed over in one go. */
const PASSED_MAX = 16

/**
 * Commands that wait for room in a broker's ring: of each tenant as many bytes in turn, in order within one (deficit round robin:
 * Shreedhar, Varghese 1996). Belongs to the front's thread.
 */
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

  /** `bytes` go with it. */
  add(tenant: string, command: T, bytes: number): void {
    let lane = this.#lanes.get(tenant)
    if (lane === undefined) {
      lane = { commands: [], costs: [], head: 0, credit: 0 }
      this.#lanes.set(tenant, lane)
    }
    lane.commands.push(command)
    lane.costs.push(bytes + COMMAND_COST_BYTES)
    this.#size++
  }

  /** Gives them to `send` until that has no room for anybody, which it says by false; returns how many went. */
  sendTo(send: (command: T) => boolean): number {
    let sent = 0
    let passed = 0
    while (this.#size > 0 && passed < Math.min(PASSED_MAX, this.#lanes.size)) {
      const [tenant, lane] = this.#lanes.entries().next().value!
      const cost = lane.costs[lane.head]!
      if (lane.credit < cost && this.#lanes.size > 1) {
        lane.credit += TURN_BYTES
        if (lane.credit < cost) {
          this.#toTheEnd(tenant, lane)
          continue
        }
      }
      if (!send(lane.commands[lane.head]!)) {
        passed++
        this.#toTheEnd(tenant, lane)
        continue
      }
      sent++
      passed = 0
      lane.credit = Math.max(0, lane.credit - cost)
      this.#size--
      lane.head++
      if (lane.head === lane.commands.length) this.#lanes.delete(tenant)
      else if (lane.credit < lane.costs[lane.head]!) this.#toTheEnd(tenant, lane)
      if (lane.head >= SPLICE_AT) this.#letGo(lane)
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

  #toTheEnd(tenant: string, lane: Lane<T>): void {
    this.#lanes.delete(tenant)
    this.#lanes.set(tenant, lane)
  }

  #letGo(lane: Lane<T>): void {
    lane.commands.splice(0, lane.head)
    lane.costs.splice(0, lane.head)
    lane.head = 0
  }
}
