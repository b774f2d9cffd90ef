import type { FlushDriver } from '../../src/broker/broker-agent.ts'
import type { DiskError, FlushPort } from '../../src/log/disk.ts'

/** Says of every file that it is durable, one turn later: for tests on the machine's disk that are not about durability. */
export function instantFlusher(): FlushPort & FlushDriver {
  let waiting: ((error: DiskError | null) => void)[] = []
  return {
    get pending() {
      return waiting.length
    },
    request: (_path, done) => void waiting.push(done),
    remove: (_path, done) => void waiting.push(done),
    doWork: () => {
      const now = waiting
      waiting = []
      for (const done of now) done(null)
      return now.length
    },
  }
}
