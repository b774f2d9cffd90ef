/** A short flood of each kind that once silenced everybody else, as `npm run bench -- flood` does it. */
import { expect, test } from 'vitest'
import { type FloodName, floodNames } from '../../native-bench/flood/floods.ts'
import { measureFloods } from '../../native-bench/flood/measure.ts'
import { floodText, RATIO_GOAL } from '../../native-bench/flood/text.ts'
import { count } from '../clients/requirements.ts'

/** Ten times the goal, of what a machine with other work shows without any flood. */
const RATIO_MAX = 10 * RATIO_GOAL
const QUIET_P99_MS = 20
const SHORT: readonly FloodName[] = ['tiny', 'produces', 'half']

test(
  'while one tenant floods, another produces 1 MB/s; nobody of it is refused, and its p99 is bounded',
  async () => {
    const isLong = count(0, 1) === 1
    const seen = await measureFloods({
      floods: isLong ? floodNames : SHORT,
      ...{ repeats: 1, connections: count(300, 2000), brokers: 1, memory: '128M' },
      ...{ seconds: count(2, 5), warmupSeconds: 0.5, print: (line: string) => console.log(line) },
    })
    for (const { flood, before, during, report } of seen) {
      const bound = RATIO_MAX * Math.max(before.p99Ms, QUIET_P99_MS)
      expect(during.p99Ms, flood).toBeLessThan(bound)
      expect(during.bytesPerSecond, flood).toBeGreaterThan(0.5e6)
      if (flood !== 'spin') expect(report.connects, flood).toBeGreaterThanOrEqual(count(300, 2000))
    }
    const text = floodText(seen)
    for (const { flood } of seen) expect(text).toContain(`| ${flood}`)
  },
  count(60_000, 600_000),
)
