import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { ErrorCode } from '../../src/base/error-code.ts'
import type { TenantId } from '../../src/base/ids.ts'
import { type FrontCounterRows, FrontCounters } from '../../src/front/front-counters.ts'
import { servedApis } from '../../src/front/handlers.ts'
import {
  COUNTER_KINDS,
  LATENCY_BOUNDS_US,
  LATENCY_FROM,
  RequestCounter,
  requestKind,
} from '../../src/link/counters.ts'
import { ErrorClass, errorClassOf } from '../../src/link/error-class.ts'
import {
  CounterReader,
  CounterWriter,
  counterTableBytes,
  formatCounterTable,
} from '../../src/shared/counter-table.ts'
import { newRegion } from '../../src/shared/region.ts'

const PRODUCE = 0
const METADATA = 3
const CREATE_TOPICS = 19

const tenant = (id: number) => id as unknown as TenantId

/** A table in which row 0 is the front's own and each (tenant, broker) gets the next row. */
function world(rows = 20) {
  const shape = { threads: 2, rows, kinds: COUNTER_KINDS }
  const region = formatCounterTable(newRegion(counterTableBytes(shape)), shape)
  const writer = new CounterWriter(region, 1)
  const given = new Map<string, number>()
  const counterRows: FrontCounterRows = {
    own: writer.row(0),
    of(tenantId, brokerId) {
      const key = `${tenantId}/${brokerId}`
      const row = given.get(key) ?? given.size + 1
      if (row >= rows) return null
      given.set(key, row)
      return writer.row(row)
    },
  }
  const reader = new CounterReader(region)
  const clock = new ManualClock(5_000)
  const counters = new FrontCounters(counterRows, servedApis, 2, clock)
  const read = (id: number, kind: number) => reader.value(1, given.get(`${id}/0`)!, kind)
  return { counters, read, reader, given, clock }
}

const ok = { responses: [{ partitionResponses: [{ errorCode: 0 }] }] }

describe('a front’s counters', () => {
  test('keep tenants apart: another tenant is other rows of the same table', () => {
    const { counters, read, given } = world()
    const one = counters.ofTenant(tenant(1))
    const two = counters.ofTenant(tenant(2))
    counters.answered(one, PRODUCE, 700, 100, 40, ok)
    counters.answered(two, PRODUCE, 300, 1_000, 40, ok)
    counters.answered(two, PRODUCE, 300, 1_000, 0, null)
    const kind = requestKind(PRODUCE)
    const of = (id: number) => [0, 1, 2, 3].map((slot) => read(id, kind + slot))
    expect(of(1)).toEqual([1, 700, 100, 40])
    expect(of(2)).toEqual([2, 600, 2_000, 40])
    expect(given.size).toBe(2 * 3)
    expect(counters.ofTenant(tenant(1))).toBe(one)
    expect(given.size).toBe(2 * 3)
  })

  test('go nowhere for a tenant without a row, and harm nobody', () => {
    const { counters, reader } = world(4)
    const served = counters.ofTenant(tenant(1))
    const surplus = counters.ofTenant(tenant(2))
    counters.answered(surplus, PRODUCE, 1, 1, 1, ok)
    for (let row = 0; row < 4; row++) {
      for (let kind = 0; kind < COUNTER_KINDS; kind++) expect(reader.sum(row, kind)).toBe(0)
    }
    expect(served.requests).not.toBe(surplus.requests)
  })

  test('put a latency into the bucket whose bound it does not pass', () => {
    const { counters, read } = world()
    const counts = counters.ofTenant(tenant(1))
    for (const us of [0, 500, 501, 1_000_000, 1_000_001]) {
      counters.answered(counts, PRODUCE, us, 1, 1, ok)
    }
    const buckets = LATENCY_BOUNDS_US.map((_, at) => read(1, LATENCY_FROM[PRODUCE]! + at))
    buckets.push(read(1, LATENCY_FROM[PRODUCE]! + LATENCY_BOUNDS_US.length))
    expect(buckets).toEqual([2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1])
    expect(LATENCY_FROM[1]! + LATENCY_BOUNDS_US.length + 1).toBeLessThanOrEqual(COUNTER_KINDS)
  })

  test('find errors wherever an answer has them, by whose fault they are', () => {
    const { counters, read } = world()
    const counts = counters.ofTenant(tenant(1))
    const stale = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    const topics = [
      {
        errorCode: 0,
        partitions: [{ errorCode: 0 }, { errorCode: ErrorCode.LEADER_NOT_AVAILABLE }],
      },
      { errorCode: stale, partitions: [] },
    ]
    counters.answered(counts, METADATA, 1, 1, 1, { brokers: [], topics })
    const created = [{ errorCode: ErrorCode.TOPIC_ALREADY_EXISTS, configs: null }]
    counters.answered(counts, CREATE_TOPICS, 1, 1, 1, { topics: created })
    counters.failed(counts, PRODUCE, ErrorCode.KAFKA_STORAGE_ERROR)
    const errors = (key: number) =>
      [0, 1, 2, 3].map((at) => read(1, requestKind(key) + RequestCounter.ERRORS + at))
    expect(errors(METADATA)).toEqual([0, 0, 2, 0])
    expect(errors(CREATE_TOPICS)).toEqual([1, 0, 0, 0])
    expect(errors(PRODUCE)).toEqual([0, 0, 0, 1])
  })

  test('time answers by the clock of the turn, and by the real one where there is none', () => {
    const { counters, clock } = world()
    const arrivedUs = 5_000_000
    clock.advance(3)
    expect(counters.since(arrivedUs)).toBe(3_000)
    counters.beginTurn(5_003)
    clock.advance(2)
    expect(counters.since(arrivedUs)).toBe(3_000)
    for (let answers = 0; answers < 16; answers++) counters.since(arrivedUs)
    expect(counters.since(arrivedUs)).toBe(5_000)
    counters.endTurn()
    clock.advance(1)
    expect(counters.since(arrivedUs)).toBe(6_000)
    // after half an hour of microseconds an int32 wraps
    clock.advance(2 ** 32 / 1_000 - 10_000)
    const wrappedUs = (clock.monotonicMs() * 1_000) | 0
    clock.advance(7_000)
    expect(counters.since(wrappedUs)).toBe(7_000_000)
    expect(counters.since(((clock.monotonicMs() + 1) * 1_000) | 0)).toBe(0)
  })

  test('know the class of every code', () => {
    expect(errorClassOf(ErrorCode.UNKNOWN_SERVER_ERROR)).toBe(ErrorClass.SERVER)
    expect(errorClassOf(ErrorCode.TOPIC_AUTHORIZATION_FAILED)).toBe(ErrorClass.DENIED)
    expect(errorClassOf(ErrorCode.CORRUPT_MESSAGE)).toBe(ErrorClass.CLIENT)
    expect(errorClassOf(9_999)).toBe(ErrorClass.CLIENT)
  })
})
