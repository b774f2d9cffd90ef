import type { PartitionLog } from '../../log/partition-log.ts'
import type { ControlEntry, Position } from '../../raft/types.ts'

/**
 * Where a topic asks for flushes, control entries count when they are durable, too: an election that a power cut undoes has not been. Of one replica, on the
 * broker's thread.
 */
export class UndurableControls {
  /** Where the first lies that is not known to be durable. */
  #from = Number.POSITIVE_INFINITY
  #appended = 0

  get from(): Position {
    return this.#from
  }

  /** They are in the file of that log; `flushed` is called when they are durable. */
  appended(entries: readonly ControlEntry[], log: PartitionLog, flushed: () => void): void {
    if (entries.length === 0 || log.config.flushMessages === Number.MAX_SAFE_INTEGER) return
    this.#from = Math.min(this.#from, entries[0]!.at)
    const count = ++this.#appended
    log.requestFlush((failed) => {
      if (failed !== null || count !== this.#appended) return
      this.#from = Number.POSITIVE_INFINITY
      flushed()
    })
  }

  truncated(position: Position): void {
    if (position <= this.#from) this.clear()
  }

  /** There are none, or they are another file's. */
  clear(): void {
    this.#from = Number.POSITIVE_INFINITY
    this.#appended++
  }
}
