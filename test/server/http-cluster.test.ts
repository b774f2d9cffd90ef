/** What the HTTP front's thread asks of the controller, and what it hears. */
import { beforeEach, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { ErrorCode } from '../../src/base/error-code.ts'
import type { TenantId } from '../../src/base/ids.ts'
import type { ControllerResponse } from '../../src/image/request.ts'
import type { ControlMessage } from '../../src/link/control.ts'
import { HttpCluster } from '../../src/server/http-cluster.ts'

const ACME = 'aaaaaaaaaaaaaaaa' as TenantId
const done: ControllerResponse = { kind: 'delete-tenant', error: ErrorCode.NONE, message: null }

let clock: ManualClock
let kicks: number
let posted: [string, ControlMessage][]
let cluster: HttpCluster
beforeEach(() => {
  clock = new ManualClock()
  kicks = 0
  posted = []
  cluster = new HttpCluster({
    ...{ brokerConfigs: {}, clock, kick: () => void kicks++ },
    control: { poll: () => undefined, post: (to, message) => void posted.push([to, message]) },
  })
})

const hear = (from: string, message: ControlMessage) => cluster.onMessage({ from, message })
const lead = (from: string, epoch: number) =>
  hear(from, {
    ...{ kind: 'metadata', epoch, first: 0, offset: 2 },
    entries: [
      { kind: 'cluster-formed', format: 5, clusterId: 'c', cells: 1, brokersPerCell: 3 },
      { kind: 'tenant-created', tenantId: ACME, name: 'acme', clusterId: 't', cellId: 1 as never },
    ],
  })
const ask = () => cluster.ask(ACME, { kind: 'delete-tenant' })

test('who leads is asked, and what it has committed is known before it answers', async () => {
  lead('broker-1-2', 3)
  expect(cluster.image.tenantByName('acme')?.tenantId).toBe(ACME)
  const answer = ask()
  const request = { kind: 'delete-tenant' }
  expect(posted).toEqual([
    ['broker-1-2', { kind: 'controller-request', correlation: 1, tenantId: ACME, request }],
  ])
  hear('broker-1-2', { kind: 'controller-response', correlation: 1, response: done })
  expect(await answer).toEqual(done)
  expect(cluster.nextTimerAtMs).toBe(Number.POSITIVE_INFINITY)
})

test('whoever takes over is asked again', async () => {
  lead('broker-1-2', 3)
  const answer = ask()
  hear('broker-1-2', { kind: 'broker-gone', cellId: 1, brokerId: 2 })
  lead('broker-1-1', 4)
  expect(posted).toMatchObject([
    ['broker-1-2', { correlation: 1 }],
    ['broker-1-1', { correlation: 2, request: { isRepeat: true } }],
  ])
  hear('broker-1-1', { kind: 'controller-response', correlation: 2, response: done })
  expect(await answer).toEqual(done)
})

test('nobody waits for longer than five seconds, and the thread takes its turn then', async () => {
  const answer = ask()
  expect([kicks, cluster.nextTimerAtMs]).toEqual([1, clock.monotonicMs() + 5_000])
  clock.advance(4_999)
  expect(cluster.doWork(clock.monotonicMs())).toBe(0)
  clock.advance(1)
  expect(cluster.doWork(clock.monotonicMs())).toBe(1)
  expect(await answer).toMatchObject({ error: ErrorCode.REQUEST_TIMED_OUT })
})
