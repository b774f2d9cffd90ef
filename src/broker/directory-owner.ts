/** Directories of brokers that were exchanged or copied: each is refused by name, before anything is done with it. */
import type { BrokerId, CellId } from '../base/ids.ts'
import { brokerOf } from '../base/replica-id.ts'
import { StartRefusedError } from '../controller/refused.ts'
import type { MetadataView } from '../image/view.ts'
import { ControlEntries } from '../log/control-entries.ts'
import type { Disk } from '../log/disk.ts'
import { metadataPath } from './metadata-log.ts'

export interface OwnDirectory {
  readonly brokerId: BrokerId
  readonly rootOf: (broker: BrokerId) => string
}

/** Throws {@link StartRefusedError} where this broker's directory holds another one's copy of the metadata. Throws DiskError. */
export function refuseForeignMetadata(disk: Disk, { brokerId, rootOf }: OwnDirectory): void {
  const replica = ControlEntries.replicaIn(disk, metadataPath(rootOf(brokerId)))
  if (replica !== null) refuseOther(brokerOf(replica), { brokerId, rootOf })
}

/** Likewise where the image, which is whole, knows this directory as that of another broker. */
export function refuseForeignId(
  image: MetadataView,
  cellId: CellId,
  directoryId: string,
  own: OwnDirectory,
): void {
  for (let id = 1; id <= image.brokersPerCell; id++) {
    const broker = id as BrokerId
    if (image.brokerDirectory(cellId, broker)?.directoryId === directoryId) refuseOther(broker, own)
  }
}

function refuseOther(owner: BrokerId, { brokerId, rootOf }: OwnDirectory): void {
  if (owner === brokerId) return
  throw new StartRefusedError(
    `${rootOf(brokerId)} holds what is broker ${owner}'s, which belongs in ${rootOf(owner)}: directories of brokers must not be copied or exchanged. Put each back under its own name; one that is a copy is removed whole, and filled anew from the other brokers`,
  )
}
