/** How connections authenticate: SaslHandshake and SaslAuthenticate, and tokens without a header as after a handshake of version 0. On the front's thread. */
import type { Clock } from '../base/clock.ts'
import { ErrorCode } from '../base/error-code.ts'
import type { TenantId } from '../base/ids.ts'
import type { TimerQueue } from '../base/timer-queue.ts'
import { brokerConfigNumber } from '../image/broker-config.ts'
import type { ReplySlot } from '../net/reply-slot.ts'
import type { saslHandshake } from '../protocol/17-sasl-handshake.ts'
import type { saslAuthenticate } from '../protocol/36-sasl-authenticate.ts'
import type { LoginDelays } from '../tenant/login-delays.ts'
import type { LoginQueue } from '../tenant/login-queue.ts'
import type { MadeUpCredentials } from '../tenant/made-up-credentials.ts'
import type { SaslCrypto } from '../tenant/sasl-crypto.ts'
import {
  claimedUsername,
  SASL_MECHANISMS,
  SaslExchange,
  type SaslMechanism,
  type SaslResult,
} from '../tenant/sasl-exchange.ts'
import type { Session, Sessions } from '../tenant/session.ts'
import { storedCredential } from '../tenant/stored-credential.ts'
import type { ConnectionState, FrontServices, OpenRequest, RequestContext } from './context.ts'
import { sourceOf } from './login-source-of.ts'
import { loginMs } from './work-elsewhere.ts'

/** One authentication that is under way on a connection. */
export interface SaslProgress {
  readonly mechanism: SaslMechanism
  readonly exchange: SaslExchange<Session>
  /** Tokens come in frames of their own, without headers: the handshake was of version 0. */
  readonly isRaw: boolean
  /** A token is being looked at, or waits for that. */
  isBusy: boolean
  hasBegun: boolean
  /** Its address and whom it claims to be; null: it has not begun, or claims nothing. */
  claim: string | null
  /** Monotonic milliseconds: where others have failed before, it is not told earlier that it has. */
  failsFromMs: number
  /** Whose login it claims to be; null: nobody's that there is. */
  tenantId: TenantId | null
}

export interface SaslGateOptions {
  readonly sessions: Sessions
  readonly crypto: SaslCrypto
  readonly madeUp: () => MadeUpCredentials
  readonly queue: LoginQueue
  readonly delays: {
    /** By address. */
    readonly ofSources: LoginDelays
    /** By address and user. */
    readonly ofUsers: LoginDelays
  }
  readonly clock: Clock
  readonly timers: TimerQueue
}

/** What a token has led to; null: the connection ends without an answer. */
type Answer =
  | {
      readonly kind: 'token'
      readonly token: Uint8Array
      readonly lifetimeMs: number
      /** The connection ends with it. */
      readonly isLast: boolean
    }
  | { readonly kind: 'refused'; readonly message: string }
  | null

export class SaslGate {
  readonly #options: SaslGateOptions

  constructor(options: SaslGateOptions) {
    this.#options = options
  }

  handshake(mechanism: string, context: RequestContext<typeof saslHandshake>): void {
    const { state, slot, version } = context
    const { login } = state.session
    if (state.phase === 'known' && (login === null || login.kind === 'certificate')) {
      context.reply({ errorCode: ErrorCode.ILLEGAL_SASL_STATE, mechanisms: [] })
      return
    }
    if (!slot.connection.listener.allowsSasl) {
      // before a password is sent; SCRAM sends none, but its login can be taken over and guessed at as well
      slot.connection.logRefused('login refused', { mechanism, reason: IN_THE_CLEAR })
      context.reply({ errorCode: ErrorCode.UNSUPPORTED_SASL_MECHANISM, mechanisms: [] })
      slot.connection.finish()
      return
    }
    const mechanisms = [...SASL_MECHANISMS]
    if (!(mechanisms as string[]).includes(mechanism)) {
      context.reply({ errorCode: ErrorCode.UNSUPPORTED_SASL_MECHANISM, mechanisms })
      slot.connection.finish()
      return
    }
    if (state.sasl?.isBusy) {
      slot.closeConnection('it began to log in anew before its token was answered')
      return
    }
    state.sasl?.exchange.close()
    if (state.phase === 'new') state.phase = 'sasl'
    if (state.phase === 'sasl') context.services.logins.begin(slot.connection)
    state.sasl = this.#begin(mechanism as SaslMechanism, slot, version === 0)
    context.reply({ errorCode: ErrorCode.NONE, mechanisms })
  }

