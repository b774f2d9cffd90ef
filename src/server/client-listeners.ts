/** Where clients of a tenant come in, for who is to tell them. On the HTTP front's thread. */
import type { ClientListener } from '../admin/listener-routes.ts'
import type { ControlMessage, LiveSettings } from '../link/control.ts'
import { formatHostPort, localHostOf } from '../net/address.ts'
import { accessOf, advertisedOf, clientAuthOf, type KafkaListen } from './listeners.ts'
import type { EngineSettings } from './options.ts'

export class ClientListeners {
  readonly #settings: EngineSettings
  #advertised: LiveSettings['advertised']
  /** Of each listener; null: they are not open yet. */
  #ports: readonly (readonly number[])[] | null = null

  constructor(settings: EngineSettings) {
    this.#settings = settings
    this.#advertised = advertisedOf(settings)
  }

  /** All else is left alone. */
  onMessage(message: ControlMessage): void {
    if (message.kind === 'listening') this.#ports = message.ports
    if (message.kind === 'settings') this.#advertised = message.settings.advertised
  }

  /** Those that clients of the tenant `name` may use: its own first, and of those that are alike the ones with TLS. null: none is open yet. */
  of(name: string): readonly ClientListener[] | null {
    const ports = this.#ports
    if (ports === null) return null
    return this.#settings.kafkaListen
      .flatMap((listen, index) => {
        const isOthers = listen.tenant !== undefined && listen.tenant !== name
        return isOthers ? [] : [this.#describe(listen, index, ports[index]!, name)]
      })
      .sort(
        (a, b) =>
          Number(b.sasl) - Number(a.sasl) ||
          Number(b.isOwn) - Number(a.isOwn) ||
          Number(b.tls) - Number(a.tls),
      )
  }

  #describe(
    listen: KafkaListen,
    index: number,
    ports: readonly number[],
    name: string,
  ): ClientListener {
    const { tlsSniDomain } = this.#settings
    const tls = listen.tls === true
    const { allowsAnonymous, allowsSasl } = accessOf(listen, this.#settings)
    const told = this.#advertised[index] ?? null
    // by its own name it is known before it has logged in
    const sniHost = tls && tlsSniDomain !== null ? `${name}.${tlsSniDomain}` : null
    const host = sniHost ?? told?.host ?? localHostOf(listen.host)
    const first = told?.port ?? null
    return {
      brokers: ports.map((port, node) =>
        formatHostPort({ host, port: first === null ? port : first + node }),
      ),
      ...{ tls, sasl: allowsSasl, anonymous: allowsAnonymous },
      clientCertificate: clientAuthOf(listen, this.#settings),
      isOwn: listen.tenant === name || sniHost !== null,
    }
  }
}
