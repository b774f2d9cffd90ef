import { asBrokerId, type BrokerId } from './ids.ts'

/** Brokers are numbered in 16 bits, … */
const BROKERS = 2 ** 16
/** … lives of their directories in 17, … */
const LIVES = 2 ** 17
/** … and decisions about a partition's replicas in 20: an id is exact as a float64. Numbers beyond begin anew. */
const GENERATIONS = 2 ** 20

/**
 * The id of a broker's replica: each life of a directory has its own, so that one which was emptied, or has lost something, comes back as
 * another and votes for nobody until it is let in again. `life` counts from 0. So has each time that the broker was given a replica of the partition: one that was
 * moved away and comes back has forgotten what it had, and how it had voted. `generation`: of the decision by which it was given it; 0 where the partition was made with it.
 */
export const replicaIdOf = (broker: BrokerId, life = 0, generation = 0): number =>
  ((generation % GENERATIONS) * LIVES + (life % LIVES)) * BROKERS + broker

/** When the replica came to its broker. */
export const generationOf = (replica: number): number => Math.floor(replica / (LIVES * BROKERS))

const lifeOf = (replica: number): number => Math.floor(replica / BROKERS) % LIVES

/** Of two replicas of one broker: `one` was before `other`, and nobody hears of it again. */
export const isBefore = (one: number, other: number): boolean =>
  lifeOf(one) < lifeOf(other) || generationOf(one) < generationOf(other)

export const brokerOf = (replica: number): BrokerId => asBrokerId(replica % BROKERS)
