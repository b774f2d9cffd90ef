/** Whose connections are, who may log in and what clients may do: made together, and told of metadata together. On the front's thread. */
import type { Clock } from '../base/clock.ts'
import type { TimerQueue } from '../base/timer-queue.ts'
import type { MetadataEntry } from '../image/entry.ts'
import type { MetadataView } from '../image/view.ts'
import type { TenantUse } from '../link/tenant-use.ts'
import type { Owners } from '../net/owner.ts'
import { Authorizers } from '../tenant/authorizers.ts'
import { LoginDelays } from '../tenant/login-delays.ts'
import { LoginQueue } from '../tenant/login-queue.ts'
import { MadeUpCredentials } from '../tenant/made-up-credentials.ts'
import type { SaslCrypto } from '../tenant/sasl-crypto.ts'
import { Sessions } from '../tenant/session.ts'
import { UserShapes } from '../tenant/user-shapes.ts'
import type { ConnectionState, FrontServices } from './context.ts'
import { SaslGate } from './sasl-gate.ts'
import { TenantConnections } from './tenant-connections.ts'

export interface TenancyOptions {
  readonly image: MetadataView
  readonly crypto: SaslCrypto
  readonly clock: Clock
  /** Passwords that are hashed at a time. */
  readonly loginsAtOnce?: number
  /** Who shares what connections take, and what is counted of each. */
  readonly shares: { readonly owners: Owners; readonly use: TenantUse }
}

export type Tenancy = Pick<
  FrontServices,
  'sessions' | 'authorizers' | 'userShapes' | 'crypto' | 'sasl' | 'tenantConnections'
>

export function makeTenancy(options: TenancyOptions, timers: TimerQueue): Tenancy {
  const { image, crypto, shares } = options
  const sessions = new Sessions(image)
  const userShapes = new UserShapes()
  const authorizers = new Authorizers(image)
  return {
    ...{ sessions, authorizers, userShapes, crypto },
    sasl: makeSaslGate(options, sessions, userShapes, timers),
    tenantConnections: new TenantConnections(
      image,
      sessions,
      shares,
      ({ session }) => (session as ConnectionState).session,
    ),
  }
}

/** Another image has taken the place of the one before. */
export function onWholeImage(
  { authorizers, userShapes, tenantConnections }: Tenancy,
  image: MetadataView,
): void {
  authorizers.onWholeImage()
  userShapes.lookAt(image)
  tenantConnections.onWholeImage()
}

/** Metadata has been applied. */
export function onEntries(
  { authorizers, userShapes, tenantConnections }: Tenancy,
  entries: readonly MetadataEntry[],
): void {
  authorizers.onEntries(entries)
  userShapes.onEntries(entries)
  tenantConnections.onEntries(entries)
}

/** What it makes up is made with the first login: what that needs takes time to load. */
function makeSaslGate(
  { crypto, clock, image, loginsAtOnce = 2 }: TenancyOptions,
  sessions: Sessions,
  userShapes: UserShapes,
  timers: TimerQueue,
): SaslGate {
  let madeUp: MadeUpCredentials | null = null
  return new SaslGate({
    ...{ sessions, crypto, clock, timers },
    madeUp: () => {
      // the same on all threads and after a restart, or what is made up would be known by its change
      madeUp ??= new MadeUpCredentials({
        crypto,
        secret: crypto.hash('sha256', Buffer.from(`made-up credentials of ${image.clusterId}`)),
        shapes: userShapes.all,
      })
      return madeUp
    },
    queue: new LoginQueue({ runningMax: loginsAtOnce }),
    delays: { ofSources: new LoginDelays(), ofUsers: new LoginDelays() },
  })
}
