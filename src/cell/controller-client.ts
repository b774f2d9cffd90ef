import type { TenantId } from '../base/ids.ts'
import type { ControllerRequest, ControllerResponse } from '../image/request.ts'
import type { ControlPort, PeerName } from '../link/ports.ts'

/** Null: the controller is gone, and whether it did what was asked is not known. */
export type ControllerDone = (response: ControllerResponse | null) => void

/** Asks the controller on behalf of tenants, from the front's thread. */
export class ControllerClient {
  readonly #control: ControlPort
  readonly #peer: PeerName
  readonly #waiting = new Map<number, ControllerDone>()
  #next = 1
  #alive = true

  constructor(control: ControlPort, peer: PeerName) {
    this.#control = control
    this.#peer = peer
  }

  /** Requests that have no answer yet. */
  get outstanding(): number {
    return this.#waiting.size
  }

  request(tenantId: TenantId, request: ControllerRequest, done: ControllerDone): void {
    if (!this.#alive) {
      done(null)
      return
    }
    const correlation = this.#next++
    this.#waiting.set(correlation, done)
    this.#control.post(this.#peer, { kind: 'controller-request', correlation, tenantId, request })
  }

  onResponse(correlation: number, response: ControllerResponse): void {
    const done = this.#waiting.get(correlation)
    this.#waiting.delete(correlation)
    done?.(response)
  }

  /** Another thread runs it now. */
  markBack(): void {
    this.#alive = true
  }

  /** The thread that the controller runs on has died. */
  markGone(): void {
    this.#alive = false
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const done of waiting) done(null)
  }
}
