/** Images at the same offset are equal, whoever has them, and what controllers publish. */
import type { MetadataView } from '../../../src/image/view.ts'
import { safe } from '../sim-error.ts'

export class ImagesChecker {
  readonly #hashes = new Map<number, { readonly hash: string; readonly who: string }>()
  readonly #offsets = new Map<string, number>()

  /** `who` names one holder in one life. */
  look(who: string, offset: number, imageOf: () => MetadataView): void {
    if (offset === 0 || this.#offsets.get(who) === offset) return
    const before = this.#offsets.get(who) ?? 0
    safe(offset > before, () => `the image of ${who} went from ${before} back to ${offset}`)
    this.#offsets.set(who, offset)
    const hash = imageOf().hash()
    const known = this.#hashes.get(offset)
    if (known === undefined) this.#hashes.set(offset, { hash, who })
    else safe(known.hash === hash, () => `at ${offset} ${who} and ${known.who} have other images`)
  }
}
