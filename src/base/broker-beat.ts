/** What a broker's thread says of itself to its peers; plain, so that who keeps it in shared memory and who judges by it need not know each other. */
export const BrokerState = {
  NONE: 0,
  STARTING: 1,
  SERVING: 2,
  STOPPING: 3,
  STOPPED: 4,
  /** Between the first two: its thread turns, and waits for the metadata. */
  JOINING: 5,
} as const
export type BrokerState = (typeof BrokerState)[keyof typeof BrokerState]

/** A broker's beats as last read; filled again by each read. */
export interface BrokerBeat {
  /** Of the thread that the server has started last; 0: never one. */
  spawned: number
  /** Of the thread that was last seen to exit; the one that runs has a greater number. */
  ended: number
  /** Of the thread that has written what follows. */
  incarnation: number
  state: BrokerState
  /** Counts up while its thread turns; int32 that wraps. */
  beats: number
  /** Of its last beat, on its own monotonic clock, which is nobody else's: for a reader's eyes, not for judging. */
  lastTurnMs: number
}

export const newBrokerBeat = (): BrokerBeat => ({
  spawned: 0,
  ended: 0,
  incarnation: 0,
  state: BrokerState.NONE,
  beats: 0,
  lastTurnMs: 0,
})
