/** TLS of the Kafka front: its files, its handshakes, and whom certificates of clients stand for. On the Kafka front's thread. */
import type { Logger } from '../base/log.ts'
import type { ConnectionSet } from '../net/connection-set.ts'
import { TlsAcceptor } from '../net/tls-acceptor.ts'
import { subjectOf } from '../tenant/distinguished-name.ts'
import { PrincipalRules } from '../tenant/principal-rules.ts'
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
  readonly acceptor: TlsAcceptor
  readonly #files: TlsFiles

  private constructor(acceptor: TlsAcceptor, files: TlsFiles) {
    this.acceptor = acceptor
    this.#files = files
  }

  /** Throws a TlsFileError where the files are not fit. */
  static async open(options: KafkaTlsOptions): Promise<KafkaTls> {
    const { settings, set, logger, onExpiry, onState, nowMs } = options
    const files: TlsFiles = new TlsFiles({
      ...{ settings, logger, onExpiry, onState, nowMs },
      onMaterial: (material) => acceptor.setMaterial(material),
    })
    const rules = new PrincipalRules(settings.tlsPrincipalMapping)
    const material = await files.start()
    const acceptor: TlsAcceptor = await TlsAcceptor.create({
      ...{ set, material, clientAuth: settings.tlsClientAuth },
      principalOf: (certificate) => principalOf(rules, certificate),
    })
    return new KafkaTls(acceptor, files)
  }

  readAgain(): void {
    void this.#files.readAgain()
  }

  close(): void {
    this.#files.stop()
    this.acceptor.close()
  }
}

function principalOf(rules: PrincipalRules, certificate: Uint8Array): string {
  const subject = subjectOf(certificate)
  const name = rules.nameOf(subject)
  if (name !== null && name !== '') return `User:${name}`
  throw new Error(`no rule of --tls-principal-mapping names anybody for ${subject}`)
}
