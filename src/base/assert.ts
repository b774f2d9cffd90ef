/** An invariant of our own was broken: a bug, never a client's doing. Stays on in production. */
export class InvariantError extends Error {
  override name = 'InvariantError'
}

/** Throws {@link InvariantError} unless `condition` holds. Give `message` as a constant: it must cost nothing when true. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}
