/** Listeners of single tenants, opened while the engine runs, and what the server asks about tenants. On the Kafka front's thread. */
import { ErrorCode } from '../base/error-code.ts'
import type { TenantId } from '../base/ids.ts'
import type { FrontAgent } from '../front/front-agent.ts'
import type { MetadataView } from '../image/view.ts'
import type { ControlMessage, OperatorAnswer } from '../link/control.ts'
import { KafkaListener } from '../net/kafka-listener.ts'
import { accessOf } from './listeners.ts'
import type { EngineSettings } from './options.ts'

type Message<Kind extends ControlMessage['kind']> = Extract<ControlMessage, { kind: Kind }>

export interface TenantListenersOptions {
  readonly agent: FrontAgent
  readonly image: MetadataView
  readonly settings: EngineSettings
  readonly answer: (correlation: number, answer: OperatorAnswer) => void
  readonly kick: () => void
}

/** One for each tenant that was asked for; it goes with its tenant. */
export class TenantListeners {
  readonly #options: TenantListenersOptions
  readonly #listeners = new Map<TenantId, Promise<KafkaListener>>()
  /** Of the image, when listeners were looked at last. */
  #offset = 0

  constructor(options: TenantListenersOptions) {
    this.#options = options
  }

  onRequest({ correlation, tenantId, request }: Message<'operator-request'>): void {
    const { agent, answer, kick } = this.#options
    agent.services.controller.request(tenantId, request, (response) => {
      const { error, message } =
        'error' in response && 'message' in response ? response : UNKNOWN_ANSWER
      answer(correlation, { error, message, opened: null })
    })
    kick()
  }

  async onOpen({ correlation, name, host }: Message<'open-tenant'>): Promise<void> {
    const { image, answer } = this.#options
    const tenant = image.tenantByName(name)
    if (tenant === undefined) {
      const message = `there is no tenant '${name.slice(0, 100)}'`
      answer(correlation, { error: ErrorCode.RESOURCE_NOT_FOUND, message, opened: null })
      return
    }
    const { tenantId, clusterId } = tenant
    try {
      const { ports } = await this.#open(tenantId, host)
      answer(correlation, { error: 0, message: null, opened: { tenantId, clusterId, ports } })
    } catch (error) {
      const { message } = error as Error
      answer(correlation, { error: ErrorCode.UNKNOWN_SERVER_ERROR, message, opened: null })
    }
  }

  /** Metadata has come: those of tenants that are gone accept nobody any more. */
  prune(): void {
    const { offset } = this.#options.image
    if (offset === this.#offset) return
    this.#offset = offset
    for (const [tenantId, listener] of this.#listeners) {
      if (this.#options.image.tenant(tenantId) !== undefined) continue
      this.#listeners.delete(tenantId)
      void listener.then((one) => this.#options.agent.dropListener(one))
    }
  }

  #open(tenantId: TenantId, host: string): Promise<KafkaListener> {
    const known = this.#listeners.get(tenantId)
    if (known !== undefined) return known
    const opening = this.#listen(tenantId, host)
    this.#listeners.set(tenantId, opening)
    opening.catch(() => this.#listeners.delete(tenantId))
    return opening
  }

  async #listen(tenantId: TenantId, host: string): Promise<KafkaListener> {
    const { agent, settings } = this.#options
    const listener = await KafkaListener.listen(
      {
        ...{ optionName: 'the listener of a tenant', host, port: 0, nodes: settings.brokers },
        ...{ advertisedHost: null, advertisedPort: null },
        ...{ tenantId, ...accessOf({ host }, settings), trustsAnonymous: true },
      },
      agent.connections,
    )
    agent.addListener(listener)
    return listener
  }
}

const UNKNOWN_ANSWER = {
  error: ErrorCode.UNKNOWN_SERVER_ERROR,
  message: 'the controller has answered something else',
}
