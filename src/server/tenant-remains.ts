/** What the data directory has of a tenant, by looking at its bytes: for who wants nothing to be left of one that was deleted. HTTP front's thread. */
import { open, readdir, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { TenantRemains } from '../admin/remains-routes.ts'

/** Of other tenants: no file of theirs has bytes of this one. */
const TENANT_DIRECTORY = /^[0-9a-f]{16}$/
const CHUNK_BYTES = 1 << 20

/**
 * Directories of the tenant, whatever is in them, and files outside of them that name it: each entry of the metadata that is about a tenant or what it has names its id, which is
 * drawn at random. Files that go while they are looked at are not there. Throws what reading throws.
 */
export async function tenantRemains(dataDir: string, tenantId: string): Promise<TenantRemains> {
  const directories: string[] = []
  const files: string[] = []
  let looked = 0
  const walk = async (folder: string, above: readonly string[]): Promise<void> => {
    for (const name of await namesIn(folder)) {
      const path = join(folder, name)
      // a broker's directory may be a link to another disk
      const found = await unlessGone(stat(path))
      if (found?.isDirectory() === true) {
        const place = `${found.dev} ${found.ino}`
        if (name.startsWith(tenantId)) directories.push(relative(dataDir, path))
        // a link may lead back to where it is
        else if (!TENANT_DIRECTORY.test(name) && !above.includes(place)) {
          await walk(path, [...above, place])
        }
      } else if (found?.isFile() === true) {
        looked++
        if (name.includes(tenantId) || (await holds(path, tenantId))) {
          files.push(relative(dataDir, path))
        }
      }
    }
  }
  await walk(dataDir, [])
  return { directories, files, looked }
}

const namesIn = async (folder: string): Promise<readonly string[]> =>
  ((await unlessGone(readdir(folder))) ?? []).sort()

async function unlessGone<Value>(asked: Promise<Value>): Promise<Value | null> {
  try {
    return await asked
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** A piece at a time, each with the end of the one before. */
async function holds(path: string, text: string): Promise<boolean> {
  const file = await unlessGone(open(path))
  if (file === null) return false
  try {
    const overlap = text.length - 1
    const bytes = Buffer.alloc(CHUNK_BYTES + overlap)
    let kept = 0
    for (;;) {
      const { bytesRead } = await file.read(bytes, kept, CHUNK_BYTES)
      if (bytesRead === 0) return false
      const end = kept + bytesRead
      if (bytes.subarray(0, end).includes(text)) return true
      kept = Math.min(overlap, end)
      bytes.copyWithin(0, end - kept, end)
    }
  } finally {
    await file.close()
  }
}
