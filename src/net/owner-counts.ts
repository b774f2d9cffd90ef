/**
 * Places of what `net` counts by owner, in an array that it is given. Each is added to only, gauges up and down: what several owners
 * share one array for is their sum. Numbers are never used again for another meaning. Front's thread.
 */
export const OwnerCount = {
  BYTES_IN: 0,
  /** Of replies given to sockets. */
  BYTES_OUT: 1,
  REQUESTS: 2,
  /** Nanoseconds: requests decoded and handled until their handler returned, and replies written. 3 is for the brokers' time. */
  FRONT_NS: 4,
  CONNECTIONS_NOW: 5,
  /** Connections that have become the owner's. 7 is for partition changes. */
  CONNECTIONS: 6,
  /** Of requests and replies. */
  IN_FLIGHT_BYTES_NOW: 8,
  /** Connections that would have become the owner's, and were refused. */
  CONNECTIONS_REFUSED: 9,
  /** In replies. */
  ERRORS: 10,
} as const

/** With room for what others count of the same owner. */
export const OWNER_COUNTS = 16
