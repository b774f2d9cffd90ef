import { asBrokerId, type BrokerId } from './ids.ts'

/** Brokers are numbered in 16 bits. */
const BROKERS = 2 ** 16

/**
 * The id of a broker's replica: each life of a directory has its own, so that one which was emptied, or has lost something, comes back as
 * another and votes for nobody until it is let in again. `life` counts from 0.
 */
export const replicaIdOf = (broker: BrokerId, life = 0): number => life * BROKERS + broker

export const brokerOf = (replica: number): BrokerId => asBrokerId(replica % BROKERS)
