/** The pool behind the Kafka front: Piscina, loaded and started at the first task, sized to the cores. Front's thread. */
import os from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Piscina } from 'piscina'
import type { RecordDone, RecordPool } from '../front/record-pool.ts'
import type { RecordResult, RecordTask } from '../front/record-task.ts'

/** A thread that has had nothing to do for this long ends. */
const IDLE_MS = 30_000

/** Where its threads enter: bundled, or (in tests) compiled file by file. */
const ENTRY = import.meta.url.endsWith('/piscina-pool.js')
  ? './pool-worker.js'
  : './pool-worker.cjs'

export class PiscinaPool implements RecordPool {
  #pool: Promise<Piscina> | null = null
  #isClosed = false

  run(task: RecordTask, done: RecordDone): void {
    void this.#run(task).then(done, (error: unknown) =>
      done({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }),
    )
  }

  /** Ends its threads; tasks under way fail. */
  async close(): Promise<void> {
    this.#isClosed = true
    await (await this.#pool)?.destroy()
  }

  async #run(task: RecordTask): Promise<RecordResult> {
    if (this.#isClosed) throw new Error('the engine is stopping')
    // a clone takes the whole buffer behind a view, and shared memory would not be a copy at all
    const batch = new Uint8Array(task.batch)
    this.#pool ??= startPool()
    const pool = await this.#pool
    return pool.run({ ...task, batch }, { transferList: [batch.buffer] })
  }
}

async function startPool(): Promise<Piscina> {
  const { Piscina } = await import('piscina')
  return new Piscina({
    filename: fileURLToPath(new URL(ENTRY, import.meta.url)),
    name: 'runOnPool',
    minThreads: 0,
    maxThreads: Math.max(1, os.availableParallelism() - 1),
    idleTimeout: IDLE_MS,
    execArgv: [],
    recordTiming: false,
  })
}