  authenticate(token: Uint8Array, context: RequestContext<typeof saslAuthenticate>): void {
    const { state, slot } = context
    if (state.sasl === null || state.sasl.isRaw) {
      const errorMessage =
        state.phase === 'known'
          ? 'SaslAuthenticate request received after successful authentication'
          : 'SaslAuthenticate request received before a SaslHandshake'
      const errorCode = ErrorCode.ILLEGAL_SASL_STATE
      context.reply({ errorCode, errorMessage, authBytes: new Uint8Array(0), sessionLifetimeMs: 0 })
      return
    }
    this.#evaluate(context.services, state, slot, token, (answer) => {
      if (answer === null) {
        context.fail(ErrorCode.SASL_AUTHENTICATION_FAILED, 'its login could not be looked at')
        return
      }
      if (answer.kind === 'token') {
        context.reply({
          ...{ errorCode: ErrorCode.NONE, errorMessage: null },
          ...{ authBytes: answer.token, sessionLifetimeMs: answer.lifetimeMs },
        })
        if (answer.isLast) slot.connection.finish()
        return
      }
      context.reply({
        ...{ errorCode: ErrorCode.SASL_AUTHENTICATION_FAILED, errorMessage: answer.message },
        ...{ authBytes: new Uint8Array(0), sessionLifetimeMs: 0 },
      })
      slot.connection.finish()
    })
  }

  /** A frame that is a token and nothing else. */
  rawToken(
    services: FrontServices,
    state: ConnectionState,
    slot: ReplySlot,
    token: Uint8Array,
  ): void {
    this.#evaluate(services, state, slot, token, (answer) => {
      if (answer?.kind !== 'token') {
        slot.closeConnection('its login failed')
        return
      }
      const bytes = Buffer.alloc(4 + answer.token.length)
      bytes.writeInt32BE(answer.token.length)
      bytes.set(answer.token, 4)
      slot.send({ chunks: [bytes], byteLength: bytes.length })
      if (answer.isLast) slot.connection.finish()
    })
  }

  #begin(mechanism: SaslMechanism, { connection }: ReplySlot, isRaw: boolean): SaslProgress {
    const { crypto, madeUp, queue, sessions } = this.#options
    // who does not exist looks the same at both addresses of a tenant, as its users do
    const wholeName = (username: string) =>
      sessions.wholeName(username, connection.listener.tenantId)
    const exchange: SaslExchange<Session> = new SaslExchange({
      ...{ mechanism, crypto, queue, source: sourceOf(connection.remoteAddress) },
      madeUp: { of: (one, username) => madeUp().of(one, wholeName(username)) },
      lookup: (_mechanism, username) => {
        const found = sessions.find(username, connection.listener.tenantId)
        if (found === undefined) return undefined
        if (found.kind === 'barred') {
          progress.tenantId = found.tenantId
          return found.reason
        }
        progress.tenantId = found.session.tenantId
        return { credentials: found.secrets.map(storedCredential), identity: found.session }
      },
    })
    const progress: SaslProgress = {
      ...{ mechanism, exchange, isRaw, isBusy: false, hasBegun: false, tenantId: null },
      ...{ claim: null, failsFromMs: 0 },
    }
    return progress
  }

  /**
   * Where logins as the same user have failed, from the same address, the first token waits before it is looked at; where others have
   * failed there, only the news that this one has failed does, or one broken client would hold up all that share its address.
   */
  #evaluate(
    services: FrontServices,
    state: ConnectionState,
    slot: ReplySlot,
    token: Uint8Array,
    onAnswer: (answer: Answer) => void,
  ): void {
    const progress = state.sasl!
    if (progress.isBusy) {
      slot.closeConnection('it sent a token before the one before was answered')
      return
    }
    const { clock, timers } = this.#options
    const nowMs = clock.monotonicMs()
    const waitMs = progress.hasBegun ? 0 : this.#delay(progress, slot, token, nowMs)
    progress.isBusy = progress.hasBegun = true
    const open: OpenRequest = {
      onConnectionClosed: () => progress.exchange.close(),
      answerNow: () => {},
    }
    state.open.add(open)
    const look = () => {
      if (slot.connection.closed) return
      services.elsewhere(slot.connection, loginMs(progress.mechanism))
      progress.exchange.evaluate(token, (result) => {
        if (slot.connection.closed) return
        const answer = this.#conclude(services, state, slot, progress, result)
        const tell = () => {
          if (slot.connection.closed) return
          state.open.delete(open)
          progress.isBusy = false
          if (result.kind !== 'challenge') state.sasl = null
          onAnswer(answer)
          services.afterCallback()
        }
        if (isFailure(result) && progress.failsFromMs > clock.monotonicMs()) {
          timers.schedule(progress.failsFromMs, tell)
        } else tell()
      })
    }
    if (waitMs > 0) timers.schedule(nowMs + waitMs, look)
    else look()
  }

  /** Milliseconds until the first token is looked at. The same for users that exist and others. */
  #delay(
    progress: SaslProgress,
    { connection }: ReplySlot,
    token: Uint8Array,
    nowMs: number,
  ): number {
    const { delays, sessions } = this.#options
    const source = sourceOf(connection.remoteAddress)
    progress.failsFromMs = nowMs + delays.ofSources.waitMs(source, nowMs)
    const username = claimedUsername(progress.mechanism, token)
    if (username === null) return 0
    // names have no NUL
    progress.claim = `${source}\0${sessions.wholeName(username, connection.listener.tenantId)}`
    return delays.ofUsers.waitMs(progress.claim, nowMs)
  }

  #failed({ claim, failsFromMs }: SaslProgress, remoteAddress: string): void {
    const { clock, delays } = this.#options
    const atMs = Math.max(clock.monotonicMs(), failsFromMs)
    delays.ofSources.failed(sourceOf(remoteAddress), atMs)
    if (claim !== null) delays.ofUsers.failed(claim, atMs)
  }

  #conclude(
    services: FrontServices,
    state: ConnectionState,
    { connection }: ReplySlot,
    progress: SaslProgress,
    result: SaslResult<Session>,
  ): Answer {
    if (result.kind === 'challenge') {
      return { kind: 'token', token: result.token, lifetimeMs: 0, isLast: false }
    }
    const { tenantId } = progress
    if (result.kind === 'refused') {
      const { cause, message, reason } = result
      logRefused(services, connection, progress, reason)
      if (cause === 'unavailable') return null
      if (tenantId !== null) services.tenantConnections.refused(connection, tenantId)
      this.#failed(progress, connection.remoteAddress)
      return { kind: 'refused', message }
    }
    const lifetimeMs = lifetimeOf(services)
    const refusal = this.#become(services, state, connection, result.identity, lifetimeMs)
    if (refusal !== null) {
      const { reason, isPassing } = refusal
      logRefused(services, connection, progress, reason)
      if (!isPassing) return { kind: 'refused', message: reason }
    }
    return { kind: 'token', token: result.token, lifetimeMs, isLast: refusal !== null }
  }

  #become(
    services: FrontServices,
    state: ConnectionState,
    connection: ReplySlot['connection'],
    session: Session,
    lifetimeMs: number,
  ): { readonly reason: string; readonly isPassing: boolean } | null {
    const before = state.session
    const isAgain = state.phase === 'known'
    if (
      isAgain &&
      (before.tenantId !== session.tenantId || before.principal !== session.principal)
    ) {
      const reason = 'Cannot change principals during re-authentication'
      return { reason, isPassing: false }
    }
    const refusal = services.tenantConnections.join(connection, session.tenantId, 0)
    // a failed login is final for clients, and so is, for kafkajs, one without an answer; after a connection that is closed once it has logged in all of them come again
    if (refusal !== null) return { reason: refusal, isPassing: true }
    const expiresAtMs =
      lifetimeMs > 0 ? this.#options.clock.monotonicMs() + lifetimeMs : Number.POSITIVE_INFINITY
    state.session = { ...session, expiresAtMs }
    state.rights = null
    state.counts = services.counters.ofTenant(session.tenantId)
    state.phase = 'known'
    services.logins.end(connection)
    return null
  }
}

/** Not where the server could not look: that connection ends at once. */
const isFailure = (result: SaslResult<Session>): boolean =>
  result.kind === 'refused' && result.cause !== 'unavailable'

/** With the tenant whose user it claims to be, if there is such a one. */
function logRefused(
  { image }: FrontServices,
  connection: ReplySlot['connection'],
  { mechanism, tenantId }: SaslProgress,
  reason: string,
): void {
  const tenant = tenantId === null ? undefined : image.tenant(tenantId)?.name
  const fields = tenant === undefined ? { mechanism } : { mechanism, tenant }
  connection.logRefused('login refused', { ...fields, reason })
}

const IN_THE_CLEAR =
  'without TLS others could read it on its way here: listen with TLS, or take the risk with --kafka-allow-plaintext-sasl'

/** `connections.max.reauth.ms`; 0: a login holds as long as its connection. */
const lifetimeOf = ({ settings }: FrontServices): number =>
  brokerConfigNumber('connections.max.reauth.ms', settings.brokerConfigs)
