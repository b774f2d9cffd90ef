/** Entry of every worker: loads only what its role needs. */
import { fileURLToPath } from 'node:url'
import { workerData } from 'node:worker_threads'
import { CodeCache, KEEP_AFTER_MS } from './code-cache.ts'
import { traceStart } from './start-trace.ts'
import type { ThreadData } from './thread.ts'

const data = workerData as ThreadData
traceStart(data.traceOriginMs, data.thread.name, 'worker entered')
const cache = CodeCache.install(fileURLToPath(import.meta.url))
const keepCode = (): void => {
  if (data.keepsCode) cache?.keep()
}

async function run(): Promise<void> {
  switch (data.thread.role) {
    case 'broker':
      await (await import('./broker-thread.ts')).runBroker(data, keepCode)
      break
    case 'kafka-front':
      await (await import('./kafka-front-thread.ts')).runKafkaFront(data)
      break
    case 'http-front':
      await (await import('./http-thread.ts')).runHttpFront(data)
      break
    case 'flusher':
      ;(await import('./flusher-thread.ts')).runFlusher(data)
      break
    default:
      data.thread.role satisfies never
  }
}

// a thread that ends before the time comes keeps it then
process.once('exit', keepCode)
// a broker has no event loop, and keeps its code itself
if (data.thread.role !== 'broker') setTimeout(keepCode, KEEP_AFTER_MS).unref()
// a rejection that nobody handles ends the thread with its error, which the server is told
void run()
