/** What must never happen has happened. */
export class SafetyError extends Error {
  override name = 'SafetyError'
}

/** All is well again, and yet it does not come to rest. */
export class LivenessError extends Error {
  override name = 'LivenessError'
}

export function safe(condition: unknown, what: () => string): asserts condition {
  if (!condition) throw new SafetyError(what())
}
