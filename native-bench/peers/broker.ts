/** A cluster that a row measures, whichever it is. */

export interface Broker {
  /** `HOST:PORT` of its first node. */
  readonly bootstrap: string
  /** Its processes, to count their CPU, memory and file descriptors. */
  readonly pids: readonly number[]
  /** Milliseconds of its start that made a fresh directory ready; 0 where that is no step of its own. */
  readonly formatMs: number
  /** The last of its standard error. */
  stderr(): string
  /** SIGTERM for a clean end, SIGKILL where its data goes with it. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/** How to get one; `start` may be called again on the same directory once the last one is stopped. */
export interface Side {
  readonly name: 'griot' | 'kafka'
  /** What a table calls it, with its version. */
  readonly label: string
  start(directory: string): Promise<Broker>
  /** The same with nothing kept of earlier starts, as the very first one of an installation. */
  startCold?(directory: string): Promise<Broker>
}
