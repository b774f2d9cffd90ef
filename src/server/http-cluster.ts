/** What the HTTP front's thread knows of the cluster, one image for all that it answers, and how it asks for changes. */
import type { Clock } from '../base/clock.ts'
import { asBrokerId, asCellId, type BrokerId, type TenantId } from '../base/ids.ts'
import { TimerQueue } from '../base/timer-queue.ts'
import { ControllerClient } from '../cell/controller-client.ts'
import { applyMetadata } from '../image/apply-metadata.ts'
import { MetadataImage } from '../image/image.ts'
import type { ControllerRequest, ResponseTo } from '../image/request.ts'
import type { ConfigValues } from '../image/topic-config.ts'
import type { LeadersMessage } from '../link/control.ts'
import { brokerPeer, type ControlEnvelope, type ControlPort } from '../link/ports.ts'
import { ToldHoldings } from '../link/tenant-holdings.ts'
import { HeapTrim } from './heap-trim.ts'

export interface HttpClusterOptions {
  readonly brokerConfigs: ConfigValues
  readonly control: ControlPort
  readonly clock: Clock
  /** Asks for a turn: a timer may be sooner than the thread knows. */
  readonly kick: () => void
}

/** Shorter than commands wait for an answer, and longer than it takes to elect a controller. */
const CONTROLLER_TIMEOUT_MS = 5_000

export class HttpCluster {
  /** Committed changes are in it before their answers come. */
  readonly image: MetadataImage
  /** What tenants hold, as brokers have told. */
  readonly holdings: ToldHoldings
  readonly #timers = new TimerQueue()
  readonly #controller: ControllerClient
  readonly #kick: () => void
  readonly #trim: HeapTrim

  constructor({ brokerConfigs, control, clock, kick }: HttpClusterOptions) {
    const image = new MetadataImage(brokerConfigs)
    this.image = image
    this.holdings = new ToldHoldings((tenantId) => image.tenant(tenantId) !== undefined)
    this.#controller = new ControllerClient({ control, clock, timers: this.#timers })
    this.#kick = kick
    this.#trim = new HeapTrim(this)
  }

  get nextTimerAtMs(): number {
    return Math.min(this.#timers.nextAtMs, this.#trim.nextTimerAtMs)
  }

  doWork(nowMs: number): number {
    return this.#timers.fireDue(nowMs) + this.#trim.doWork(nowMs)
  }

  /** Resolves with REQUEST_TIMED_OUT where nobody answers in time. */
  ask<Request extends ControllerRequest>(
    tenantId: TenantId,
    request: Request,
  ): Promise<ResponseTo<Request>> {
    return new Promise((resolve) => {
      this.#controller.request(tenantId, request, resolve, { timeoutMs: CONTROLLER_TIMEOUT_MS })
      this.#kick()
    })
  }

  /** Takes what is told of the cluster; all else is left alone. */
  onMessage({ from, message }: ControlEnvelope): void {
    switch (message.kind) {
      case 'metadata':
        // what comes from one that leads no more is ignored
        if (!applyMetadata(this.image, message, () => this.holdings.prune())) return
        this.holdings.onEntries(message.entries)
        this.#controller.onController(from, message.epoch)
        return
      case 'tenant-holdings':
        this.holdings.onTold(message)
        return
      case 'controller-response':
        this.#controller.onResponse(message.correlation, message.response)
        return
      case 'leaders':
        this.#noteLeaders(message)
        return
      case 'broker-gone':
        this.#controller.markGone(
          brokerPeer(asCellId(message.cellId), asBrokerId(message.brokerId)),
        )
        return
    }
  }

  #noteLeaders({ leaders }: LeadersMessage): void {
    for (const { partition, leader, leaderEpoch, isr, isLost } of leaders) {
      const told = { leader: leader as BrokerId, leaderEpoch, isr: isr as BrokerId[], isLost }
      this.image.noteLeader(partition, told)
    }
  }
}
