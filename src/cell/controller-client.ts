import type { Clock } from '../base/clock.ts'
import { ErrorCode } from '../base/error-code.ts'
import type { TenantId } from '../base/ids.ts'
import type { Timer, TimerQueue } from '../base/timer-queue.ts'
import type { ControllerRequest, ControllerResponse } from '../image/request.ts'
import { NOT_CONTROLLER, type Refusal, refuse, refuseAll } from '../image/results.ts'
import type { ControlPort, PeerName } from '../link/ports.ts'

/** Called once. NOT_CONTROLLER: whether it was done is not known; REQUEST_TIMED_OUT: nor that, or nobody was there to do it. */
export type ControllerDone = (response: ControllerResponse) => void

export interface ControllerClientOptions {
  readonly control: ControlPort
  readonly clock: Clock
  readonly timers: TimerQueue
}

export interface ControllerRequestOptions {
  /** As the client asks for. */
  readonly timeoutMs?: number
  /** Done twice it does no harm, and whoever asks is answered the same: it is asked again where the first answer is lost. */
  readonly isRepeatable?: boolean
}

/** Requests that have no answer, held or sent. */
const WAITING_MAX = 10_000
const TIMEOUT_MS_MAX = 30_000
/** A client that would not wait at all finds an election within this. */
const TIMEOUT_MS_MIN = 1_000

interface Waiting {
  readonly tenantId: TenantId
  readonly request: ControllerRequest
  readonly done: ControllerDone
  readonly isRepeatable: boolean
  timer: Timer | null
}

const TIMED_OUT = refuse(ErrorCode.REQUEST_TIMED_OUT, 'The controller does not answer.')

/**
 * Asks the controller on behalf of tenants, wherever it is: that, and in which term, tell the metadata messages. While nobody is known to lead, requests are
 * held. On the front's thread.
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

  request(
    tenantId: TenantId,
    request: ControllerRequest,
    done: ControllerDone,
    { timeoutMs = TIMEOUT_MS_MAX, isRepeatable = false }: ControllerRequestOptions = {},
  ): void {
    if (this.outstanding >= WAITING_MAX) {
      done(refuseAll(request, TIMED_OUT))
      return
    }
    const isHarmless = isRepeatable || isAlwaysRepeatable(request)
    const waiting: Waiting = { tenantId, request, done, isRepeatable: isHarmless, timer: null }
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
    const isLost = response !== null && waiting.isRepeatable && isOfNoController(response)
    if (response !== null && !isLost) {
      this.#settle(waiting, response)
      return
    }
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
      if (waiting.isRepeatable) this.#held.add(waiting)
      else this.#refuse(waiting, NOT_CONTROLLER)
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

/** It changes nothing, or takes one more of what there is enough of. */
function isAlwaysRepeatable(request: ControllerRequest): boolean {
  if (request.kind === 'allocate-producer-ids' || request.kind === 'list-reassignments') return true
  return 'validateOnly' in request && request.validateOnly
}

/** Its term ended before this was committed. */
function isOfNoController(response: ControllerResponse): boolean {
  if ('error' in response) return response.error === ErrorCode.NOT_CONTROLLER
  if ('results' in response) return response.results[0]?.error === ErrorCode.NOT_CONTROLLER
  return response.topics[0]?.partitions[0]?.error === ErrorCode.NOT_CONTROLLER
}
