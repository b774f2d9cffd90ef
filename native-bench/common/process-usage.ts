/** What the processes of a broker use together over a window, from /proc. */
import { readdirSync } from 'node:fs'
import { cpuSeconds, rssBytes } from './usage.ts'

export interface ProcessUsage {
  /** User and system, of all threads, over the window. */
  readonly cpuSeconds: number
  readonly rssBytes: Extremes
  readonly fileDescriptors: Extremes
}

export interface Extremes {
  readonly start: number
  readonly peak: number
  readonly end: number
}

const SAMPLE_EVERY_MS = 250

function sum(pids: readonly number[], of: (pid: number) => number | null): number | null {
  let total = 0
  for (const pid of pids) {
    const value = of(pid)
    if (value === null) return null
    total += value
  }
  return total
}

/** Null where there is no such process, no /proc, or no right to look. */
export function openFiles(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    return null
  }
}

/** Null when one of them cannot be seen. */
export function usageOf(pids: readonly number[]) {
  const cpu = sum(pids, cpuSeconds)
  const rss = sum(pids, rssBytes)
  const files = sum(pids, openFiles)
  return cpu === null || rss === null || files === null ? null : { cpu, rss, files }
}

/** Begins at once; {@link UsageWindow.end} gives what was used since. */
export class UsageWindow {
  readonly #pids: readonly number[]
  readonly #first: ReturnType<typeof usageOf>
  readonly #timer: NodeJS.Timeout
  #rssPeak = 0
  #filesPeak = 0

  constructor(pids: readonly number[]) {
    this.#pids = pids
    this.#first = usageOf(pids)
    this.#timer = setInterval(() => this.#sample(), SAMPLE_EVERY_MS)
    this.#timer.unref()
  }

  /** Null when the processes could not be seen at the beginning or the end. */
  end(): ProcessUsage | null {
    clearInterval(this.#timer)
    const first = this.#first
    const last = this.#sample()
    if (first === null || last === null) return null
    return {
      cpuSeconds: last.cpu - first.cpu,
      rssBytes: { start: first.rss, peak: Math.max(first.rss, this.#rssPeak), end: last.rss },
      fileDescriptors: {
        start: first.files,
        peak: Math.max(first.files, this.#filesPeak),
        end: last.files,
      },
    }
  }

  #sample() {
    const now = usageOf(this.#pids)
    this.#rssPeak = Math.max(this.#rssPeak, now?.rss ?? 0)
    this.#filesPeak = Math.max(this.#filesPeak, now?.files ?? 0)
    return now
  }
}
