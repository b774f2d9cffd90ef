/** What one request may still make, by the limits of its tenant: later topics see what earlier ones will take. */
import { ErrorCode } from '../base/error-code.ts'
import type { TenantId } from '../base/ids.ts'
import { type Refusal, refuse } from '../image/results.ts'
import { overLimit } from '../image/tenant-limits.ts'
import { isInternalTopic } from '../image/topic-name.ts'
import type { ControllerState } from './state.ts'

export class TenantLimits {
  readonly #limits: { readonly topics: number | null; readonly partitions: number | null }
  #topics: number
  #partitions: number

  constructor({ tenants }: ControllerState, tenantId: TenantId) {
    const maxOf = (name: 'topics' | 'partitions') => tenants.limitOf(tenantId, name)
    this.#limits = { topics: maxOf('topics'), partitions: maxOf('partitions') }
    const { topics, partitions } = tenants.useOf(tenantId)
    this.#topics = topics
    this.#partitions = partitions
  }

  /** The engine's own topics are made for whoever needs them, and count nowhere. */
  refuse(topicName: string, topics: number, partitions: number): Refusal | null {
    if (isInternalTopic(topicName)) return null
    const max = this.#limits
    const message =
      overLimit(max.topics, 'topics', { used: this.#topics, asked: topics }) ??
      overLimit(max.partitions, 'partitions', { used: this.#partitions, asked: partitions })
    return message === null ? null : refuse(ErrorCode.POLICY_VIOLATION, message)
  }

  take(topicName: string, topics: number, partitions: number): void {
    if (isInternalTopic(topicName)) return
    this.#topics += topics
    this.#partitions += partitions
  }
}
