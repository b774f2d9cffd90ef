/** One thread of the engine as the server sees it: ready, stopped, gone. On the server's thread. */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { hostTimer } from './host-time.ts'
import { type ThreadData, transferList } from './thread.ts'

export type ReadyDetail = Readonly<Record<string, string | number>>

/** Why a thread is gone when nobody had asked it to stop. */
export type ThreadEnd = (reason: string) => void

/** Heap of a worker in megabytes; what is shared (rings, ring logs) does not count in it. */
const HEAP_MB: Readonly<Record<ThreadData['thread']['role'], number>> = {
  'kafka-front': 1_024,
  'http-front': 256,
  broker: 1_024,
  flusher: 64,
}

/**
 * Where workers enter: bundled, or (in tests) compiled file by file. A path and no URL: the global of that name may be
 * another one where the caller lives (jsdom).
 */
const ENTRY = path.join(
  path.dirname(fileURLToPath(import.meta.url)),
  import.meta.url.endsWith('/thread-handle.js') ? 'worker.js' : 'worker.cjs',
)

/**
 * Young generation of a worker in megabytes, three times one of its halves. V8's own 48 is for programs that keep more of what
 * they allocate; what an agent allocates for a request is dead a moment later, and halves of 2 MB stay in the processor's cache.
 */
const YOUNG_MB: Readonly<Record<ThreadData['thread']['role'], number>> = {
  'kafka-front': 12,
  'http-front': 6,
  broker: 6,
  flusher: 3,
}

/** So long what a thread has said of its end is waited for where its channel does not close. */
const HEAR_OUT_MS = 500

interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
}

export class ThreadHandle {
  readonly name: string
  /** Resolves with what the thread said when it was ready; rejects when it failed or ended before. */
  readonly ready: Promise<ReadyDetail>
  /** Resolves when it has stopped as asked, or is gone. */
  readonly stopped: Promise<void>
  readonly #ready = deferred<ReadyDetail>()
  readonly #stopped = deferred<void>()
  readonly #closed = deferred<void>()
  readonly #onEnd: ThreadEnd
  #worker: Worker | null = null
  #exited: Promise<void> = Promise.resolve()
  #isStopping = false
  #isGone = false
  #killedFor: string | null = null

  constructor(name: string, onEnd: ThreadEnd) {
    this.name = name
    this.#onEnd = onEnd
    this.ready = this.#ready.promise
    this.stopped = this.#stopped.promise
    // a failure is always told through onEnd as well
    this.ready.catch(() => {})
  }

  get isGone(): boolean {
    return this.#isGone
  }

  /** Not gone, nor about to be: one that is killed takes a while to die. */
  get isLiving(): boolean {
    return !this.#isGone && this.#killedFor === null
  }

  /** Why {@link kill} was called; null where it was not. */
  get killedFor(): string | null {
    return this.#killedFor
  }

  /** Resolves when its worker is no more: what it had open is closed then. */
  get exited(): Promise<void> {
    return this.#exited
  }

  /** Starts the worker; without this call the thread is the server's own. */
  spawn(data: ThreadData): void {
    const role = data.thread.role
    const worker = new Worker(ENTRY, {
      name: `griot ${this.name}`,
      workerData: data,
      transferList: transferList(data.channels),
      // loaders and flags of the host process are not ours
      execArgv: [],
      resourceLimits: {
        maxOldGenerationSizeMb: HEAP_MB[role],
        maxYoungGenerationSizeMb: YOUNG_MB[role],
      },
    })
    this.#worker = worker
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()))
    let reason = 'its thread ended'
    worker.on('error', (error) => {
      reason = error.stack ?? error.message
    })
    worker.once('exit', () => {
      // an end that is expected needs no reason: while one is waited for, nothing might keep the process alive
      if (this.#killedFor !== null || this.#isStopping) this.fail(this.#killedFor ?? reason)
      // what it has said of its end may be on its way still: on a busy machine its exit is told before that
      else void this.#allHeard().then(() => this.fail(reason))
    })
  }

  /** Its control channel is closed: all that it has said has come. Whether it is gone already. */
  channelClosed(): boolean {
    this.#closed.resolve()
    return this.#isGone
  }

  #allHeard(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = hostTimer(HEAR_OUT_MS, resolve)
      void this.#closed.promise.then(() => {
        cancel()
        resolve()
      })
    })
  }

  keepAlive(isWanted: boolean): void {
    if (isWanted) this.#worker?.ref()
    else this.#worker?.unref()
  }

  becomeReady(detail: ReadyDetail): void {
    this.#ready.resolve(detail)
  }

  becomeStopped(): void {
    this.#isGone = true
    this.#stopped.resolve()
  }

  /** The thread failed, or ended: an end that was asked for is none to tell of. */
  fail(reason: string): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#stopped.resolve()
    if (this.#isStopping) return
    this.#ready.reject(new Error(reason))
    this.#onEnd(reason)
  }

  /** From now on its end is expected. */
  expectEnd(): void {
    this.#isStopping = true
  }

  /** Waits for the worker's exit, cutting it off when `deadline` comes first. */
  async end(deadline: Promise<unknown>): Promise<void> {
    this.expectEnd()
    if (this.#worker === null) return
    const cut = await Promise.race([this.#exited.then(() => false), deadline.then(() => true)])
    if (cut) await this.#worker.terminate()
  }

  /** Ends it wherever it stands, which is told as if it had died of itself. Resolves when it is no more: not while it is within a system call. */
  async kill(reason: string): Promise<void> {
    this.#killedFor ??= reason
    await this.#worker?.terminate()
  }

  async terminate(): Promise<void> {
    this.expectEnd()
    await this.#worker?.terminate()
  }
}

function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  return { promise, resolve, reject }
}
