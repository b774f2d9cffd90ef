import { expect, it } from 'vitest'
import { MetadataWaiting } from '../../../src/broker/replication/metadata-waiting.ts'
import type { ControlMessage } from '../../../src/link/control.ts'
import type { LogEnvironment } from '../../../src/log/environment.ts'

it('says after two seconds that nobody leads the controllers, in the log after ten, and when somebody does', () => {
  const said: string[] = []
  const logged: unknown[] = []
  const waiting = new MetadataWaiting({
    root: '/data/broker-1',
    environment: {
      logger: { log: (_: string, __: string, fields: object) => void logged.push(fields) },
    } as unknown as LogEnvironment,
    control: {
      post: (to: string, message: ControlMessage) =>
        void said.push(
          message.kind === 'metadata-waits' ? `${to}: ${message.reason?.slice(0, 12)}` : '',
        ),
    } as never,
  })
  const pass = (fromMs: number, toMs: number, isLed: boolean) => {
    for (let ms = fromMs; ms < toMs; ms += 10) waiting.look(isLed, () => '1,2,3', ms)
  }
  pass(0, 1_000, true)
  pass(1_000, 2_900, false)
  pass(2_900, 4_000, true)
  expect(said).toEqual([])
  pass(4_000, 13_900, false)
  expect(said).toEqual(['server: nobody leads'])
  expect(logged).toEqual([])
  pass(13_900, 73_900, false)
  expect(logged).toEqual([{ directory: '/data/broker-1/metadata', voters: '1,2,3' }])
  pass(73_900, 74_100, false)
  expect(logged).toHaveLength(2)
  pass(74_100, 75_000, true)
  expect(said).toEqual(['server: nobody leads', 'server: undefined'])
})
