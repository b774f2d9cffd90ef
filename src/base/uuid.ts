import { type Random, randomHex } from './random.ts'

/** A version 4 UUID as 32 hex digits whose base64url does not begin with `-` (Kafka avoids it for the sake of its tools); so never zero, and never one of Kafka's reserved ids. */
export function newUuid(random: Random): string {
  for (;;) {
    const hex = randomHex(random, 32)
    const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16)
    const uuid = `${hex.slice(0, 12)}4${hex.slice(13, 16)}${variant}${hex.slice(17)}`
    if (!toBase64Url(uuid).startsWith('-')) return uuid
  }
}

/** 22 characters. */
export const toBase64Url = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url')
