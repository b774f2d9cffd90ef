/** What a client test needs beyond npm: there, or skipped with a line that says how to get it, or (in CI) a failure. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'

const required = new Set((process.env.GRIOT_REQUIRE ?? '').split(',').filter(Boolean))

interface Requirement {
  readonly name: 'kcat' | 'librdkafka' | 'java' | 'franz-go' | 'systemd' | 'promtool' | 'prometheus'
  readonly found: () => boolean
  readonly howToGet: string
}

const requirements: readonly Requirement[] = [
  {
    name: 'kcat',
    found: () => spawnSync('kcat', ['-V']).status === 0,
    howToGet: 'apt-get install kcat',
  },
  {
    name: 'librdkafka',
    found: () => {
      try {
        createRequire(new URL('./librdkafka/package.json', import.meta.url)).resolve(
          '@confluentinc/kafka-javascript',
        )
        return true
      } catch {
        return false
      }
    },
    howToGet:
      'apt-get install libssl-dev libsasl2-dev libzstd-dev zlib1g-dev libcurl4-openssl-dev liblz4-dev; CKJS_LINKING=dynamic npm ci --prefix test/clients/librdkafka',
  },
  {
    name: 'prometheus',
    found: () =>
      ['prometheus', 'promtool'].every((name) => spawnSync(name, ['--version']).status === 0),
    howToGet: 'apt-get install --no-install-recommends prometheus',
  },
  {
    name: 'java',
    found: () =>
      spawnSync('java', ['-version']).status === 0 &&
      existsSync(process.env.GRIOT_KAFKA_LIBS ?? 'no such directory'),
    howToGet:
      'a JDK 17+ and Maven; mvn -q -f test/clients/java/pom.xml dependency:copy-dependencies -DoutputDirectory=DIR; GRIOT_KAFKA_LIBS=DIR',
  },
  {
    name: 'franz-go',
    found: () => existsSync(process.env.FRANZ_GO ?? 'no such program'),
    howToGet:
      'Go 1.26; go build -C test/clients/others/franz-go -o FILE .; FRANZ_GO=FILE (an absolute path)',
  },
  {
    name: 'systemd',
    // the first that can judge a unit without a manager that runs
    found: () =>
      Number(
        /^systemd (\d+)/.exec(String(spawnSync('systemd-analyze', ['--version']).stdout))?.[1],
      ) >= 250,
    howToGet: 'apt-get install systemd (250 or later)',
  },
  {
    name: 'promtool',
    found: () => spawnSync('promtool', ['--version']).status === 0,
    howToGet: 'apt-get install prometheus',
  },
]

/** True when `name` is missing: the caller skips. Throws where GRIOT_REQUIRE names it, so that CI cannot skip. */
export function missing(name: Requirement['name']): boolean {
  const requirement = requirements.find((r) => r.name === name)!
  if (requirement.found()) return false
  if (required.has(name)) throw new Error(`GRIOT_REQUIRE names ${name}, but it is not here`)
  console.log(`skipped: needs ${name} (${requirement.howToGet})`)
  return true
}

/** The counts of the issues in full, or what fits into `npm test`. */
export const isLong = process.env.GRIOT_TEST_LONG === '1'
export const count = (short: number, long: number): number => (isLong ? long : short)
