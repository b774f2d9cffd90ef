import type { Api } from '../protocol/api.ts'
import type { Session } from './session.ts'

/**
 * Where SASL, ACLs and quotas will decide about a request before it is handled: null admits it. On the front's thread;
 * called for every request, so it allocates nothing when it admits.
 */
export interface Admission {
  /** Why the connection must be closed, or null. */
  admit(session: Session, api: Api, version: number, frameBytes: number): string | null
}

/** As long as there is neither authentication nor quota: everybody may do everything. */
export const admitAll: Admission = { admit: () => null }
