import type { KafkaConnection } from './connection.ts'
import type { ReplySlot } from './reply-slot.ts'

/** What a connection needs of a `node:net` socket; tests bring their own. */
export interface SocketLike {
  readonly writableLength: number
  readonly destroyed: boolean
  write(bytes: Uint8Array, done?: () => void): boolean
  cork(): void
  uncork(): void
  pause(): unknown
  resume(): unknown
  destroy(): unknown
}

/** Replies of one flush that the kernel has not taken whole yet. */
export interface Undrained {
  readonly connection: KafkaConnection
  /** Monotonic milliseconds. */
  sinceMs: number
  bytes: number
  slots: ReplySlot | null
}
