/**
 * What other threads will do for a client, in milliseconds: its tenant pays for that as for the front's own time where all of them have the same few cores
 * (`ReadTurns.elsewhere`). Estimates from profiles of two cores (2026-11-26): what they do is not measured one by one.
 */

/** A broker looks at a batch, appends and answers: 3 to 5 µs of it, and what waking both takes, … */
const BATCH_MS = 0.006
/** … and a byte is written to the page cache, … */
const BATCH_BYTE_MS = 0.3e-6
/** … or read from there by the pool, and taken by the system on its way out: a catch-up takes 0.3 to 0.35 ms of all threads a megabyte, and the system's part of the other side as much. */
const FILE_BYTE_MS = 0.6e-6
/** PBKDF2 with 4,096 rounds. */
const PASSWORD_MS = 0.65

export const produceMs = (batchBytes: number): number => BATCH_MS + batchBytes * BATCH_BYTE_MS

export const fileReadMs = (bytes: number): number => bytes * FILE_BYTE_MS

/** A secret is compared with what is kept of it; the other mechanisms have the client do that. */
export const loginMs = (mechanism: string): number => (mechanism === 'PLAIN' ? PASSWORD_MS : 0)
