/** Ids that are drawn once and never change, from the random source that the controller was given. */
import type { TenantId, TopicId } from '../base/ids.ts'
import { type Random, randomHex } from '../base/random.ts'
import { newUuid, toBase64Url } from '../base/uuid.ts'

/** Where ids come from. */
export interface IdSources {
  readonly random: Random
  /** What the ids of a tenant and its topics are drawn from; default: `random`, which nobody must be able to follow then. */
  readonly randomFor?: (tenantId: TenantId) => Random
}

export function newTopicId(random: Random, taken: (id: TopicId) => boolean): TopicId {
  for (;;) {
    const id = newUuid(random) as TopicId
    if (!taken(id)) return id
  }
}

export function newTenantId(random: Random, taken: (id: TenantId) => boolean): TenantId {
  for (;;) {
    const id = randomHex(random, 16) as TenantId
    if (!taken(id)) return id
  }
}

/** 22 characters of base64url, as Kafka's. */
export const newClusterId = (random: Random): string => toBase64Url(newUuid(random))
