/** Secrets of a key or user as one string: there are many, each thread has them all, and most are never asked for. */
import type { ScramMechanism, StoredSecret } from './entry.ts'

const MECHANISMS: readonly ScramMechanism[] = ['SCRAM-SHA-256', 'SCRAM-SHA-512']

/** `place of the mechanism:iterations:salt:storedKey:serverKey`, several joined by spaces; neither is a character of base64. */
export const packSecrets = (secrets: readonly StoredSecret[]): string =>
  secrets
    .map(({ mechanism, iterations, salt, storedKey, serverKey }) =>
      [MECHANISMS.indexOf(mechanism), iterations, salt, storedKey, serverKey].join(':'),
    )
    .join(' ')

export const unpackSecrets = (packed: string): readonly StoredSecret[] =>
  packed === ''
    ? []
    : packed.split(' ').map((one) => {
        const [place, iterations, salt, storedKey, serverKey] = one.split(':') as string[]
        return {
          mechanism: MECHANISMS[Number(place)]!,
          iterations: Number(iterations),
          ...{ salt: salt!, storedKey: storedKey!, serverKey: serverKey! },
        }
      })
