import { FrontCounter } from '../link/counters.ts'
import type { KafkaConnection } from '../net/connection.ts'
import type { RequestSink } from '../net/connection-set.ts'
import type { ReplySlot } from '../net/reply-slot.ts'
import { fetch } from '../protocol/01-fetch.ts'
import { saslHandshake } from '../protocol/17-sasl-handshake.ts'
import { apiVersions } from '../protocol/18-api-versions.ts'
import { saslAuthenticate } from '../protocol/36-sasl-authenticate.ts'
import type { Api } from '../protocol/api.ts'
import { decodeRequest, elementsDecoded, encodeResponse } from '../protocol/codec.ts'
import { decodeRequestHeader, type RequestHeader } from '../protocol/header.ts'
import { WireFormatError } from '../protocol/wire-format-error.ts'
import type { Admission } from '../tenant/admission.ts'
import { NOBODY } from '../tenant/session.ts'
import { unsupportedVersionBody } from './18-api-versions.ts'
import {
  type AnyHandler,
  type ConnectionState,
  type FrontServices,
  RequestContext,
} from './context.ts'
import { handlerTable } from './handlers.ts'

/** Of a connection that is full, so many requests are answered in a turn. */
const FULL_PER_TURN = 256

const SASL_APIS: ReadonlySet<number> = new Set([saslHandshake.key, saslAuthenticate.key])
/** What tells nothing of any tenant. */
const BEFORE_LOGIN: ReadonlySet<number> = new Set([apiVersions.key, ...SASL_APIS])

export interface RouterOptions {
  readonly services: FrontServices
  readonly admission: Admission
  /** The frames of an event have been handled. */
  readonly onReadEnd: () => void
}

/** Decodes requests, checks who asks, and hands them to the handler of their API. On the front's thread. */
export class RequestRouter implements RequestSink {
  readonly #options: RouterOptions
  readonly #handlers: readonly (AnyHandler | undefined)[] = handlerTable()

  constructor(options: RouterOptions) {
    this.#options = options
  }

  /** Who comes in at a tenant's own listener is its client, though it may have to prove it. */
  onOpen(connection: KafkaConnection): void {
    const { tenantId, allowsAnonymous } = connection.listener
    const { tenantConnections, logins } = this.#options.services
    if (tenantId !== null) connection.owner = tenantConnections.ownerOf(tenantId)
    if (!allowsAnonymous) logins.begin(connection)
  }

  onReadEnd(): void {
    this.#options.onReadEnd()
  }

  onDrained(connection: KafkaConnection): void {
    this.#options.services.replyGate.onDrained(connection)
  }

  onFull(connection: KafkaConnection): boolean {
    const state = connection.session as ConnectionState | null
    if (state === null) return false
    // Each once: what cannot be answered yet will be without waiting when it can.
    state.relieving ??= state.open.values()
    for (let left = FULL_PER_TURN; left > 0; left--) {
      const { done, value } = state.relieving.next()
      if (done === true) {
        state.relieving = null
        return false
      }
      value.answerNow()
    }
    return true
  }

  onEnd(connection: KafkaConnection): void {
    const state = connection.session as ConnectionState | null
    if (state === null) return
    for (const request of [...state.open]) request.answerNow()
  }

  onClose(connection: KafkaConnection): void {
    this.#options.services.logins.end(connection)
    const state = connection.session as ConnectionState | null
    if (state === null) return
    for (const request of [...state.open]) request.onConnectionClosed()
    state.reading?.close()
    this.#options.services.tenantConnections.leave(connection, state.session.tenantId)
    this.#options.services.replyGate.onClosed(connection)
  }

  onFrame(connection: KafkaConnection, slot: ReplySlot, frame: Uint8Array): void {
    try {
      this.#route(connection, slot, frame)
    } catch (error) {
      if (error instanceof WireFormatError) {
        this.#refuse(slot, FrontCounter.FRAMES_MALFORMED, error.message)
      } else this.#onBug(slot, error)
    }
  }

