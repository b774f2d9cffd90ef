import { type Disk, DiskError } from '../log/disk.ts'
import { hasMetadata } from './metadata-log.ts'

const BROKER = /^(?:cell-\d+-)?broker-\d+$/
const TENANT = /^[0-9a-f]{16}$/

/**
 * Which of these directories of brokers holds metadata; null: none does. One that cannot be read counts as one that does, since it may: `onUnreadable` is told of it. So nobody begins
 * a cluster beside one that is there, and a broker whose own disk is well comes back.
 */
export function metadataAmong(
  disk: Disk,
  roots: readonly string[],
  onUnreadable: (root: string, error: DiskError) => void = () => {},
): string | null {
  const held = roots.filter((root) => {
    try {
      return hasMetadata(disk, root)
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      onUnreadable(root, error)
      return true
    }
  })
  return held[0] ?? null
}

/**
 * Which broker's directory holds replicas, although there is no metadata: null where none does. A cluster that was formed anew then would take all of them
 * for topics that were deleted, and remove them. Throws DiskError.
 */
export function replicasWithoutMetadata(disk: Disk, dataDir: string): string | null {
  for (const name of disk.list(dataDir)) {
    if (!BROKER.test(name)) continue
    const directory = `${dataDir}/${name}`
    const tenants = disk.list(directory).filter((one) => TENANT.test(one))
    if (tenants.some((tenant) => disk.list(`${directory}/${tenant}`).length > 0)) return directory
  }
  return null
}
