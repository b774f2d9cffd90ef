/** Ids that are drawn once and never change, from the random source that the controller was given. */
import type { TenantId, TopicId } from '../base/ids.ts'
import { type Random, randomHex } from '../base/random.ts'

/** A version 4 UUID as 32 hex digits whose base64url does not begin with `-` (Kafka avoids it for the sake of its tools); so never zero, and never one of Kafka's reserved ids. */
export function newUuid(random: Random): string {
  for (;;) {
    const hex = randomHex(random, 32)
    const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16)
    const uuid = `${hex.slice(0, 12)}4${hex.slice(13, 16)}${variant}${hex.slice(17)}`
    if (!toBase64Url(uuid).startsWith('-')) return uuid
  }
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

const toBase64Url = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url')
