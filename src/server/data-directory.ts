/** The data directory: made, identified by `griot.json`, and for tests temporary. Called on the starting thread. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { ownerOf } from './directory-lock.ts'
import { systemRandomHex } from './system-random.ts'

export const DATA_FORMAT = 1
const IDENTITY_FILE = 'griot.json'
/** Not a name that people give to what they keep, such as `griot-` and the id of a container or of a commit. */
const TEMPORARY_PREFIX = 'griot-tmp-'
const TEMPORARY_NAME = /^griot-tmp-[0-9a-f]{12}$/
/** A temporary directory without a claim may be one that is being started: left alone for this long. */
const UNCLAIMED_KEEP_MS = 60_000
/** Containers often have a /dev/shm of 64 MB: too small to test with. */
const SHM_FREE_BYTES_MIN = 256 * 2 ** 20

/** The data directory cannot be used: the message says why and what would help. */
export class DataDirectoryError extends Error {
  override name = 'DataDirectoryError'
}

/** What a data directory was made for; fixed at its first start. */
export interface DirectoryIdentity {
  readonly format: number
  readonly cells: number
  readonly brokersPerCell: number
}

/** Makes `dataDir` with mode 0700 when it is missing, and returns its absolute path. */
export function makeDataDirectory(dataDir: string): string {
  const absolute = path.resolve(dataDir)
  try {
    makeWithParents(absolute)
    if (!statSync(absolute).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const reason = code === 'EEXIST' || code === 'ENOTDIR' ? 'it is not a directory' : code
    throw new DataDirectoryError(`data directory ${absolute} cannot be used: ${reason ?? error}`)
  }
  return absolute
}

/** Not mkdirSync's own `recursive`: that spins for ever where a file system takes no directories, as /proc does. */
function makeWithParents(directory: string): void {
  if (existsSync(directory)) return
  const parent = path.dirname(directory)
  if (parent !== directory) makeWithParents(parent)
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/**
 * Checks `wanted` against what the directory was made for, or writes it at the first start (durably, before any
 * broker writes). Call under the directory's lock. Throws {@link DataDirectoryError}.
 */
export function claimIdentity(dataDir: string, wanted: Omit<DirectoryIdentity, 'format'>): void {
  const file = path.join(dataDir, IDENTITY_FILE)
  if (!existsSync(file)) {
    const orphan = readdirSync(dataDir).find(
      (name) => /^broker-\d+$/.test(name) && !isUnused(path.join(dataDir, name)),
    )
    if (orphan !== undefined) {
      throw new DataDirectoryError(
        `${dataDir} holds ${orphan} but no ${IDENTITY_FILE}: it is damaged`,
      )
    }
    writeDurably(file, `${JSON.stringify({ format: DATA_FORMAT, ...wanted }, null, 2)}\n`)
    return
  }
  const found = readIdentity(file)
  if (found.format > DATA_FORMAT) {
    throw new DataDirectoryError(
      `${dataDir} has data format ${found.format}, this version reads up to ${DATA_FORMAT}: use a newer griot`,
    )
  }
  if (found.brokersPerCell !== wanted.brokersPerCell) {
    throw new DataDirectoryError(
      `${dataDir} was made with --brokers ${found.brokersPerCell}, this start asks for --brokers ${wanted.brokersPerCell}: ` +
        'the number cannot change',
    )
  }
  if (found.cells !== wanted.cells) {
    throw new DataDirectoryError(
      `${dataDir} was made with --cells ${found.cells}, this start asks for --cells ${wanted.cells}`,
    )
  }
}

/** Made for a file system to be mounted there, before the first start. */
const isUnused = (directory: string): boolean =>
  readdirSync(directory).every((name) => name === 'lost+found')

/** How many brokers a data directory was made for; null where there is none yet, or where the start will say what is wrong with it. */
export function brokersMadeFor(dataDir: string | undefined): number | null {
  if (dataDir === undefined || dataDir === '') return null
  try {
    return readIdentity(path.join(dataDir, IDENTITY_FILE)).brokersPerCell
  } catch {
    return null
  }
}

function readIdentity(file: string): DirectoryIdentity {
  try {
    const content = JSON.parse(readFileSync(file, 'utf8')) as Partial<DirectoryIdentity>
    const { format, cells, brokersPerCell } = content
    if ([format, cells, brokersPerCell].every((n) => Number.isInteger(n))) {
      return content as DirectoryIdentity
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== undefined) throw new DataDirectoryError(`${file} cannot be read: ${code}`)
  }
  throw new DataDirectoryError(`${file} is damaged`)
}

/** Mode 0600, whole or not at all. Throws {@link DataDirectoryError}. */
export function writeDurably(file: string, text: string): void {
  const temporary = `${file}.new`
  try {
    writeFileSync(temporary, text, { mode: 0o600, flush: true })
    renameSync(temporary, file)
    syncDirectory(path.dirname(file))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new DataDirectoryError(`${file} cannot be written: ${code}`)
  }
}

function syncDirectory(directory: string): void {
  // Windows opens no directories, and needs no such flush
  if (process.platform === 'win32') return
  const fd = openSync(directory, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** In memory where the system has such a place with room, else where temporary files go. */
export function temporaryBase(): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm')
    const roomy = bavail * bsize >= SHM_FREE_BYTES_MIN
    if (process.platform === 'linux' && roomy && isWritable('/dev/shm')) return '/dev/shm'
  } catch {
    // none here
  }
  return os.tmpdir()
}

export function makeTemporaryDirectory(base: string = temporaryBase()): string {
  const directory = path.join(base, `${TEMPORARY_PREFIX}${systemRandomHex(12)}`)
  mkdirSync(directory, { mode: 0o700 })
  return directory
}

/** Removes temporary directories whose engine is dead; what cannot be removed is left, without an error. */
export async function removeAbandoned(base: string, nowMs: number): Promise<void> {
  for (const name of readdirSync(base)) {
    if (!TEMPORARY_NAME.test(name)) continue
    const directory = path.join(base, name)
    try {
      if (isOwn(directory) && (await isAbandoned(directory, nowMs)))
        await rm(directory, { recursive: true, force: true })
    } catch {
      // somebody else's, or just going away
    }
  }
}

/**
 * Where everybody may write, others may have put something of that name: in a directory of theirs they could replace what is being
 * removed by links, and have this user's files removed instead.
 */
function isOwn(directory: string): boolean {
  const stat = lstatSync(directory)
  return stat.isDirectory() && stat.uid === (process.geteuid?.() ?? stat.uid)
}

async function isAbandoned(directory: string, nowMs: number): Promise<boolean> {
  const lock = path.join(directory, 'lock')
  const claimed = existsSync(lock) && readdirSync(lock).some((name) => name.endsWith('.claim'))
  if (claimed) return (await ownerOf(directory)) === null
  return nowMs - statSync(directory).mtimeMs > UNCLAIMED_KEEP_MS
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}
