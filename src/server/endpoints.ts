/** Where a running engine can be asked: a file in its data directory, by which commands find it. Server's thread, and the CLI. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Logger } from '../base/log.ts'

const ENDPOINTS_FILE = 'endpoints.json'
const ENDPOINTS_FORMAT = 1

/** As programs on this machine reach them. */
export interface Endpoints {
  /** HOST:PORT of each broker at the first listener; none while the engine starts. */
  readonly kafka: readonly string[]
  readonly httpUrl: string | null
  /** Of health, metrics and what else is the operator's. */
  readonly adminUrl: string | null
  /** Of the process that the engine runs in: where signals go. */
  readonly pid: number
  /** Nonce of the directory's lock: whose file this is. */
  readonly owner: string
}

/** Complete when it appears. Not durable: it means nothing after a crash of the machine. Throws the system's error. */
export function writeEndpoints(dataDir: string, endpoints: Endpoints): void {
  const content = { format: ENDPOINTS_FORMAT, ...endpoints }
  const temporary = `${fileIn(dataDir)}.${endpoints.owner}.new`
  writeFileSync(temporary, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
  renameSync(temporary, fileIn(dataDir))
}

/** Commands that know the data directory find the engine. Where that cannot be written, it is said. */
export function tellEndpoints(dataDir: string, endpoints: Endpoints, logger: Logger): void {
  try {
    writeEndpoints(dataDir, endpoints)
  } catch (error) {
    const reason = (error as Error).message
    logger.log('warn', 'the file that tells where the engine is was not written', { reason })
  }
}

/** Nothing where another engine has written its own meanwhile: one whose lease was over, as its machine stood still. */
export function removeEndpoints(dataDir: string, owner: string): void {
  if (readEndpoints(dataDir)?.owner === owner) rmSync(fileIn(dataDir), { force: true })
}

/** null when no engine runs there, or none that this version understands. A killed one has left its addresses. */
export function readEndpoints(dataDir: string): Endpoints | null {
  try {
    const content = JSON.parse(readFileSync(fileIn(dataDir), 'utf8')) as Endpoints & {
      readonly format: unknown
    }
    return content.format === ENDPOINTS_FORMAT ? content : null
  } catch {
    return null
  }
}

const fileIn = (dataDir: string): string => path.join(dataDir, ENDPOINTS_FILE)
