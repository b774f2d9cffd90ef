/** The flusher's part in faults on demand: its calls for one broker's files fail, or take longer. On the flusher's thread. */
import { getSystemErrorMap } from 'node:util'
import { brokerPath } from '../base/paths.ts'
import type { FlushDone, FlushFiles } from '../broker/flush-file.ts'
import type { ChaosFault } from '../link/control.ts'
import { brokerIds, CELL } from './wiring.ts'

type Files = Pick<FlushFiles, 'flush' | 'remove' | 'closeUnused' | 'close'>

interface BrokerFaults {
  /** With a slash at its end. */
  readonly root: string
  /** libuv's number; 0: none. */
  errno: number
  byMs: number
}

/** Of a full disk nothing fails here: what was written has its place, and removals are what it waits for. */
export class FaultyFlushFiles implements Files {
  readonly #files: Files
  readonly #brokers: readonly BrokerFaults[]

  constructor(files: Files, dataDir: string, brokers: number) {
    this.#files = files
    this.#brokers = brokerIds(brokers).map((id) => ({
      root: `${brokerPath(dataDir, CELL, id)}/`,
      errno: 0,
      byMs: 0,
    }))
  }

  onChaos(brokerId: number, chaos: ChaosFault): void {
    const broker = this.#brokers[brokerId - 1]!
    if (chaos.fault === 'fail-disk') broker.errno = chaos.code === 'EIO' ? errnoOf('EIO') : 0
    else if (chaos.fault === 'slow-disk') broker.byMs = chaos.byMs
  }

  flush(path: string, done: FlushDone): void {
    this.#attempt(path, done, () => this.#files.flush(path, done))
  }

  remove(path: string, done: FlushDone): void {
    this.#attempt(path, done, () => this.#files.remove(path, done))
  }

  closeUnused(): number {
    return this.#files.closeUnused()
  }

  close(): void {
    this.#files.close()
  }

  #attempt(path: string, done: FlushDone, call: () => void): void {
    const faults = this.#brokers.find(({ root }) => `${path}/`.startsWith(root))
    if (faults === undefined || (faults.errno === 0 && faults.byMs === 0)) {
      call()
      return
    }
    // what is at fault when the call would have ended
    const end = () => (faults.errno === 0 ? call() : done(faults.errno))
    setTimeout(end, faults.byMs)
  }
}

/** libuv's numbers are not the system's everywhere. */
function errnoOf(code: string): number {
  for (const [errno, [name]] of getSystemErrorMap()) if (name === code) return errno
  return -1
}
