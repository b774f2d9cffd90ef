/** One thing that is done again and again. */
export interface Case {
  /** The same from commit to commit. */
  readonly name: string
  /** Bytes that one operation goes over, where bytes a second say more. */
  readonly bytes?: number
  /** What is measured; what it returns is looked at by nobody. Throws when it did not do its work. */
  readonly run: () => unknown
}

/** Some cases with what they share, made in the process that measures them. */
export interface Subject {
  readonly cases: readonly Case[]
  /** Takes back what was made: files, and whatever keeps a process alive. */
  readonly close?: () => void
}