  #route(connection: KafkaConnection, slot: ReplySlot, frame: Uint8Array): void {
    const state = this.#stateOf(connection)
    const { services, admission } = this.#options
    if (state.sasl?.isRaw) {
      services.sasl.rawToken(services, state, slot, frame)
      return
    }
    const header = decodeRequestHeader(frame)
    const { api, apiVersion, apiKey } = header
    const handler = this.#handlers[apiKey]
    if (api === undefined || handler === undefined) {
      this.#refuse(slot, FrontCounter.FRAMES_UNSUPPORTED, `API ${apiKey} is not served`)
      return
    }
    if (!api.isValid(apiVersion)) {
      if (api.key === apiVersions.key) refuseApiVersions(slot, header)
      else {
        const reason = `${api.name} version ${apiVersion} is not served`
        this.#refuse(slot, FrontCounter.FRAMES_UNSUPPORTED, reason)
      }
      return
    }
    const refusal =
      this.#refuseAsker(connection, state, api, frame.length) ??
      admission.admit(state.session, api, apiVersion, frame.length)
    if (refusal !== null) {
      this.#refuse(slot, FrontCounter.FRAMES_REFUSED, refusal)
      return
    }
    const request = decodeRequest(api, apiVersion, frame, header.bodyOffset)
    services.heavy.onDecoded(slot, elementsDecoded(api, apiVersion), api.key === fetch.key)
    const context = new RequestContext(services, state, slot, api, header, frame.length)
    handler.handle(request, context, frame)
  }

  #stateOf(connection: KafkaConnection): ConnectionState {
    if (connection.session !== null) return connection.session as ConnectionState
    const state: ConnectionState = {
      session: NOBODY,
      rights: null,
      phase: 'new',
      sasl: null,
      counts: this.#options.services.counters.ofTenant(NOBODY.tenantId),
      open: new Set(),
      relieving: null,
      reading: null,
      slowLanes: null,
    }
    connection.session = state
    return state
  }

  /** Why the connection may not ask this, or null: the first that asks for anything else than how to authenticate is its certificate's, or anonymous. */
  #refuseAsker(
    connection: KafkaConnection,
    state: ConnectionState,
    api: Api,
    bytes: number,
  ): string | null {
    const { services } = this.#options
    if (state.phase === 'known') {
      const { expiresAtMs } = state.session
      if (expiresAtMs === Number.POSITIVE_INFINITY || SASL_APIS.has(api.key)) return null
      if (services.clock.monotonicMs() < expiresAtMs) return null
      return 'its login has expired, and it has not authenticated again (connections.max.reauth.ms)'
    }
    if (BEFORE_LOGIN.has(api.key)) return null
    if (state.phase === 'sasl') return `it asked for ${api.name} before it had authenticated`
    const { allowsAnonymous, allowsSasl, tenantId, principal, trustsAnonymous } =
      connection.listener
    if (!allowsAnonymous && principal === null) {
      const todo = allowsSasl ? 'log in by SASL' : 'listen with TLS, and log in'
      return `it asked for ${api.name} without logging in, and anonymous access is off here: ${todo}, or set --kafka-anonymous on`
    }
    const { sessions } = services
    const session =
      principal === null
        ? sessions.anonymous(tenantId, trustsAnonymous)
        : sessions.certified(tenantId, principal)
    if (typeof session === 'string') return session
    const refusal = services.tenantConnections.join(connection, session.tenantId, bytes)
    if (refusal !== null) return refusal
    state.session = session
    state.rights = null
    state.counts = services.counters.ofTenant(session.tenantId)
    state.phase = 'known'
    return null
  }

  #refuse(slot: ReplySlot, counter: number, reason: string): void {
    this.#options.services.counters.own[counter]!++
    slot.closeConnection(reason)
  }

  /** A handler threw: a bug of ours. The client loses its connection, everybody else goes on. */
  #onBug(slot: ReplySlot, error: unknown): void {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#options.services.logger.log('error', 'a request handler failed', { error: message })
    if (slot.ready) slot.connection.close()
    else slot.closeConnection('its request could not be handled')
  }
}

/** KIP-511: the client cannot know yet what it may send, so the answer is in the oldest format. */
function refuseApiVersions(slot: ReplySlot, header: RequestHeader): void {
  slot.send(encodeResponse(apiVersions, 0, header.correlationId, unsupportedVersionBody()))
}
