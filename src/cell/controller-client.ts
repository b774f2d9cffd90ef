import { invariant } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { ErrorCode } from '../base/error-code.ts'
import type { TenantId } from '../base/ids.ts'
import type { Timer, TimerQueue } from '../base/timer-queue.ts'
import type { ControllerRequest, ControllerResponse, ResponseTo } from '../image/request.ts'
import { type Refusal, refuse, refuseAll } from '../image/results.ts'
import type { ControlPort, PeerName } from '../link/ports.ts'

/** Called once. REQUEST_TIMED_OUT: whether it was done is not known, or nobody was there to do it. */
export type ControllerDone<Request extends ControllerRequest> = (
  response: ResponseTo<Request>,
) => void

export interface ControllerClientOptions {
  readonly control: ControlPort
  readonly clock: Clock
  readonly timers: TimerQueue
}

export interface ControllerRequestOptions {
  /** As the client asks for. */
  readonly timeoutMs?: number
}

/** Requests that have no answer, held or sent. */
const WAITING_MAX = 10_000
const TIMEOUT_MS_MAX = 30_000
/** A client that would not wait at all finds an election within this. */
const TIMEOUT_MS_MIN = 1_000

interface Waiting {
  readonly tenantId: TenantId
  request: ControllerRequest
  readonly done: (response: ControllerResponse) => void
  timer: Timer | null
}

const TIMED_OUT = refuse(ErrorCode.REQUEST_TIMED_OUT, 'The controller does not answer.')

/**
 * Asks the controller on behalf of tenants, wherever it is: that, and in which term, tell the metadata messages. While nobody is known to lead, requests are
 * held. What was asked of one that has gone without an answer is asked again of the next, as what may be done already, so that whoever asks sees a pause. On the
 * front's thread.
 */
export class ControllerClient {
  readonly #options: ControllerClientOptions
  /** By correlation. */
  readonly #sent = new Map<number, Waiting>()
  readonly #held = new Set<Waiting>()
  #peer: PeerName | null = null
  #epoch = 0
  #next = 1

  constructor(options: ControllerClientOptions) {
    this.#options = options
  }

  /** Requests that have no answer yet. */
  get outstanding(): number {
    return this.#sent.size + this.#held.size
  }

  /** Where the controller is; null while nobody is known to lead. */
  get peer(): PeerName | null {
    return this.#peer
  }

  request<Request extends ControllerRequest>(
    tenantId: TenantId,
    request: Request,
    done: ControllerDone<Request>,
    { timeoutMs = TIMEOUT_MS_MAX }: ControllerRequestOptions = {},
  ): void {
    const waiting: Waiting = {
      ...{ tenantId, request, timer: null },
      done(response) {
        invariant(response.kind === request.kind, 'a controller answers what it was asked')
        done(response as ResponseTo<Request>)
      },
    }
    if (this.outstanding >= WAITING_MAX) {
      this.#refuse(waiting, TIMED_OUT)
      return
    }
    const { clock, timers } = this.#options
    const bounded = Math.min(Math.max(timeoutMs, TIMEOUT_MS_MIN), TIMEOUT_MS_MAX)
    waiting.timer = timers.schedule(clock.monotonicMs() + bounded, () => this.#timedOut(waiting))
    if (this.#peer === null) this.#held.add(waiting)
    else this.#send(waiting, this.#peer)
  }

  /** Metadata has come from `peer`, which leads in `epoch`. */
  onController(peer: PeerName, epoch: number): void {
    if (epoch <= this.#epoch) return
    this.#epoch = epoch
    this.#lose()
    this.#peer = peer
    const held = [...this.#held]
    this.#held.clear()
    for (const waiting of held) this.#send(waiting, peer)
  }

  /** null: it leads no more, and has done nothing. */
  onResponse(correlation: number, response: ControllerResponse | null): void {
    const waiting = this.#sent.get(correlation)
    if (waiting === undefined) return
    this.#sent.delete(correlation)
    if (response !== null && !isOfNoController(response)) {
      this.#settle(waiting, response)
      return
    }
    if (response !== null) waiting.request = repeated(waiting.request)
    // until another has said that it leads
    this.#peer = null
    this.#held.add(waiting)
  }

  /** That thread has died. */
  markGone(peer: PeerName): void {
    if (peer !== this.#peer) return
    this.#peer = null
    this.#lose()
  }

  /** What the controller of until now was asked is not known to be done. */
  #lose(): void {
    const sent = [...this.#sent.values()]
    this.#sent.clear()
    for (const waiting of sent) {
      waiting.request = repeated(waiting.request)
      this.#held.add(waiting)
    }
  }

  #send(waiting: Waiting, peer: PeerName): void {
    const { tenantId, request } = waiting
    // another one each time: the answer to the first may come late
    const correlation = this.#next++
    this.#sent.set(correlation, waiting)
    this.#options.control.post(peer, { kind: 'controller-request', correlation, tenantId, request })
  }

  #timedOut(waiting: Waiting): void {
    waiting.timer = null
    this.#held.delete(waiting)
    for (const [correlation, one] of this.#sent) if (one === waiting) this.#sent.delete(correlation)
    this.#refuse(waiting, TIMED_OUT)
  }

  #refuse(waiting: Waiting, refusal: Refusal): void {
    this.#settle(waiting, refuseAll(waiting.request, refusal))
  }

  #settle(waiting: Waiting, response: ControllerResponse): void {
    if (waiting.timer !== null) this.#options.timers.cancel(waiting.timer)
    waiting.timer = null
    waiting.done(response)
  }
}

/** It may be done already. */
function repeated(request: ControllerRequest): ControllerRequest {
  if ('validateOnly' in request && request.validateOnly) return request
  switch (request.kind) {
    case 'delete-topics':
    case 'create-partitions':
    case 'alter-reassignments':
    case 'delete-tenant':
    case 'create-plan':
    case 'delete-plan':
    case 'revoke-key':
    case 'alter-users':
      return { ...request, isRepeat: true }
    default:
      return request
  }
}

/** Its term ended before this was committed: the next may have it all the same. */
function isOfNoController(response: ControllerResponse): boolean {
  if ('error' in response) return response.error === ErrorCode.NOT_CONTROLLER
  if ('results' in response) return response.results[0]?.error === ErrorCode.NOT_CONTROLLER
  return response.topics[0]?.partitions[0]?.error === ErrorCode.NOT_CONTROLLER
}
