/**
 * One case, measured in a process of its own: time by tinybench, and the bytes that one operation leaves on V8's heap and in
 * buffers beside it.
 */
import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Bench } from 'tinybench'
import type { Case } from './case.ts'

export interface CaseResult {
  readonly name: string
  readonly bytes: number | null
  /** Median of the samples. */
  readonly operationsPerSecond: number
  /** Per operation; null where no stretch without a collection was to be had. */
  readonly heapBytes: number | null
  readonly bufferBytes: number | null
}

/** Runs an operation so many times. */
type Loop = (count: number) => void

/** A batch of operations that is long beside the clock's own cost (25 ns), and short beside what others do on the machine. */
const BATCH_MS = 0.5
const COUNT_MAX = 1_000_000

/**
 * A loop of its own for each case: in one that all share, V8 would know only that some function is called, and would
 * never take in the body.
 */
function loopOf(run: () => unknown): Loop {
  const make = new Function(
    'run',
    'return (count) => { let last; for (let i = 0; i < count; i++) last = run(); return last }',
  )
  return make(run) as Loop
}

export async function measureCase(one: Case, timeMs: number): Promise<CaseResult> {
  const loop = loopOf(one.run)
  const count = batchCount(loop)
  const bench = new Bench({
    ...{ time: timeMs, iterations: 5, warmup: true, warmupTime: timeMs / 2, warmupIterations: 5 },
    throws: true,
  })
  bench.add(one.name, () => {
    const from = bench.now()
    loop(count)
    const took = bench.now() - from
    return { overriddenDuration: took / count, overriddenIterationCost: took }
  })
  await bench.run()
  const { result } = bench.tasks[0]!
  if (result.state !== 'completed') throw new Error(`${one.name}: ${result.state}`)
  return {
    name: one.name,
    bytes: one.bytes ?? null,
    operationsPerSecond: 1000 / result.latency.p50,
    ...(await allocation(loop, 1000 / result.latency.p50)),
  }
}

/** How many operations make a batch, once they run as fast as they will. */
function batchCount(loop: Loop): number {
  let count = 1
  for (;;) {
    const from = performance.now()
    loop(count)
    const took = performance.now() - from
    if (took >= BATCH_MS || count >= COUNT_MAX) {
      return Math.max(1, Math.min(COUNT_MAX, Math.round((count * BATCH_MS) / took)))
    }
    count *= 2
  }
}

interface Allocation {
  readonly heapBytes: number | null
  readonly bufferBytes: number | null
}

/** Of a stretch: far below the young generation that the process was started with, so that nothing is collected in it. */
const STRETCH_BYTES = 8 * 2 ** 20
const STRETCH_MS = 40
const STRETCHES = 5
const TRIES = 20

/**
 * The heap before and after a stretch in which V8 collected nothing (its own events tell), over the operations of the
 * stretch. The median of five. What the two readings themselves allocate is measured and taken off.
 */
async function allocation(loop: Loop, operationsPerSecond: number): Promise<Allocation> {
  const collections = new Collections()
  const heap: number[] = []
  const buffers: number[] = []
  let count = Math.max(64, Math.min(100_000, (operationsPerSecond * STRETCH_MS) / 1000))
  for (let tries = 0; tries < TRIES && heap.length < STRETCHES; tries++) {
    count = Math.max(1, Math.round(count))
    globalThis.gc?.()
    await collections.settle()
    const none = reading()
    const before = reading()
    loop(count)
    const after = reading()
    if ((await collections.settle()) > 0) {
      count /= 4
      continue
    }
    const heapBytes = after.heap - before.heap - (before.heap - none.heap)
    // the first one may have been short of what makes it exact, or too long for its room
    if (heapBytes > STRETCH_BYTES && count > 1) {
      count = (count * STRETCH_BYTES) / 2 / heapBytes
      continue
    }
    heap.push(heapBytes / count)
    buffers.push((after.buffers - before.buffers) / count)
  }
  collections.close()
  return { heapBytes: middle(heap), bufferBytes: middle(buffers) }
}

const middle = (values: number[]): number | null =>
  values.length === 0 ? null : Math.max(0, values.sort((a, b) => a - b)[values.length >> 1]!)

function reading(): { readonly heap: number; readonly buffers: number } {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return { heap: heapUsed, buffers: arrayBuffers }
}

/** Counts V8's collections; it tells of them a turn later. */
class Collections {
  #count = 0
  readonly #observer = new PerformanceObserver((list) => {
    this.#count += list.getEntries().length
  })

  constructor() {
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  /** Those since the last call. */
  async settle(): Promise<number> {
    await sleep(2)
    const count = this.#count
    this.#count = 0
    return count
  }

  close(): void {
    this.#observer.disconnect()
  }
}
