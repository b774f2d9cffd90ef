/** A cluster that a row measures, whichever it is. */

export interface Broker {
  /** `HOST:PORT` of each node, with commas. */
  readonly bootstrap: string
  /** Its processes, to count their CPU, memory and file descriptors. */
  readonly pids: readonly number[]
  /** Milliseconds of its start that made a fresh directory ready; 0 where that is no step of its own. */
  readonly formatMs: number
  /** The last of its standard error. */
  stderr(): string
  /** SIGTERM for a clean end, SIGKILL where its data goes with it. */
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /**
   * The broker with this node id dies as by `kill -9`, all at once: a process, or a thread where brokers are threads. Resolves once it
   * is dead. Rejects where it cannot be done, with what would help.
   */
  kill(nodeId: number): Promise<void>
  /** Starts it again over its files, where nothing else does. */
  revive(nodeId: number): Promise<void>
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
