import type { TenantId } from '../base/ids.ts'
import type { MetadataView } from '../image/view.ts'
import { DiskError } from '../log/disk.ts'
import type { LogEnvironment } from '../log/environment.ts'

export interface TenantDirectoriesOptions {
  readonly environment: LogEnvironment
  /** The broker's directory. */
  readonly root: string
  readonly image: MetadataView
  /** It is whole, and no newer one has begun to come: a tenant that it does not name is gone. */
  readonly isImageCurrent: () => boolean
}

const RETRY_MS = 5_000

/**
 * Removes the directories of tenants that are gone, each once nothing is in it: what is still there is the remover's, or nobody knows what it is, and then it stays. Only this
 * thread puts anything there, and for no tenant that the image does not name. On the broker's thread.
 */
export class TenantDirectories {
  readonly #options: TenantDirectoriesOptions
  readonly #due = new Set<TenantId>()
  #notBeforeMs = 0

  constructor(options: TenantDirectoriesOptions) {
    this.#options = options
  }

  /** Infinity with nothing to do, or before the image has come, which brings a turn. */
  get nextTimerAtMs(): number {
    const waits = this.#due.size === 0 || !this.#options.isImageCurrent()
    return waits ? Number.POSITIVE_INFINITY : this.#notBeforeMs
  }

  /** It may be gone, and its directory empty. */
  look(tenantId: TenantId): void {
    this.#due.add(tenantId)
  }

  /** Looks at one of them. */
  doWork(nowMs: number): number {
    if (nowMs < this.nextTimerAtMs) return 0
    const { image, environment } = this.#options
    for (const tenantId of this.#due) {
      this.#due.delete(tenantId)
      if (image.tenant(tenantId) !== undefined) return 1
      try {
        this.#removeIfEmpty(tenantId)
      } catch (error) {
        if (!(error instanceof DiskError)) throw error
        const message = `A deleted tenant's directory stays for now: ${error.message}`
        environment.logger.log('warn', message, { tenantId })
        this.#due.add(tenantId)
        this.#notBeforeMs = nowMs + RETRY_MS
      }
      return 1
    }
    return 0
  }

  #removeIfEmpty(tenantId: TenantId): void {
    const { disk } = this.#options.environment
    const directory = `${this.#options.root}/${tenantId}`
    // one that was never made lists nothing, and nothing is removed
    if (disk.list(directory).length === 0) disk.removeDirectory(directory)
  }
}
