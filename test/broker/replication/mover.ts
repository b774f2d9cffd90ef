import { expect } from 'vitest'
import { planReassignments, planSettled } from '../../../src/controller/reassign.ts'
import { ControllerState } from '../../../src/controller/state.ts'
import { TimelineRegistry } from '../../../src/machine/timeline.ts'
import { TENANT } from '../world.ts'
import type { Agents } from './agents.ts'

/** The controller's decisions, over the entries that the agents have. */
export class Mover {
  readonly #agents: Agents
  readonly #registry = new TimelineRegistry()
  readonly #state = new ControllerState(this.#registry)
  #replayed = 0
  /** Entries that were decided because a leader was done. */
  settled = 0

  constructor(agents: Agents) {
    this.#agents = agents
  }

  move(name: string, replicas: readonly number[] | null, index = 0): void {
    this.#catchUp()
    const { entries, results } = planReassignments(this.#state, TENANT, {
      kind: 'alter-reassignments',
      allowReplicationFactorChange: true,
      topics: [{ name, partitions: [{ index, replicas }] }],
    })
    expect(results[0]!.partitions[0]).toMatchObject({ error: 0, message: null })
    if (entries.length > 0) this.#agents.publish(...entries)
  }

  turn(): void {
    for (const request of this.#agents.asked.splice(0)) {
      if (request.kind !== 'replicas-settled') continue
      this.#catchUp()
      const entry = planSettled(this.#state, TENANT, request)
      if (entry === null) continue
      this.settled++
      this.#agents.publish(entry)
    }
  }

  #catchUp(): void {
    const { entries } = this.#agents
    for (; this.#replayed < entries.length; this.#replayed++) {
      this.#registry.replaying(this.#replayed)
      this.#state.replay(entries[this.#replayed]!)
    }
  }
}
