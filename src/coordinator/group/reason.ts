/** The longest reason that goes into the log; Kafka's clients cut theirs at 255. */
const REASON_LENGTH_MAX = 255

/** Why a member says that it joins or leaves (KIP-800). */
export const reasonOf = (reason: string | null): string =>
  `client reason: ${reason === null || reason === '' ? 'not provided' : reason.slice(0, REASON_LENGTH_MAX)}`
