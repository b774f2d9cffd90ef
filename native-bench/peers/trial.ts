/** What a run of a row must be to be kept for the table: anything else is a trial. */

/** The goals are about so many rounds and seconds at least. */
export const ROUNDS = 5
export const SECONDS = 15

export interface RunFacts {
  readonly rounds: number
  readonly seconds: number
  readonly hasOwnWarmup: boolean
  readonly peer: 'kafka' | 'griot'
  /** A side made fewer replicas than a row of three nodes is about. */
  readonly lacksReplicas: boolean
  /** Ends in `+` where files were changed since; null without git. */
  readonly commit: string | null
  /** Hashes of what was built, which is what ran. */
  readonly builtBefore: string
  readonly builtAfter: string
}

/** Why it is a trial; empty for one that is kept. */
export function whyTrial(facts: RunFacts): string[] {
  const { rounds, seconds, hasOwnWarmup, peer, commit } = facts
  const why: string[] = []
  if (rounds < ROUNDS) why.push(`fewer than ${ROUNDS} rounds`)
  if (seconds < SECONDS) why.push(`less than ${SECONDS} s`)
  if (hasOwnWarmup) why.push('a warm-up of its own')
  if (peer === 'griot') why.push('no peer but Griot itself')
  if (facts.lacksReplicas) why.push('fewer replicas than asked for')
  if (commit === null) why.push('no commit')
  else if (commit.endsWith('+')) why.push('changes that are in no commit')
  if (facts.builtBefore !== facts.builtAfter) why.push('dist was built anew meanwhile')
  return why
}
