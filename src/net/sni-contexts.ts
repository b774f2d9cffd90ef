/** Certificates by the name that a client looks for (SNI). On the front's thread. */
import type { SecureContext } from 'node:tls'
import { secureContextOptions, type TlsMaterial } from './tls-material.ts'

type CreateContext = typeof import('node:tls').createSecureContext

export class SniContexts {
  readonly #create: CreateContext
  #byName: ReadonlyMap<string, SecureContext> = new Map()

  constructor(create: CreateContext) {
    this.#create = create
  }

  /** Made whole before any is used. Throws what Node says of material that is none; then those of before stay. */
  set({ named, ...rest }: TlsMaterial): void {
    this.#byName = new Map(
      named.map(({ name, cert, key }) => {
        const own = secureContextOptions({ ...rest, cert, key, named: [] })
        return [name, this.#create(own)]
      }),
    )
  }

  /** Of that very name, else of all names under its domain; undefined: the one for everybody. */
  of(servername: string): SecureContext | undefined {
    const name = servername.toLowerCase()
    return this.#byName.get(name) ?? this.#byName.get(`*${name.slice(name.indexOf('.'))}`)
  }
}
