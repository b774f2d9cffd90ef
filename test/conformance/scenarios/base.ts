/** A good request of an API, from which others are derived. */
import type { Side } from '../side.ts'

export interface Base {
  readonly prepare?: (side: Side) => Promise<void>
  /** `n` is another word each time, for names of things that are made. */
  readonly request: (side: Side, version: number, n: string) => object | Promise<object>
  /** Fields that stay as they are. */
  readonly leave?: readonly string[]
  /** Steps that are not taken. */
  readonly skip?: (step: string, version: number) => boolean
  readonly keep?: (path: string) => boolean
  /** Steps that need a connection of their own. */
  readonly alone?: (step: string) => boolean
}
