import { afterEach, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { BeatWatch } from '../../src/server/beat-watch.ts'
import { type Awaiting, BriefWait } from '../../src/server/brief-wait.ts'
import { type Agent, HEARTBEAT_MS, runDutyCycle } from '../../src/server/duty-cycle.ts'
import { EventLoopDriver } from '../../src/server/event-loop-driver.ts'
import { DoorbellRinger, DoorbellWaiter, formatDoorbell } from '../../src/shared/doorbell.ts'
import { newRegion } from '../../src/shared/region.ts'
import {
  formatThreadStatus,
  ThreadState,
  ThreadStatusWriter,
  threadStatusBytes,
} from '../../src/shared/thread-status.ts'

function makeThread() {
  const bell = formatDoorbell()
  const status = formatThreadStatus(newRegion(threadStatusBytes(1)), 1)
  return {
    ringer: new DoorbellRinger(bell),
    waiter: new DoorbellWaiter(bell),
    clock: systemClock,
    status: new ThreadStatusWriter(status, 0),
    table: status,
  }
}

/** An agent with `jobs` to do, one per turn. */
class CountingAgent implements Agent {
  nextTimerAtMs = Number.POSITIVE_INFINITY
  jobs = 0
  turns = 0
  onTurn: (nowMs: number) => void = () => {}

  doWork(nowMs: number): number {
    this.turns++
    this.onTurn(nowMs)
    if (this.jobs === 0) return 0
    this.jobs--
    return 1
  }
}

const nothingDue: Awaiting = { isAnswerDue: false, hasAnswer: () => false }

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('the duty cycle', () => {
  test('works while there is work, then sleeps until the next timer', () => {
    const thread = makeThread()
    const agent = new CountingAgent()
    const start = performance.now()
    agent.jobs = 100
    agent.nextTimerAtMs = start + 60
    agent.onTurn = (nowMs) => {
      if (nowMs >= agent.nextTimerAtMs) agent.nextTimerAtMs = Number.POSITIVE_INFINITY
    }
    const isStopping = () => agent.nextTimerAtMs === Number.POSITIVE_INFINITY
    runDutyCycle({ ...thread, agents: [agent], isStopping })
    expect(performance.now() - start).toBeGreaterThanOrEqual(60)
    expect(agent.turns).toBeGreaterThan(100)
    expect(agent.turns).toBeLessThan(130)
  })

  test('turns at least once per heartbeat while it has nothing to do', () => {
    const thread = makeThread()
    const agent = new CountingAgent()
    const start = performance.now()
    runDutyCycle({ ...thread, agents: [agent], isStopping: () => agent.turns >= 4 })
    expect(performance.now() - start).toBeGreaterThan(HEARTBEAT_MS * 0.9)
    expect(performance.now() - start).toBeLessThan(HEARTBEAT_MS * 10)
  })

  test('does not sleep over what came between its last look and its announcement', () => {
    const thread = makeThread()
    const agent = new CountingAgent()
    // work appears after the first, empty look of every cycle: the second look must find it
    agent.onTurn = () => {
      if (agent.turns % 2 === 1) agent.jobs = 1
    }
    const start = performance.now()
    agent.jobs = 0
    runDutyCycle({ ...thread, agents: [agent], isStopping: () => agent.turns > 1_000 })
    expect(performance.now() - start).toBeLessThan(HEARTBEAT_MS * 2)
  })
})

describe('the event-loop driver', () => {
  let driver: EventLoopDriver | null = null
  afterEach(() => driver?.stop())

  function start(agent: Agent, onFailure = (_error: unknown) => {}, awaiting = nothingDue) {
    const thread = makeThread()
    const brief = new BriefWait({ awaiting, clock: systemClock, cores: 2 })
    driver = new EventLoopDriver({ ...thread, agent, onFailure, brief })
    driver.start()
    return { ...thread, driver }
  }

  test('takes a turn when rung, when kicked and when its timer is due; and none besides', async () => {
    const agent = new CountingAgent()
    const { ringer, driver } = start(agent)
    await pause(20)
    const idle = agent.turns
    await pause(50)
    expect(agent.turns).toBe(idle)
    agent.jobs = 1
    expect(ringer.ring()).toBe(true)
    await vi.waitFor(() => expect(agent.jobs).toBe(0))
    agent.jobs = 3
    driver.kick()
    await vi.waitFor(() => expect(agent.jobs).toBe(0))
    agent.nextTimerAtMs = performance.now() + 40
    agent.onTurn = (nowMs) => {
      if (nowMs >= agent.nextTimerAtMs) agent.nextTimerAtMs = Number.POSITIVE_INFINITY
    }
    driver.kick()
    await pause(10)
    expect(agent.nextTimerAtMs).toBeLessThan(Number.POSITIVE_INFINITY)
    await vi.waitFor(() => expect(agent.nextTimerAtMs).toBe(Number.POSITIVE_INFINITY))
  })

  test('can be rung again and again, also while it is kicked', async () => {
    const agent = new CountingAgent()
    const { ringer, driver } = start(agent)
    for (let i = 0; i < 200; i++) {
      agent.jobs = 1
      ringer.ring()
      if (i % 3 === 0) driver.kick()
      await vi.waitFor(() => expect(agent.jobs).toBe(0), { interval: 1 })
    }
  })

  test('lets I/O have its turn while work never ends', async () => {
    const agent = new CountingAgent()
    agent.jobs = Number.POSITIVE_INFINITY
    start(agent)
    await pause(20)
    expect(agent.turns).toBeGreaterThan(10)
  })

  test('stops and tells when a turn throws', async () => {
    const agent = new CountingAgent()
    const failures: unknown[] = []
    agent.onTurn = () => {
      throw new Error('a bug')
    }
    const { driver } = start(agent, (error) => failures.push(error))
    await pause(20)
    driver.kick()
    await pause(20)
    expect(failures).toEqual([new Error('a bug')])
    expect(agent.turns).toBe(1)
  })

  test('is awake while it looks for an answer that is due, and takes it without being rung', async () => {
    const agent = new CountingAgent()
    const rung: boolean[] = []
    const awaiting = { isAnswerDue: false, hasAnswer: () => false }
    const { ringer, driver } = start(agent, undefined, awaiting)
    await pause(20)
    awaiting.isAnswerDue = true
    awaiting.hasAnswer = () => {
      awaiting.isAnswerDue = false
      agent.jobs = 1
      rung.push(ringer.ring())
      return true
    }
    const { turns } = agent
    driver.kickForAnswer()
    await vi.waitFor(() => expect(rung).toEqual([false]))
    await vi.waitFor(() => expect(agent.jobs).toBe(0))
    expect(agent.turns).toBeGreaterThanOrEqual(turns + 2)
    await pause(20)
    agent.jobs = 1
    expect(ringer.ring()).toBe(true)
    await vi.waitFor(() => expect(agent.jobs).toBe(0))
  })

  test('misses nothing that comes after its last look and before it is announced asleep again', async () => {
    const agent = new CountingAgent()
    const awaiting = { isAnswerDue: false, hasAnswer: () => false }
    const { ringer, waiter, driver } = start(agent, undefined, awaiting)
    await pause(20)
    let rung: boolean | null = null
    const announceAgain = waiter.announceAgain.bind(waiter)
    vi.spyOn(waiter, 'announceAgain').mockImplementation(() => {
      awaiting.isAnswerDue = false
      agent.jobs = 1
      rung = ringer.ring()
      announceAgain()
    })
    awaiting.isAnswerDue = true
    driver.kickForAnswer()
    await vi.waitFor(() => expect(rung).toBe(false))
    await vi.waitFor(() => expect(agent.jobs).toBe(0))
  })

  test('takes no turn for an answer for which it is not worth looking', async () => {
    const agent = new CountingAgent()
    const awaiting = { isAnswerDue: true, hasAnswer: () => false }
    const { driver } = start(agent, undefined, awaiting)
    await pause(20)
    const { turns } = agent
    // the first look is in vain, so that the next chance is let go by
    driver.kickForAnswer()
    await vi.waitFor(() => expect(agent.turns).toBeGreaterThan(turns))
    const looked = agent.turns
    driver.kickForAnswer()
    await pause(20)
    expect(agent.turns).toBe(looked)
  })

  test('takes no turn after its stop', async () => {
    const agent = new CountingAgent()
    const { ringer, driver } = start(agent)
    await pause(20)
    driver.stop()
    const { turns } = agent
    ringer.ring()
    driver.kick()
    await pause(20)
    expect(agent.turns).toBe(turns)
  })
})

test('a silent thread is found, by the watcher’s own clock', () => {
  const { status, table } = makeThread()
  const threads = [{ name: 'broker-1-1', role: 'broker', brokerId: 1 }] as const
  const watch = new BeatWatch({ status: table, threads })
  expect(watch.beats(1_000)).toEqual([])
  status.setState(ThreadState.RUNNING)
  status.beginTurn(5)
  watch.look(2_000)
  status.beginTurn(6)
  watch.look(3_000)
  expect(watch.beats(7_500)).toEqual([{ name: 'broker-1-1', silentMs: 4_500 }])
  status.setState(ThreadState.STOPPED)
  expect(watch.beats(9_000)).toEqual([])
})
