/** Rows that are no workload against two brokers: idle, and the share of what loopback carries. */
import { setTimeout as sleep } from 'node:timers/promises'
import { measureLimit } from '../limits/measure.ts'
import { outcome } from './measures.ts'
import type { LimitRow, StandingRow } from './row.ts'
import { catchUp } from './rows-load.ts'
import { cpuSecondsOf } from './usage.ts'

const GB = 1e9
const MB = 1e6
const LIMIT = 'loopback-1M'

/** Nothing is asked of it: what it takes by itself. */
export const idleRow: StandingRow = {
  kind: 'standing',
  name: 'idle',
  title: 'nobody is connected',
  measures: [{ key: 'core', label: 'CPU', unit: '% of a core', goal: { atMost: 1 / 3 } }],
  needs: { diskBytes: 1 * GB, memoryBytes: 2 * GB },
  warmup: async (_, { seconds }) => await sleep(seconds * 1000),
  run: async ({ broker }, { seconds }) => {
    const before = cpuSecondsOf(broker)
    const from = performance.now()
    await sleep(seconds * 1000)
    const share = (cpuSecondsOf(broker) - before) / ((performance.now() - from) / 1000)
    return outcome({ core: share * 100 })
  },
}

const { fill, read } = catchUp('plain')

/** A fetch carries 1 MiB, the default of a partition; the C program writes chunks of as much. */
export const loopbackRow: LimitRow = {
  kind: 'limit',
  name: 'loopback',
  title: 'fetch beside a C program that sends chunks of the same size over loopback',
  peer: 'C over loopback, 1 MiB chunks',
  measures: [{ key: 'rateMB', label: 'throughput', unit: 'MB/s', goal: { atLeast: 0.6 } }],
  needs: { diskBytes: 6 * GB, memoryBytes: 6 * GB },
  prepare: async (standing, timing) => {
    await fill(standing, timing)
    await read(standing, { seconds: timing.freshWarmupSeconds.griot, warmupSeconds: 0 })
  },
  run: read,
  runLimit: async ({ seconds }) => {
    const line = await measureLimit(LIMIT, { seconds })
    if (typeof line === 'string') throw new Error(`row loopback: ${line}`)
    return outcome({ rateMB: line.value / MB })
  },
}
