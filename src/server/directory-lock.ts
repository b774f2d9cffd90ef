/**
 * One owner per data directory, without flock and without a pid file that outlives its process.
 *
 * In `<data dir>/lock/`:
 *   <n>.claim       JSON {@link Claim}: who took the directory the n-th time; complete when it appears, never changed
 *   <nonce>.sock    the socket that the claimant listens on: refuses connections once the process is dead
 *   <nonce>.beat    a number rewritten every second, for claimants that run another kernel
 *   <nonce>.free    present once the claimant has let go
 *
 * To take the directory: see that every claim is dead, make claim n = highest + 1 (creation is exclusive), list again,
 * and give way if there is a higher one by now. The highest claim is never removed and an owner removes only claims
 * far below its own, so of any two that believe themselves owner one has seen the other:
 * let X own m and Y own n > m. If X made m before Y's first listing, Y saw it alive. Otherwise Y listed k = n − 1 ≥ m
 * before X made m, so X's second listing holds k, or a higher one, and X gave way (k = m is impossible: k existed and
 * is removed only under a higher one).
 *
 * Alive means: on the same kernel (same boot id, or no boot id and the same host name), its socket accepts; from another
 * kernel (two hosts on one volume, or a reboot), its beat moves within {@link LEASE_MS} on the watcher's own clock.
 */
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { hostSleep } from './host-time.ts'
import { beat, claimNumbers, type LockBeat } from './lock-beat.ts'
import { isListening, LockSocket } from './lock-socket.ts'
import { systemRandomHex } from './system-random.ts'

/** A claim of another kernel counts as dead when its beat has not moved for this long. */
export const LEASE_MS = 4_000
/** Old claims that an owner leaves below its own, so that no listing can miss all of them. */
const CLAIMS_KEPT = 8
const LOCK_FORMAT = 1

/** What is known of a claimant. */
export interface Claim {
  readonly format: number
  readonly nonce: string
  readonly pid: number
  readonly host: string
  /** null where the platform has none. */
  readonly bootId: string | null
  readonly socket: boolean
}

/** The directory has a living owner. */
export class DirectoryLockedError extends Error {
  override name = 'DirectoryLockedError'
}

export const lockNonce = (): string => systemRandomHex(16)
export const lockDirectory = (dataDir: string): string => path.join(dataDir, 'lock')

export class DirectoryLock {
  readonly beat: LockBeat
  readonly #socket: LockSocket | null

  private constructor(beat: LockBeat, socket: LockSocket | null) {
    this.beat = beat
    this.#socket = socket
  }

  /**
   * Takes `dataDir`, which must exist, or throws {@link DirectoryLockedError} naming the owner. Waits only for a claimant
   * of another kernel that looks dead, {@link LEASE_MS} at most.
   */
  static async acquire(dataDir: string, nonce: string = lockNonce()): Promise<DirectoryLock> {
    const directory = lockDirectory(dataDir)
    makeOnce(directory)
    const socket = await LockSocket.listen(directory, nonce)
    const claim: Claim = {
      format: LOCK_FORMAT,
      nonce,
      pid: process.pid,
      host: os.hostname(),
      bootId: readBootId(),
      socket: socket !== null,
    }
    try {
      const number = await takeNumber(dataDir, directory, claim)
      removeOldClaims(directory, number)
      return new DirectoryLock({ directory, nonce, number }, socket)
    } catch (error) {
      await socket?.close()
      rmSync(path.join(directory, `${nonce}.beat`), { force: true })
      throw error
    }
  }

  /** Lets go; the claim stays, marked as free. */
  async release(): Promise<void> {
    const { directory, nonce } = this.beat
    writeFileSync(path.join(directory, `${nonce}.free`), '')
    rmSync(path.join(directory, `${nonce}.beat`), { force: true })
    await this.#socket?.close()
  }
}

