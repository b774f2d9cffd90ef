import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { count, missing } from '../clients/requirements.ts'
import { replay } from './authorizer-cases.ts'

const RECORDED = new URL('../fixtures/tenant/authorizer-cases.tsv.gz', import.meta.url)
const PROGRAM = fileURLToPath(new URL('./AuthorizerCases.java', import.meta.url))

const SETS = count(3_000, 100_000)
const SETS_A_RUN = 10_000

test('what Kafka 4.3.1 said to 20,000 recorded questions is what we say', () => {
  const { differences, compared } = replay(gunzipSync(readFileSync(RECORDED)).toString())
  expect(differences.slice(0, 10)).toEqual([])
  expect(compared.get('Q')).toBe(16_000)
  expect(compared.get('T')).toBe(2_400)
  expect(compared.get('F')).toBe(1_600)
  expect(compared.get('V')).toBeGreaterThan(200)
  expect(compared.get('O')).toBe(6)
})

describe.skipIf(missing('java'))("beside Kafka's own StandardAuthorizer", () => {
  test(`${SETS} sets of ACLs that nobody has seen before`, () => {
    // the clock chooses, and a failure names the sets
    const first = 1_000_000 + (Date.now() % 1_000_000_000)
    for (let done = 0; done < SETS; done += SETS_A_RUN) {
      const sets = Math.min(SETS_A_RUN, SETS - done)
      const run = spawnSync(
        'java',
        ['-cp', `${process.env.GRIOT_KAFKA_LIBS}/*`, PROGRAM, `${first + done}`, `${sets}`],
        { encoding: 'utf8', maxBuffer: 2 ** 30 },
      )
      expect(run.status, run.stderr).toBe(0)
      const { differences, compared } = replay(run.stdout)
      expect(differences.slice(0, 10)).toEqual([])
      expect(compared.get('Q')).toBe(80 * sets)
    }
  }, 600_000)
})
