import type { FileFailure, SegmentFile, SegmentFiles } from './segment-files.ts'

/** A range of a segment file, and where its bytes go. */
export interface SegmentRead {
  readonly path: string
  /** Reads in flight are limited per directory: the broker's, so that one hung disk holds nobody else up. */
  readonly directory: string
  readonly position: number
  readonly length: number
  readonly target: Uint8Array
  /** `bytesRead` may be less than `length` at the end of the file. ENOENT: ask the broker again. */
  done(failure: FileFailure | null, bytesRead: number): void
}

export interface SegmentReaderLimits {
  /** Open files kept for the next read. */
  readonly openFilesMax: number
  /** Below the libuv pool. */
  readonly readsMax: number
  readonly readsPerDirectoryMax: number
  /** An unused file is closed after this: a deleted one takes disk space for as long as it is open. */
  readonly idleMs: number
}

export const defaultSegmentReaderLimits: SegmentReaderLimits = {
  openFilesMax: 512,
  readsMax: 6,
  readsPerDirectoryMax: 2,
  idleMs: 10_000,
}

interface CachedFile {
  readonly path: string
  file: SegmentFile | null
  failure: FileFailure | null
  users: number
  usedAtMs: number
  /** Not to be given to anybody any more: closed when the last user is done. */
  stale: boolean
  waiting: (() => void)[]
}

/** Asynchronous reads of segment files with a reference-counted cache of open ones, on the front's thread. */
export class SegmentReader {
  readonly #files: SegmentFiles
  readonly #limits: SegmentReaderLimits
  /** In order of last use. */
  readonly #cache = new Map<string, CachedFile>()
  readonly #queues = new Map<string, SegmentRead[]>()
  readonly #running = new Map<string, number>()
  #reads = 0
  #nowMs = 0
  #closed = false

  constructor(files: SegmentFiles, limits: SegmentReaderLimits = defaultSegmentReaderLimits) {
    this.#files = files
    this.#limits = limits
  }

  get openFiles(): number {
    return this.#cache.size
  }

  get reads(): number {
    return this.#reads
  }

  read(request: SegmentRead): void {
    const queue = this.#queues.get(request.directory)
    if (queue === undefined) this.#queues.set(request.directory, [request])
    else queue.push(request)
    this.#startReads()
  }

  /** The segment has gone or changed: whoever asks next opens it anew. */
  invalidate(path: string): void {
    const cached = this.#cache.get(path)
    if (cached === undefined) return
    this.#cache.delete(path)
    cached.stale = true
    this.#closeIfUnused(cached)
  }

  /** Monotonic milliseconds at which `closeIdle` has something to do, or Infinity. */
  get nextIdleAtMs(): number {
    for (const cached of this.#cache.values()) return cached.usedAtMs + this.#limits.idleMs
    return Number.POSITIVE_INFINITY
  }

  /** Closes files unused for long; told the time, so that uses are dated by it. */
  closeIdle(nowMs: number): void {
    this.#nowMs = nowMs
    for (const cached of this.#cache.values()) {
      if (cached.usedAtMs + this.#limits.idleMs > nowMs) break
      if (cached.users > 0) this.#touch(cached)
      else this.invalidate(cached.path)
    }
  }

  /** Closes every file as soon as its last read is done; queued reads are answered ECANCELED. */
  close(): void {
    this.#closed = true
    const queued = [...this.#queues.values()].flat()
    this.#queues.clear()
    for (const request of queued) request.done({ code: 'ECANCELED' }, 0)
    for (const path of [...this.#cache.keys()]) this.invalidate(path)
  }

  #startReads(): void {
    // Directories take turns: one that was served goes behind the others.
    for (const [directory, queue] of [...this.#queues]) {
      while (queue.length > 0) {
        if (this.#reads >= this.#limits.readsMax) return
        const running = this.#running.get(directory) ?? 0
        if (running >= this.#limits.readsPerDirectoryMax) break
        this.#reads++
        this.#running.set(directory, running + 1)
        this.#start(queue.shift()!)
      }
      this.#queues.delete(directory)
      if (queue.length > 0) this.#queues.set(directory, queue)
    }
  }

  #start(request: SegmentRead): void {
    const cached = this.#take(request.path)
    const run = () => {
      if (cached.file === null) return this.#finish(request, cached, cached.failure, 0)
      cached.file.read(request.target, request.length, request.position, (failure, bytesRead) => {
        this.#finish(request, cached, failure, bytesRead)
      })
    }
    if (cached.file !== null || cached.failure !== null) run()
    else cached.waiting.push(run)
  }

  #finish(
    request: SegmentRead,
    cached: CachedFile,
    failure: FileFailure | null,
    bytesRead: number,
  ): void {
    cached.users--
    if (failure !== null) this.invalidate(cached.path)
    this.#closeIfUnused(cached)
    this.#reads--
    const running = this.#running.get(request.directory)! - 1
    if (running === 0) this.#running.delete(request.directory)
    else this.#running.set(request.directory, running)
    request.done(failure, bytesRead)
    this.#startReads()
  }

  #take(path: string): CachedFile {
    let cached = this.#cache.get(path)
    if (cached === undefined) {
      cached = this.#open(path)
    } else this.#touch(cached)
    cached.users++
    return cached
  }

  #touch(cached: CachedFile): void {
    cached.usedAtMs = this.#nowMs
    this.#cache.delete(cached.path)
    this.#cache.set(cached.path, cached)
  }

  #open(path: string): CachedFile {
    const cached: CachedFile = {
      path,
      file: null,
      failure: null,
      users: 0,
      usedAtMs: this.#nowMs,
      stale: this.#closed,
      waiting: [],
    }
    this.#makeRoom()
    if (!this.#closed) this.#cache.set(path, cached)
    this.#files.open(path, (failure, file) => {
      cached.file = file
      cached.failure = failure
      const waiting = cached.waiting
      cached.waiting = []
      for (const run of waiting) run()
      this.#closeIfUnused(cached)
    })
    return cached
  }

  #makeRoom(): void {
    if (this.#cache.size < this.#limits.openFilesMax) return
    for (const cached of this.#cache.values()) {
      if (cached.users > 0) continue
      this.invalidate(cached.path)
      return
    }
  }

  #closeIfUnused(cached: CachedFile): void {
    if (!cached.stale || cached.users > 0 || cached.file === null) return
    cached.file.close()
    cached.file = null
  }
}