function makeOnce(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Whether a living process owns `dataDir`; null when nobody does. Never waits for a lease: unsure counts as owned. */
export async function ownerOf(dataDir: string): Promise<Claim | null> {
  const directory = lockDirectory(dataDir)
  for (const number of claimNumbers(directory)) {
    const claim = readClaim(directory, number)
    if (claim !== null && (await isAlive(directory, claim, false))) return claim
  }
  return null
}

async function takeNumber(dataDir: string, directory: string, claim: Claim): Promise<number> {
  beat({ directory, nonce: claim.nonce, number: 0 }, 0)
  for (;;) {
    const numbers = claimNumbers(directory)
    for (const number of numbers) await refuseIfAlive(dataDir, directory, number)
    const mine = (numbers.at(-1) ?? 0) + 1
    if (!createClaim(directory, mine, claim)) continue
    if (claimNumbers(directory).at(-1) === mine) return mine
    // somebody went further meanwhile: see who it is, with this claim out of the way
    rmSync(claimPath(directory, mine), { force: true })
  }
}

async function refuseIfAlive(dataDir: string, directory: string, number: number): Promise<void> {
  const claim = readClaim(directory, number)
  if (claim === null || !(await isAlive(directory, claim, true))) return
  throw new DirectoryLockedError(
    `data directory ${dataDir} is in use by process ${claim.pid} on host ${claim.host}`,
  )
}

async function isAlive(directory: string, claim: Claim, wait: boolean): Promise<boolean> {
  if (existsSync(path.join(directory, `${claim.nonce}.free`))) return false
  const bootId = readBootId()
  const sameKernel =
    bootId === null || claim.bootId === null
      ? bootId === claim.bootId && claim.host === os.hostname()
      : bootId === claim.bootId
  if (sameKernel && claim.socket) return isListening(directory, claim.nonce)
  return !wait || beatMoves(path.join(directory, `${claim.nonce}.beat`))
}

async function beatMoves(file: string): Promise<boolean> {
  const read = () => (existsSync(file) ? readFileSync(file, 'utf8') : null)
  const before = read()
  for (let waitedMs = 0; before !== null && waitedMs < LEASE_MS; waitedMs += 100) {
    await hostSleep(100)
    if (read() !== before) return true
  }
  return false
}

const claimPath = (directory: string, number: number): string =>
  path.join(directory, `${number}.claim`)

/** Makes claim `number` with its content in one step, or returns false when it exists. */
function createClaim(directory: string, number: number, claim: Claim): boolean {
  const temporary = path.join(directory, `${claim.nonce}.new`)
  writeFileSync(temporary, JSON.stringify(claim))
  try {
    linkSync(temporary, claimPath(directory, number))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    return createExclusively(directory, number, claim)
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** For file systems without hard links; a reader may meet the file before its content. */
function createExclusively(directory: string, number: number, claim: Claim): boolean {
  try {
    writeFileSync(claimPath(directory, number), JSON.stringify(claim), { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** null when the claim is gone. One that cannot be read is refused by name rather than taken over. */
function readClaim(directory: string, number: number): Claim | null {
  const file = claimPath(directory, number)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  let claim: Claim
  try {
    claim = JSON.parse(text) as Claim
  } catch {
    throw new DirectoryLockedError(
      `${file} is being written or damaged: the directory may be in use`,
    )
  }
  if (claim.format > LOCK_FORMAT) {
    throw new DirectoryLockedError(
      `${file} has format ${claim.format}, this version reads up to ${LOCK_FORMAT}: use a newer griot`,
    )
  }
  return claim
}

function removeOldClaims(directory: string, number: number): void {
  for (const old of claimNumbers(directory)) {
    if (old >= number - CLAIMS_KEPT) continue
    const claim = readClaim(directory, old)
    rmSync(claimPath(directory, old), { force: true })
    if (claim === null) continue
    for (const kind of ['sock', 'beat', 'free']) {
      rmSync(path.join(directory, `${claim.nonce}.${kind}`), { force: true })
    }
  }
}

/** Identifies the running kernel; shared by all containers of a host. null where there is none. */
function readBootId(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return null
  }
}
