/** The four workloads of the first bench, each run by a process of its own. */
import { spawn } from 'node:child_process'
import type { Job, JobResult } from '../load/worker.ts'

export interface Row {
  readonly key: 'produceLarge' | 'fetchLarge' | 'produceSmall' | 'produceSmallDeep'
  readonly name: string
  readonly job: Omit<Job, 'bootstrap' | 'seconds'>
}

const large = { topic: 'bench-large', recordBytes: 1024, recordsPerBatch: 1000, bytesMax: 0 }
const small = { topic: 'bench-small', recordBytes: 100, recordsPerBatch: 1, bytesMax: 0 }

export const rows: readonly Row[] = [
  {
    key: 'produceLarge',
    name: 'produce, 1 MB batches',
    job: { ...large, kind: 'produce', inFlight: 5 },
  },
  {
    key: 'fetchLarge',
    name: 'fetch, from the beginning',
    job: { ...large, kind: 'fetch', inFlight: 1 },
  },
  {
    key: 'produceSmall',
    name: 'produce, one 100-byte record a request',
    job: { ...small, kind: 'produce', inFlight: 1 },
  },
  {
    key: 'produceSmallDeep',
    name: 'the same, 64 requests in flight',
    job: { ...small, kind: 'produce', inFlight: 64 },
  },
]

/** Throws when the process ends with anything but its result. */
export function runInProcess(job: Job): Promise<JobResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [import.meta.filename, 'job', JSON.stringify(job)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.once('error', reject)
    child.stdout.on('data', (chunk) => (text += chunk))
    child.on('close', (code) =>
      code === 0 ? resolve(JSON.parse(text)) : reject(new Error(`load process ended with ${code}`)),
    )
  })
}
