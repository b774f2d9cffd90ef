/** What may go wrong, class by class; each seed has its own selection ("swarm"), since a fault that is always there hides what another would show. */
import { SeededRandom } from '../../src/base/random.ts'

export const FAULT_CLASSES = [
  /** A broker's thread ends between two turns. */
  'thread-death',
  /** It ends in the middle of a turn, at some change on its disk. */
  'mid-turn-death',
  /** A thread takes no turns for a while. */
  'hang',
  /** Nothing that two brokers say to each other arrives; both are told so. */
  'cut',
  /** A ring between brokers has no room now and then. */
  'full-rings',
  /** What brokers say to each other arrives late. */
  'late-messages',
  /** All threads end at once, with the process. */
  'process-death',
  /** The power goes: what was not flushed is lost, torn or kept. */
  'power-cut',
  /** A broker's directory is emptied while it is down. */
  'lost-directory',
  /** A bit of a replica's log is another while its broker is down. */
  'bit-flip',
  /** Changes on one broker's disk fail. */
  'eio',
  /** One broker's disk is full. */
  'enospc',
  /** Flushes take their time. */
  'slow-flush',
  /** The wall clock jumps, for all. */
  'clock-jump',
  /** Topics are made and deleted meanwhile. */
  'topic-changes',
  /** The beginning of logs is deleted. */
  'delete-records',
  /** Somebody wants leaderships elsewhere. */
  'leadership-moves',
  /** Groups that nobody touches are closed soon. */
  'dehydration',
] as const

export type FaultClass = (typeof FAULT_CLASSES)[number]

export const isFaultClass = (name: string): name is FaultClass =>
  (FAULT_CLASSES as readonly string[]).includes(name)

/** What a seed switches on, and how often it strikes. */
export interface Swarm {
  readonly classes: ReadonlySet<FaultClass>
  /** Chance per step of each class that is on. */
  readonly rates: ReadonlyMap<FaultClass, number>
}

/** Seeds that differ little begin alike in a xorshift generator: they are spread first. */
export function randomOf(seed: number): SeededRandom {
  let mixed = Math.imul(seed ^ (seed >>> 16), 0x45d9f3b)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b)
  return new SeededRandom((mixed ^ (mixed >>> 16)) >>> 0)
}

/** Faults per step at the most and at the least, of a class that is on. */
const RATE_MAX = 1 / 30
const RATE_MIN = 1 / 1_500

export function drawSwarm(random: SeededRandom, only: readonly FaultClass[] | null): Swarm {
  const share = 0.15 + 0.5 * (random.below(1_000) / 1_000)
  const classes = new Set<FaultClass>()
  const rates = new Map<FaultClass, number>()
  for (const name of FAULT_CLASSES) {
    // drawn for all, so that a class which is left out changes nothing for the others
    const isOn = random.chance(share)
    const rate = RATE_MIN + (RATE_MAX - RATE_MIN) * (random.below(1_000) / 1_000) ** 3
    if (only === null ? !isOn : !only.includes(name)) continue
    classes.add(name)
    rates.set(name, rate)
  }
  return { classes, rates }
}
