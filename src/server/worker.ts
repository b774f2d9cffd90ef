/** Entry of every worker: loads only what its role needs. */
import nodeModule from 'node:module'
import { workerData } from 'node:worker_threads'
import { traceStart } from './start-trace.ts'
import type { ThreadData } from './thread.ts'

const data = workerData as ThreadData
traceStart(data.traceOriginMs, data.thread.name, 'worker entered')
// Node 22.8 and later keep compiled code between starts
;(nodeModule as { enableCompileCache?: () => unknown }).enableCompileCache?.()

async function run(): Promise<void> {
  switch (data.thread.role) {
    case 'broker':
      await (await import('./broker-thread.ts')).runBroker(data)
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

// a rejection that nobody handles ends the thread with its error, which the server is told
void run()
