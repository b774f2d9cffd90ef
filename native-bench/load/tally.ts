/** What a load process has moved: in all, in the measured window, and in each second of it. */
import { nowUs } from './clock.ts'
import type { ChildResult, Counts, Times } from './messages.ts'

const nothing = (): Counts => ({ requests: 0, records: 0, bytes: 0, wireBytes: 0 })

export class Tally {
  readonly total = nothing()
  readonly #window = nothing()
  readonly #perSecond: Counts[]
  readonly #times: Times
  #cpuAtStart: NodeJS.CpuUsage | null = null
  #cpu: NodeJS.CpuUsage | null = null

  constructor(times: Times) {
    this.#times = times
    const seconds = Math.ceil((times.toUs - times.fromUs) / 1e6)
    this.#perSecond = Array.from({ length: seconds }, nothing)
    const at = (us: number, then: () => void) => setTimeout(then, (us - nowUs()) / 1000)
    at(times.fromUs, () => {
      this.#cpuAtStart = process.cpuUsage()
    })
    at(times.toUs, () => {
      this.#cpu = process.cpuUsage(this.#cpuAtStart ?? undefined)
    })
  }

  isMeasured(us: number): boolean {
    return us >= this.#times.fromUs && us < this.#times.toUs
  }

  add(atUs: number, requests: number, records: number, bytes: number, wireBytes: number): void {
    add(this.total, requests, records, bytes, wireBytes)
    if (!this.isMeasured(atUs)) return
    add(this.#window, requests, records, bytes, wireBytes)
    const second = this.#perSecond[Math.floor((atUs - this.#times.fromUs) / 1e6)]
    if (second !== undefined) add(second, requests, records, bytes, wireBytes)
  }

  result(): Pick<ChildResult, 'window' | 'total' | 'perSecond' | 'cpuSeconds'> {
    const cpu = this.#cpu ?? process.cpuUsage(this.#cpuAtStart ?? undefined)
    return {
      window: this.#window,
      total: this.total,
      perSecond: this.#perSecond,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
    }
  }
}

function add(to: Counts, requests: number, records: number, bytes: number, wireBytes: number) {
  to.requests += requests
  to.records += records
  to.bytes += bytes
  to.wireBytes += wireBytes
}
