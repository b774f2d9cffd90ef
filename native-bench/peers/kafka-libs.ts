/** Apache Kafka's jars, and a Java to run them. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from '../common/root.ts'

export const KAFKA_VERSION = '4.3.1'
const JAVA_MIN = 17

export const HOW_TO_GET_JAVA =
  `a JDK ${JAVA_MIN} or later is needed (apt-get install openjdk-17-jre-headless, brew install openjdk, ` +
  'or https://adoptium.net), on the PATH or in JAVA_HOME'

/** Path of a Java that is new enough. Throws with how to get one where there is none. */
export function javaProgram(env: NodeJS.ProcessEnv = process.env): string {
  const java = env.JAVA_HOME ? join(env.JAVA_HOME, 'bin/java') : 'java'
  const run = spawnSync(java, ['-version'], { encoding: 'utf8', env })
  if (run.error !== undefined || run.status !== 0)
    throw new Error(`no Java that runs (tried ${java}): ${HOW_TO_GET_JAVA}`)
  const version = javaVersion(run.stderr)
  if (version === null || version < JAVA_MIN)
    throw new Error(`${java} is Java ${version ?? 'of an unknown version'}: ${HOW_TO_GET_JAVA}`)
  return java
}

/** The major version in what `java -version` prints; 8 calls itself 1.8. */
export function javaVersion(text: string): number | null {
  const found = /version "(?:1\.)?(\d+)/.exec(text)
  return found === null ? null : Number(found[1])
}

const hasVersion = (libs: string, version: string): boolean =>
  existsSync(libs) && readdirSync(libs).includes(`kafka_2.13-${version}.jar`)

/**
 * Directory with Kafka's jars of `version`: GRIOT_KAFKA_LIBS where that has them, else fetched by Maven from Maven Central at
 * the first use and kept. Throws where there is no Maven, or where it fails.
 */
export function kafkaLibs(version: string = KAFKA_VERSION): string {
  const given = process.env.GRIOT_KAFKA_LIBS
  if (given !== undefined && hasVersion(given, version)) return given
  const libs = join(root, 'native-bench/peers/target', `kafka-${version}`)
  if (hasVersion(libs, version)) return libs
  console.error(`fetching Apache Kafka ${version} from Maven Central, once (70 MB)`)
  const unfinished = `${libs}.unfinished-${process.pid}`
  mkdirSync(dirname(libs), { recursive: true })
  try {
    runMaven(version, unfinished)
    if (!hasVersion(unfinished, version))
      throw new Error(`Maven fetched no kafka_2.13-${version}.jar`)
    rmSync(libs, { recursive: true, force: true })
    renameSync(unfinished, libs)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return libs
}

function runMaven(version: string, directory: string): void {
  const pom = join(root, 'native-bench/peers/pom.xml')
  const args = [
    '-q',
    '-B',
    '-Dstyle.color=never',
    '-f',
    pom,
    'dependency:copy-dependencies',
    `-Dkafka.version=${version}`,
  ]
  const made = spawnSync('mvn', [...args, `-DoutputDirectory=${directory}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  })
  const otherwise = `or set GRIOT_KAFKA_LIBS to a directory with kafka_2.13-${version}.jar and what it needs`
  if (made.error !== undefined)
    throw new Error(`Maven (mvn) is needed to fetch Kafka: apt-get install maven; ${otherwise}`)
  if (made.status === 0) return
  const said = `${made.stdout}${made.stderr}`.split('\n').find((line) => line.includes('[ERROR]'))
  throw new Error(
    `Maven could not fetch Apache Kafka ${version} (is Maven Central reachable?), ${otherwise}:\n${said ?? 'it did not say why'}`,
  )
}
