/** Places of what `net` counts, in an array that it is given: slots of the counter table, 16 at most. Front's thread. */
export const ConnectionCount = {
  OPENED: 0,
  CLOSED: 1,
  /** Of those, for being idle. */
  CLOSED_IDLE: 2,
  /** Of those, for the sake of others: the front's memory for bytes in flight was full. */
  CLOSED_FOR_BUDGET: 3,
  /** Frames of a size that none may have; the connection is closed. */
  FRAMES_BROKEN: 4,
  BYTES_IN: 5,
  /** Of replies given to sockets. */
  BYTES_OUT: 6,
  /** Times that a connection was no longer read from: too much in flight. */
  PAUSES: 7,
  /** TLS handshakes begun, … */
  HANDSHAKES: 8,
  /** … and those of them that came to nothing. */
  HANDSHAKES_FAILED: 9,
} as const

export const CONNECTION_COUNTS = 10

/** For whoever does not want to know. */
export const newConnectionCounts = (): Float64Array => new Float64Array(CONNECTION_COUNTS)
