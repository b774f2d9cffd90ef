import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, it } from 'vitest'
import { count } from '../clients/requirements.ts'
import { bundled, reportOf, sleep, Target } from './target.ts'

const IDLE = 10_000
const RATE = 2_000
const SECONDS = count(4, 60)

interface Done {
  readonly opened: number
  readonly failed: number
  readonly reasons?: object
  readonly tookMs?: number
}

describe.skipIf(process.platform !== 'linux')('connections', () => {
  let target: Target

  afterEach(() => target?.stop())

  /** The process of `churn-main.ts`; its line is what it did. */
  function clients(...args: string[]) {
    const child = spawn(
      process.execPath,
      [bundled('churn-main'), target.host, String(target.port), ...args],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    )
    const line = once(createInterface({ input: child.stdout }), 'line')
    return { child, done: line.then(([text]) => JSON.parse(text as string) as Done) }
  }

  it(`${IDLE} idle ones cost under 100 MB, and nobody else notices`, async () => {
    target = await Target.start()
    // The first few thousand warm up what is compiled and kept at first use.
    const warm = clients('idle', '2000')
    await warm.done
    warm.child.stdin.end()
    await once(warm.child, 'exit')
    await target.whenQuiet(0)
    const before = await target.settledRssMb()
    const filesBefore = (await target.gauges()).files
    const { child, done } = clients('idle', String(IDLE))
    const { opened, failed } = await done
    const held = await target.settledRssMb()
    const probe = target.probe()
    await sleep(2_000)
    const seen = await probe.end()
    const during = await target.gauges()
    child.stdin.end()
    await once(child, 'exit')
    const gauges = await target.whenQuiet(0)
    const after = await target.settledRssMb()
    const perConnection = ((held - before) * 1024) / opened
    console.log(
      `${opened} idle connections, ${failed} failed: RSS ${before.toFixed(0)} → ${held.toFixed(0)} MB ` +
        `(${perConnection.toFixed(1)} KB each), ${after.toFixed(0)} when they are gone; ${reportOf(seen)}`,
    )
    expect([opened, failed]).toEqual([IDLE, 0])
    expect(during.connections).toBeGreaterThanOrEqual(IDLE)
    expect(held - before).toBeLessThan(100)
    expect(seen.faults).toEqual([])
    expect(gauges.connections).toBe(0)
    expect(gauges.files).toBeLessThan(filesBefore + 50)
    expect(target.bugs).toEqual([])
  }, 55_000)

  it(
    `${RATE} opened and dropped a second for ${SECONDS} s leave nothing behind`,
    async () => {
      target = await Target.start()
      // As many as there may be at a time, so that growth is what is left and not what is kept ready.
      await clients('churn', String(RATE), '2').done
      await target.whenQuiet(0)
      const before = await target.settledRssMb()
      const filesBefore = (await target.gauges()).files
      const probe = target.probe()
      const done = await clients('churn', String(RATE), String(SECONDS)).done
      const seen = await probe.end()
      const gauges = await target.whenQuiet(0)
      const after = await target.settledRssMb()
      console.log(
        `${done.opened} connections in ${((done.tookMs ?? 0) / 1000).toFixed(1)} s, ${done.failed} failed ${JSON.stringify(done.reasons)}; ` +
          `RSS ${before.toFixed(0)} → ${after.toFixed(0)} MB, descriptors ${filesBefore} → ${gauges.files}; ${reportOf(seen)}`,
      )
      expect(done.failed).toBe(0)
      expect(seen.faults).toEqual([])
      expect(gauges).toMatchObject({
        ...{ connections: 0, inFlightBytes: 0, connectionsWaiting: 0, fetchesParked: 0 },
      })
      expect(gauges.files).toBeLessThan(filesBefore + 50)
      expect(after - before).toBeLessThan(48)
      expect(target.bugs).toEqual([])
    },
    count(55_000, 180_000),
  )
})
