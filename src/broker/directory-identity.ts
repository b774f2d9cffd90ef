import type { Random } from '../base/random.ts'
import type { Disk, FlushPort } from '../log/disk.ts'

/** Names the directory, so that the controller can tell one that was emptied, or another, from the one that it knew. */
export const IDENTITY_FILE = 'directory.properties'

/** The file is there, and does not say what it should: nobody knows any more which directory this was. */
export class DirectoryIdentityError extends Error {
  override name = 'DirectoryIdentityError'
}

export interface DirectoryIdentityOptions {
  readonly disk: Disk
  /** The broker's directory; it exists. */
  readonly root: string
  readonly flush: FlushPort
  readonly random: Random
}

export interface DirectoryIdentity {
  readonly directoryId: string
  /** It was drawn now: whatever replicas here had promised, they had as others. */
  readonly isNew: boolean
}

const VERSION = 1
const TEXT = /^version=(\d+)\ndirectory\.id=([0-9a-f]{32})\n$/

/**
 * The id of a broker's directory, 32 lower-case hex digits: read from its file, or drawn and written where there is none. One that a power cut takes is
 * another id at the next start, as is one that its broker has removed ({@link forgetDirectoryIdentity}), and then the replicas here vote for nobody before they are let in again. Throws DiskError or {@link DirectoryIdentityError}.
 */
export function openDirectoryIdentity(options: DirectoryIdentityOptions): DirectoryIdentity {
  const { disk, root, flush, random } = options
  const path = `${root}/${IDENTITY_FILE}`
  if (disk.exists(path)) {
    const directoryId = read(disk, path)
    // a thread that died as it was drawn may not have come to that
    for (const one of [path, root]) flush.request(one, () => {})
    return { directoryId, isNew: false }
  }
  const directoryId = Array.from({ length: 4 }, () => hex(random.uint32())).join('')
  const text = `version=${VERSION}\ndirectory.id=${directoryId}\n`
  disk.writeFileAtomic(path, new TextEncoder().encode(text))
  for (const one of [path, root]) flush.request(one, () => {})
  return { directoryId, isNew: true }
}

/** The broker may have forgotten what it has promised: at its next start it is another, and is filled anew. Throws DiskError. */
export function forgetDirectoryIdentity(disk: Disk, root: string): void {
  const path = `${root}/${IDENTITY_FILE}`
  if (disk.exists(path)) disk.remove(path)
}

function read(disk: Disk, path: string): string {
  const text = new TextDecoder().decode(disk.readFile(path))
  const [, version, directoryId] = TEXT.exec(text) ?? []
  if (directoryId === undefined || Number(version) > VERSION) {
    const found = version === undefined ? 'is damaged' : `has version ${version}`
    throw new DirectoryIdentityError(
      `${path} ${found}: if this directory is to be filled anew from the other brokers, remove it whole, else restore the file`,
    )
  }
  return directoryId
}

const hex = (word: number): string => word.toString(16).padStart(8, '0')
