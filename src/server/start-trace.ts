/** Where a start spends its time: one line per step on stderr when GRIOT_TRACE_START is set. Any thread. */
import { writeSync } from 'node:fs'

const enabled = Boolean(process.env.GRIOT_TRACE_START)

/** Says that `step` was reached, in milliseconds since `originMs` (wall clock, fractional). */
export function traceStart(originMs: number, thread: string, step: string): void {
  if (!enabled) return
  const atMs = performance.timeOrigin + performance.now() - originMs
  writeSync(2, `${atMs.toFixed(1).padStart(8)} ms  ${thread.padEnd(12)} ${step}\n`)
}
