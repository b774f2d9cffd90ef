/** The plans of an image, by name. */
import { invariant } from '../base/assert.ts'
import type { MetadataEntry } from './entry.ts'
import { type Limits, limitsInOrder } from './tenant-limits.ts'

/** A named set of what tenants may have. */
export interface PlanView {
  readonly name: string
  readonly limits: Limits
}

export interface PlansView {
  readonly count: number
  get(name: string): PlanView | undefined
  all(): Iterable<PlanView>
}

export type PlanEntry = Extract<MetadataEntry, { kind: 'plan' | 'plan-deleted' }>

/** Equal for equal plans. */
export const planOf = ({ name, limits }: PlanView): PlanView => ({
  ...{ name, limits: limitsInOrder(limits) },
})

export class PlanRows implements PlansView {
  readonly #byName = new Map<string, PlanView>()

  get count(): number {
    return this.#byName.size
  }

  get(name: string): PlanView | undefined {
    return this.#byName.get(name)
  }

  all(): Iterable<PlanView> {
    return this.#byName.values()
  }

  change(entry: PlanEntry): void {
    if (entry.kind === 'plan') this.#byName.set(entry.name, planOf(entry))
    else invariant(this.#byName.delete(entry.name), 'a plan that is deleted exists')
  }
}
