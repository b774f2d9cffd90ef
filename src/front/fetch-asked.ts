import type { fetch } from '../protocol/01-fetch.ts'
import type { RequestContext } from './context.ts'
import type { FetchPart } from './fetch-part.ts'
import type { FetchSession } from './fetch-sessions.ts'

export type FetchContext = RequestContext<typeof fetch>

/** What a fetch asks for. */
export interface FetchAsked {
  readonly parts: readonly FetchPart[]
  readonly maxBytes: number
  readonly minBytes: number
  readonly maxWaitMs: number
  readonly isolationLevel: number
  /** A broker asks, as a follower: a right of the cluster counts, and not one of each topic. */
  readonly isFromFollower: boolean
  /** Empty: the client has not said where it is. */
  readonly rackId: string
  readonly session: FetchSession | null
  /** Partitions without news may be left out. */
  readonly incremental: boolean
}
