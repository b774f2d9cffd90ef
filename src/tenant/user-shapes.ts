/** What users look like to strangers, so that those who do not exist look like them. On the front's thread. */
import type { MetadataEntry, StoredSecret } from '../image/entry.ts'
import type { MetadataView } from '../image/view.ts'
import { API_KEY_SHAPE, shapeOf, type UserShape } from './made-up-credentials.ts'
import { storedCredential } from './stored-credential.ts'

/** Whoever draws salts of ever new lengths is not followed further. */
const SHAPES_MAX = 32

/** The shapes of all users of an image. They are never fewer until another image begins: one who has gone may come back. */
export class UserShapes {
  /** Each kind once. It grows. */
  readonly all: UserShape[] = [API_KEY_SHAPE]
  readonly #known = new Set([JSON.stringify(API_KEY_SHAPE)])

  /** Takes up those of `image`. */
  lookAt(image: MetadataView): void {
    for (const { access } of image.tenants()) {
      for (const [, secrets] of access?.users() ?? []) this.#add(secrets)
    }
  }

  /** Metadata has been applied. */
  onEntries(entries: readonly MetadataEntry[]): void {
    for (const entry of entries) if (entry.kind === 'user-secrets') this.#add(entry.secrets)
  }

  #add(secrets: readonly StoredSecret[]): void {
    if (secrets.length === 0 || this.all.length === SHAPES_MAX) return
    const shape = secrets.map((secret) => shapeOf(storedCredential(secret)))
    const key = JSON.stringify(shape)
    if (this.#known.has(key)) return
    this.#known.add(key)
    this.all.push(shape)
  }
}
