/** TLS of the Kafka front: its files, its handshakes, and whom certificates of clients stand for. On the Kafka front's thread. */
import type { Logger } from '../base/log.ts'
import type { ConnectionSet } from '../net/connection-set.ts'
import type { ClientAuth } from '../net/listener-info.ts'
import { TlsAcceptor } from '../net/tls-acceptor.ts'
import { subjectOf } from '../tenant/distinguished-name.ts'
import { PrincipalRules } from '../tenant/principal-rules.ts'
import { clientAuthOf } from './listeners.ts'
import type { EngineSettings } from './options.ts'
import { TlsFiles } from './tls-files.ts'

export interface KafkaTlsOptions {
  readonly settings: EngineSettings
  readonly set: ConnectionSet
  readonly logger: Logger
  readonly onExpiry: (expiresAtMs: number) => void
  readonly onState: (reason: string | null) => void
  readonly nowMs: () => number
}

export class KafkaTls {
  /** One for each way in which certificates of clients are asked for: Node asks by the server, not by the connection. */
  readonly #acceptors: ReadonlyMap<ClientAuth, TlsAcceptor>
  readonly #files: TlsFiles

  private constructor(acceptors: ReadonlyMap<ClientAuth, TlsAcceptor>, files: TlsFiles) {
    this.#acceptors = acceptors
    this.#files = files
  }

  /** Throws a TlsFileError where the files are not fit. */
  static async open(options: KafkaTlsOptions): Promise<KafkaTls> {
    const { settings, set, logger, onExpiry, onState, nowMs } = options
    const acceptors = new Map<ClientAuth, TlsAcceptor>()
    const files: TlsFiles = new TlsFiles({
      ...{ settings, logger, onExpiry, onState, nowMs },
      onMaterial: (read) => {
        for (const acceptor of acceptors.values()) acceptor.setMaterial(read)
        material = read
      },
    })
    const rules = new PrincipalRules(settings.tlsPrincipalMapping)
    let material = await files.start()
    for (const listen of settings.kafkaListen) {
      const clientAuth = clientAuthOf(listen, settings)
      if (listen.tls !== true || acceptors.has(clientAuth)) continue
      const principal = (certificate: Uint8Array) => principalOf(rules, certificate)
      const first = material
      const acceptor = await TlsAcceptor.create({
        ...{ set, material: first, clientAuth, principalOf: principal },
      })
      // read again meanwhile
      if (material !== first) acceptor.setMaterial(material)
      acceptors.set(clientAuth, acceptor)
    }
    return new KafkaTls(acceptors, files)
  }

  /** Of a listener that speaks TLS. */
  acceptorOf(clientAuth: ClientAuth): TlsAcceptor {
    return this.#acceptors.get(clientAuth)!
  }

  readAgain(): void {
    void this.#files.readAgain()
  }

  close(): void {
    this.#files.stop()
    for (const acceptor of this.#acceptors.values()) acceptor.close()
  }
}

function principalOf(rules: PrincipalRules, certificate: Uint8Array): string {
  const subject = subjectOf(certificate)
  const name = rules.nameOf(subject)
  if (name !== null && name !== '') return `User:${name}`
  throw new Error(`no rule of --tls-principal-mapping names anybody for ${subject}`)
}
