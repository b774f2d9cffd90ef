import { ErrorCode } from '../base/error-code.ts'
import type { TenantId } from '../base/ids.ts'
import type { ControllerClient } from '../cell/controller-client.ts'

/** Ids asked of the controller at a time, as Kafka's brokers do. */
const BLOCK = 1000

/** `error` is NONE, or why there is no id. */
export type ProducerIdDone = (error: number, producerId: number) => void

interface Block {
  next: number
  end: number
  waiting: ProducerIdDone[]
}

/** Hands out producer ids from blocks that the controller gives, each tenant's apart. Belongs to the front's thread. */
export class ProducerIds {
  readonly #controller: ControllerClient
  readonly #blocks = new Map<TenantId, Block>()

  constructor(controller: ControllerClient) {
    this.#controller = controller
  }

  next(tenantId: TenantId, done: ProducerIdDone): void {
    let block = this.#blocks.get(tenantId)
    if (block === undefined) {
      block = { next: 0, end: 0, waiting: [] }
      this.#blocks.set(tenantId, block)
    }
    if (block.next < block.end) {
      done(ErrorCode.NONE, block.next++)
      return
    }
    block.waiting.push(done)
    if (block.waiting.length === 1) this.#allocate(tenantId, block)
  }

  /** Who waits is answered all the same. */
  forgetTenants(isGone: (tenantId: TenantId) => boolean): void {
    for (const tenantId of this.#blocks.keys()) if (isGone(tenantId)) this.#blocks.delete(tenantId)
  }

  #allocate(tenantId: TenantId, block: Block): void {
    this.#controller.request(
      tenantId,
      { kind: 'allocate-producer-ids', count: BLOCK },
      (answer) => {
        const waiting = block.waiting
        block.waiting = []
        if (answer.error !== ErrorCode.NONE) {
          // nobody leads the controllers for now: clients know this one, and ask again
          const isGone = answer.error === ErrorCode.REQUEST_TIMED_OUT
          const error = isGone ? ErrorCode.COORDINATOR_NOT_AVAILABLE : answer.error
          for (const done of waiting) done(error, -1)
          return
        }
        block.next = answer.first
        block.end = answer.first + answer.count
        // More may have asked than a block holds.
        for (const done of waiting) this.next(tenantId, done)
      },
    )
  }
}
