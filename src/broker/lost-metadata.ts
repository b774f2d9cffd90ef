import type { Disk } from '../log/disk.ts'

const BROKER = /^(?:cell-\d+-)?broker-\d+$/
const TENANT = /^[0-9a-f]{16}$/

/**
 * Which broker's directory holds replicas, although the metadata log is empty: null where none does. A cluster that was formed anew then would take all of them
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
