/** What every client of the simulator has in common. */
import type { SimCluster } from '../sim-cluster.ts'

export interface SimClient {
  /** Once per step. */
  turn(): void
  /** Its connection is lost: what is under way has an unknown fate. */
  onFrontGone(): void
  /** Nothing new from now on. */
  finish(): void
  /** Everything that it has asked is answered. */
  readonly isDone: boolean
  /** For who reads of a failure. */
  describe(): string
}

export interface ClientContext {
  readonly cluster: SimCluster
}
