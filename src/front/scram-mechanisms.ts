import type { ScramMechanism } from '../tenant/scram-credential.ts'

/** Kafka's numbers (org.apache.kafka.clients.admin.ScramMechanism). */
const NUMBERS: Readonly<Record<ScramMechanism, number>> = {
  'SCRAM-SHA-256': 1,
  'SCRAM-SHA-512': 2,
}

export const numberOfMechanism = (mechanism: ScramMechanism): number => NUMBERS[mechanism]

/** Undefined for a number of none. */
export const mechanismOfNumber = (number: number): ScramMechanism | undefined =>
  (Object.keys(NUMBERS) as ScramMechanism[]).find((mechanism) => NUMBERS[mechanism] === number)
