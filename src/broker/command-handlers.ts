/** Who handles which command of a front; and on whose behalf it was is counted once it is done. On the broker's thread. */
import { InvariantError } from '../base/assert.ts'
import { CommandType } from '../link/commands.ts'
import type { RingHandler, RingReader } from '../shared/ring-reader.ts'
import type { CoordinateHandler } from './coordinate.ts'
import { DeleteRecordsHandler } from './delete-records.ts'
import { EpochEndHandler } from './epoch-end.ts'
import type { FrontLink } from './front-link.ts'
import type { LeaderPartitions } from './leader-partitions.ts'
import { ListOffsetsHandler } from './list-offsets.ts'
import { LocateHandler } from './locate.ts'
import type { ProduceHandler } from './produce.ts'
import { WatchHandler } from './watch.ts'

/** In the order of `links`. */
export function commandHandlers(
  partitions: LeaderPartitions,
  produce: ProduceHandler,
  coordinate: CoordinateHandler,
): RingHandler[] {
  const locate = new LocateHandler(partitions)
  const watch = new WatchHandler(partitions)
  const listOffsets = new ListOffsetsHandler(partitions)
  const deleteRecords = new DeleteRecordsHandler(partitions)
  const epochEnd = new EpochEndHandler(partitions)
  const handle = (link: FrontLink, type: number, reader: RingReader, at: number): void => {
    if (type === CommandType.PRODUCE) produce.onProduce(link, reader, at)
    else if (type === CommandType.LOCATE) locate.onLocate(link, reader, at)
    else if (type === CommandType.WATCH) watch.onWatch(link, reader, at)
    else if (type === CommandType.REPLICA_LOCATE) locate.onReplicaLocate(link, reader, at)
    else if (type === CommandType.REPLICA_WATCH) watch.onReplicaWatch(link, reader, at)
    else if (type === CommandType.LIST_OFFSETS) listOffsets.onListOffsets(link, reader, at)
    else if (type === CommandType.COORDINATE) coordinate.onCoordinate(link, reader, at)
    else if (type === CommandType.DELETE_RECORDS) deleteRecords.onDeleteRecords(link, reader, at)
    else if (type === CommandType.EPOCH_END) epochEnd.onEpochEnd(link, reader, at)
    else throw new InvariantError(`command of unknown type ${type}`)
  }
  const { use } = partitions
  return partitions.links.map((link) => ({
    onRecord: (type: number, reader: RingReader, at: number) => {
      handle(link, type, reader, at)
      use.commandDone()
    },
  }))
}
