/** Each figure of the guard: an engine's or a function's rate as a share of what the machine can do in that very round. */

import type { Row, RowResult } from '../baseline/rows.ts'
import type { LimitLine } from '../limits/measure.ts'
import type { LimitName } from '../limits/programs.ts'

export type RowKey = Row['key']

/** What one round measured. What could not be measured here is not in it. */
export interface Round {
  readonly limits: Readonly<Partial<Record<LimitName, LimitLine>>>
  readonly rows: Readonly<Record<RowKey, RowResult>>
  /** From spawn to ready. */
  readonly startMs: number
  /** Of each micro case that has bytes: operations a second times these. */
  readonly microBytesPerSecond: Readonly<Record<string, number>>
}

export interface Share {
  readonly name: string
  /** What 1 is. */
  readonly of: string
  readonly better: 'higher' | 'lower'
  /** Null where the machine has no such limit, or nobody could measure it. */
  readonly value: (round: Round) => number | null
}

const bytesPerSecond = ({ bytes, seconds }: RowResult): number => bytes / seconds
const requestsPerSecond = ({ requests, seconds }: RowResult): number => requests / seconds

/** A row's or function's rate over a limit's. */
const over =
  (limit: LimitName, rate: (round: Round) => number | undefined) =>
  (round: Round): number | null => {
    const [top, bottom] = [rate(round), round.limits[limit]?.value]
    // without a limit there is no such figure here; without the other, something is wrong
    return bottom === undefined ? null : (top ?? Number.NaN) / bottom
  }

/** CPU that the broker takes for a gigabyte, in seconds that the machine needs to copy one. */
const cpuOver =
  (key: 'produceLarge' | 'fetchLarge') =>
  (round: Round): number | null => {
    const { brokerCpuSeconds, bytes } = round.rows[key]
    const copy = round.limits.memcpy?.value
    return brokerCpuSeconds === null || copy === undefined
      ? null
      : (brokerCpuSeconds / bytes) * copy
  }

const share = (
  name: string,
  of: string,
  value: Share['value'],
  better: Share['better'] = 'higher',
): Share => ({ name, of, better, value })

const micro = (name: string, limit: LimitName): Share =>
  share(
    `micro: ${name}`,
    limit,
    over(limit, (round) => round.microBytesPerSecond[name]),
  )

export const SHARES: readonly Share[] = [
  ...(['loopback-1M', 'memcpy', 'crc32c', 'write'] as const).map((limit) =>
    share(
      'produce, 1 MB batches',
      limit,
      over(limit, ({ rows }) => bytesPerSecond(rows.produceLarge)),
    ),
  ),
  share(
    'fetch, from the beginning',
    'loopback-1M',
    over('loopback-1M', ({ rows }) => bytesPerSecond(rows.fetchLarge)),
  ),
  share(
    'produce of 100 bytes, one at a time',
    'round-trip-100',
    over('round-trip-100', ({ rows }) => requestsPerSecond(rows.produceSmall)),
  ),
  share(
    'produce of 100 bytes, 64 in flight',
    'round-trip-100',
    over('round-trip-100', ({ rows }) => requestsPerSecond(rows.produceSmallDeep)),
  ),
  share(
    'p50 of a produce of 100 bytes',
    'p50 of round-trip-100',
    ({ rows, limits }) => {
      const trip = limits['round-trip-100']?.p50Us
      return trip === undefined ? null : rows.produceSmall.latencyUs.p50 / trip
    },
    'lower',
  ),
  share('broker CPU, produce', 'CPU of memcpy', cpuOver('produceLarge'), 'lower'),
  share('broker CPU, fetch', 'CPU of memcpy', cpuOver('fetchLarge'), 'lower'),
  share(
    'start to ready, fresh directory',
    'node-start',
    ({ startMs, limits }) => {
      const start = limits['node-start']?.value
      return start === undefined ? null : startMs / start
    },
    'lower',
  ),
  micro('crc32c 16 KB', 'crc32c-cached'),
  micro('validate batch 16 KB', 'crc32c-cached'),
  micro('ring 16 KB', 'memcpy-cached'),
  micro('ring log append 16 KB', 'memcpy-cached'),
  micro('ring log copy 16 KB', 'memcpy-cached'),
]

/** The limits that any share needs. */
export const LIMITS_NEEDED: readonly LimitName[] = [
  ...(['loopback-1M', 'memcpy', 'memcpy-cached', 'crc32c', 'crc32c-cached'] as const),
  ...(['write', 'round-trip-100', 'node-start'] as const),
]
