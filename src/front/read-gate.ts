import type { BufferPool } from '../cell/buffer-pool.ts'
import type { KafkaConnection } from '../net/connection.ts'
import type { ReplySlot } from '../net/reply-slot.ts'

/** A fetch that wants to read files. */
export interface FileReader {
  readonly slot: ReplySlot
  /** It may. */
  onMayRead(): void
}

/** Free buffers below which nobody begins to read. */
const ROOM_BYTES_MIN = 64 * 1024

/**
 * Who may read files now. Requests are small and their answers are not: without this, the answers to pipelined
 * fetches would all lie in memory while the first is still being sent. Belongs to the front's thread.
 */
export class ReadGate {
  readonly #buffers: BufferPool
  readonly #connectionBytesMax: number
  /** Waiting for their own connection, oldest first. */
  readonly #byConnection = new Map<KafkaConnection, FileReader[]>()
  /** Waiting for buffers, oldest first. */
  readonly #forBuffers = new Set<FileReader>()

  constructor(buffers: BufferPool, connectionBytesMax: number) {
    this.#buffers = buffers
    this.#connectionBytesMax = connectionBytesMax
  }

  get waiting(): number {
    let waiting = this.#forBuffers.size
    for (const readers of this.#byConnection.values()) waiting += readers.length
    return waiting
  }

  /** Whether somebody waits for buffers. */
  get isShort(): boolean {
    return this.#forBuffers.size > 0
  }

  /** True: read. False: `reader` is told when it may. */
  enter(reader: FileReader): boolean {
    const { connection } = reader.slot
    if (!this.#connectionHasRoom(reader)) {
      const others = this.#byConnection.get(connection)
      if (others === undefined) this.#byConnection.set(connection, [reader])
      else others.push(reader)
      return false
    }
    if (this.#buffers.roomBytes >= ROOM_BYTES_MIN) return true
    this.#forBuffers.add(reader)
    return false
  }

  /** Buffers have come back. */
  onRoom(): void {
    for (const reader of this.#forBuffers) {
      if (this.#buffers.roomBytes < ROOM_BYTES_MIN) return
      this.#forBuffers.delete(reader)
      reader.onMayRead()
    }
  }

  /** Something of `connection` has been sent. */
  onDrained(connection: KafkaConnection): void {
    const readers = this.#byConnection.get(connection)
    if (readers === undefined) return
    while (readers.length > 0 && this.#connectionHasRoom(readers[0]!)) {
      const reader = readers.shift()!
      if (this.enter(reader)) reader.onMayRead()
    }
    if (readers.length === 0) this.#byConnection.delete(connection)
  }

  /** Nobody waits for `connection` any more; its readers are told, so that they can end. */
  onClosed(connection: KafkaConnection): void {
    const readers = this.#byConnection.get(connection) ?? []
    this.#byConnection.delete(connection)
    for (const reader of readers) reader.onMayRead()
    for (const reader of this.#forBuffers) {
      if (reader.slot.connection !== connection) continue
      this.#forBuffers.delete(reader)
      reader.onMayRead()
    }
  }

  /** The reply that goes out next may always be read once what went before it has left, or nothing would get on. */
  #connectionHasRoom({ slot }: FileReader): boolean {
    return slot.mayPin || slot.connection.inFlightBytes < this.#connectionBytesMax
  }
}
