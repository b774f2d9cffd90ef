/**
 * What the kinds of the table of use mean. A row is a tenant's at a front (broker 0), at a front for what a broker leads, or at a broker; each is stored by its
 * thread alone. Names ending in `_NOW` are gauges, the others only grow, from the row's beginning on. Numbers are never used again for another meaning.
 */
export const UseKind = {
  /** At a front: of requests. At a broker: of batches that came, refused ones too, and of requests to coordinators. */
  BYTES_IN: 0,
  /** At a front: of replies; in its rows of a broker: of batches in answers that were read from what that broker leads. */
  BYTES_OUT: 1,
  /** At a front: requests; in its rows of a broker: partitions in answers to fetches. At a broker: commands. */
  REQUESTS: 2,
  /** Nanoseconds of the broker's thread. */
  BROKER_NS: 3,
  /** Likewise of the front's. */
  FRONT_NS: 4,
  CONNECTIONS_NOW: 5,
  /** That were let in as the tenant's. */
  CONNECTIONS: 6,
  /** Partitions that were made, added or deleted with their topics: at the broker whose controller has decided it. */
  PARTITION_CHANGES: 7,
  /** At a front: of requests and replies. At a broker: of batches that wait for their acknowledgement. */
  IN_FLIGHT_BYTES_NOW: 8,
  /** That would have been the tenant's: over its limit, or with a login of it that failed. */
  CONNECTIONS_REFUSED: 9,
  /** In answers, each partition's or topic's counted. */
  ERRORS: 10,
} as const

/** With room for more. */
export const USE_KINDS = 16
