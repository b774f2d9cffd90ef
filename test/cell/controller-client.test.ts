/** How a front finds the controller, and what becomes of requests while there is none. */
import { beforeEach, expect, test } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import { ErrorCode } from '../../src/base/error-code.ts'
import { asTenantId } from '../../src/base/ids.ts'
import { TimerQueue } from '../../src/base/timer-queue.ts'
import { ControllerClient } from '../../src/cell/controller-client.ts'
import type { ControllerRequest, ControllerResponse } from '../../src/image/request.ts'
import { NOT_CONTROLLER, refuseAll } from '../../src/image/results.ts'

const TENANT = asTenantId('t')
const ids: ControllerRequest = { kind: 'allocate-producer-ids', count: 10 }
const remove: ControllerRequest = { kind: 'delete-topics', topics: [{ name: 'a' }] }
const handedOut = (first: number): ControllerResponse => ({
  ...{ kind: 'allocate-producer-ids', error: ErrorCode.NONE, first, count: 10 },
})

let clock: ManualClock
let timers: TimerQueue
let client: ControllerClient
/** What was posted: to whom, its correlation, what; `again`: as what may be done already. */
let posted: [string, number, string][]
let answers: ControllerResponse[]

beforeEach(() => {
  clock = new ManualClock()
  timers = new TimerQueue()
  posted = []
  answers = []
  const post = (to: string, message: { kind: string }) => {
    const { correlation, request } = message as never as {
      correlation: number
      request: ControllerRequest
    }
    const again = 'isRepeat' in request && request.isRepeat ? ' again' : ''
    posted.push([to, correlation, request.kind + again])
  }
  client = new ControllerClient({ clock, timers, control: { post, poll: () => undefined } })
})

const ask = (request: ControllerRequest, options = {}) =>
  client.request(TENANT, request, (response) => answers.push(response), options)
const pass = (ms: number) => {
  clock.advance(ms)
  timers.fireDue(clock.monotonicMs())
}
const errors = () =>
  answers.map((one) => ('error' in one ? one.error : 'results' in one ? one.results[0]!.error : -1))

test('requests are held until somebody leads, and go there', () => {
  ask(remove)
  expect(posted).toEqual([])
  client.onController('broker-1-2', 3)
  expect(posted).toEqual([['broker-1-2', 1, 'delete-topics']])
  client.onResponse(1, refuseAll(remove, { error: ErrorCode.NONE, message: null }))
  expect([errors(), client.outstanding, timers.size]).toEqual([[ErrorCode.NONE], 0, 0])
})

test('one of an earlier term is not believed', () => {
  client.onController('broker-1-2', 3)
  client.onController('broker-1-1', 2)
  ask(remove)
  expect(posted.map(([to]) => to)).toEqual(['broker-1-2'])
})

test('what the one before was asked, and has not answered, is asked again', () => {
  client.onController('broker-1-1', 1)
  ask(remove)
  ask(ids)
  client.onController('broker-1-2', 2)
  expect(answers).toEqual([])
  expect(posted.slice(2)).toEqual([
    ['broker-1-2', 3, 'delete-topics again'],
    ['broker-1-2', 4, 'allocate-producer-ids'],
  ])
  // the answers of the one before come late
  client.onResponse(1, refuseAll(remove, { error: ErrorCode.NONE, message: null }))
  client.onResponse(2, handedOut(0))
  expect(answers).toEqual([])
  client.onResponse(4, handedOut(10))
  expect(answers).toMatchObject([{ first: 10 }])
})

test('its thread has died: the same, but there is nobody yet', () => {
  client.onController('broker-1-1', 1)
  ask(remove)
  client.markGone('broker-1-3')
  client.markGone('broker-1-1')
  ask(remove)
  expect([posted.length, client.peer, answers.length]).toEqual([1, null, 0])
  client.onController('broker-1-3', 5)
  expect(posted.slice(1).map(([to, , kind]) => [to, kind])).toEqual([
    ['broker-1-3', 'delete-topics again'],
    ['broker-1-3', 'delete-topics'],
  ])
})

test('what is handed back is asked of the next one, not again of the same', () => {
  client.onController('broker-1-1', 1)
  ask(remove)
  client.onResponse(1, null)
  ask(ids)
  expect([posted.length, answers.length]).toEqual([1, 0])
  // it still says so, of the same term
  client.onController('broker-1-1', 1)
  expect(posted).toHaveLength(1)
  client.onController('broker-1-1', 2)
  expect(posted.map(([to, , kind]) => `${to} ${kind}`)).toEqual([
    'broker-1-1 delete-topics',
    'broker-1-1 delete-topics',
    'broker-1-1 allocate-producer-ids',
  ])
})

test('what is refused because its term has ended is asked again', () => {
  client.onController('broker-1-1', 1)
  ask(remove)
  ask(ids)
  client.onResponse(1, refuseAll(remove, NOT_CONTROLLER))
  client.onResponse(2, refuseAll(ids, NOT_CONTROLLER))
  expect(answers).toEqual([])
  client.onController('broker-1-2', 2)
  expect(posted.slice(2).map(([, , kind]) => kind)).toEqual([
    'delete-topics again',
    'allocate-producer-ids',
  ])
})

test('nobody waits for longer than asked for, within bounds, whether it was sent or not', () => {
  ask(remove, { timeoutMs: 5_000 })
  ask(remove, { timeoutMs: 0 })
  ask(ids, { timeoutMs: 2 ** 31 })
  pass(999)
  expect(answers).toEqual([])
  pass(1)
  expect(errors()).toEqual([ErrorCode.REQUEST_TIMED_OUT])
  client.onController('broker-1-1', 1)
  pass(4_000)
  expect(errors()).toEqual([ErrorCode.REQUEST_TIMED_OUT, ErrorCode.REQUEST_TIMED_OUT])
  pass(25_000)
  expect([answers.length, client.outstanding]).toEqual([3, 0])
  client.onResponse(1, handedOut(1))
  client.onResponse(2, handedOut(1))
  expect(answers).toHaveLength(3)
})

test('beyond a bound they are refused at once', () => {
  for (let i = 0; i < 10_001; i++) ask(remove)
  expect([client.outstanding, errors()]).toEqual([10_000, [ErrorCode.REQUEST_TIMED_OUT]])
})
