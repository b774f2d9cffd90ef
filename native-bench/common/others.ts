/** What else this machine does while something is measured on it. */
import { childrenOf } from './sandbox.ts'
import { cpuSeconds, endedChildrenCpuSeconds, machineCpuSeconds } from './usage.ts'

/** Of this process, all that it has started, and theirs. */
function ownCpuSeconds(pid: number): number {
  const own = (cpuSeconds(pid) ?? 0) + (endedChildrenCpuSeconds(pid) ?? 0)
  return childrenOf(pid).reduce((sum, child) => sum + ownCpuSeconds(child), own)
}

/** Begins at once. */
export class OthersWindow {
  readonly #fromMs = performance.now()
  readonly #machine = machineCpuSeconds()
  readonly #own = ownCpuSeconds(process.pid)

  /**
   * Cores that were busy, in the mean since the begin, with what neither this process did nor any that it has started: kernel threads
   * that write for them to a disk are in it. Null where there is no /proc.
   */
  end(): number | null {
    const machine = machineCpuSeconds()
    if (machine === null || this.#machine === null) return null
    const others = machine - this.#machine - (ownCpuSeconds(process.pid) - this.#own)
    return Math.max(0, others / ((performance.now() - this.#fromMs) / 1000))
  }
}
