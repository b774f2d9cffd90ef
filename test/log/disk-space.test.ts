import { expect, it } from 'vitest'
import { ManualClock } from '../../src/base/clock.ts'
import type { LogFields } from '../../src/base/log.ts'
import { DiskError } from '../../src/log/disk.ts'
import { DiskSpace } from '../../src/log/disk-space.ts'
import { SimulatedDisk } from '../../src/log/simulated-disk.ts'

it('says that writes fail, at once and then once in a while, with how many did', () => {
  const clock = new ManualClock(1_700_000_000_000)
  const disk = new SimulatedDisk({ nowMs: () => clock.wallMs() })
  disk.mkdirs('/data')
  const lines: [string, string, LogFields | undefined][] = []
  const logger = {
    log: (level: string, message: string, fields?: LogFields) =>
      void lines.push([level, message, fields]),
  }
  const space = new DiskSpace({ disk, clock, logger, directory: '/data', markBytes: 0 })
  const error = new DiskError('EIO', '/data/x/00.log', 'write')
  for (let i = 0; i < 100; i++) {
    space.failed(error)
    clock.advance(250)
  }
  const text = 'A write failed: write /data/x/00.log: EIO'
  expect(lines).toEqual([
    ['error', text, { directory: '/data', failed: 1 }],
    ['error', text, { directory: '/data', failed: 40 }],
    ['error', text, { directory: '/data', failed: 40 }],
  ])
  // room is another matter, of which /health tells
  lines.length = 0
  clock.advance(60_000)
  space.failed(new DiskError('ENOSPC', '/data/x/00.log', 'write'))
  expect(lines.map(([, message]) => message).join()).not.toContain('A write failed')
})
