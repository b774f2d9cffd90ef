/** What a broker's thread finds of the metadata before its agents begin: whether it may make it, and whether its directory is its own. */
import { asBrokerId } from '../base/ids.ts'
import { brokerPath } from '../base/paths.ts'
import type { BrokerAgent } from '../broker/broker-agent.ts'
import {
  type OwnDirectory,
  refuseForeignId,
  refuseForeignMetadata,
} from '../broker/directory-owner.ts'
import { metadataAmong, replicasWithoutMetadata } from '../broker/lost-metadata.ts'
import type { MetadataFiles } from '../broker/replication/metadata-group.ts'
import { StartRefusedError } from '../controller/refused.ts'
import { brokerConfigNumber } from '../image/broker-config.ts'
import type { ConfigValues } from '../image/topic-config.ts'
import type { DiskError } from '../log/disk.ts'
import type { LogEnvironment } from '../log/environment.ts'
import { brokerConfigValues } from './broker-configs.ts'
import type { ThreadData } from './thread.ts'
import { CELL, quorumOf } from './wiring.ts'

/** Of the metadata log: small enough that a snapshot leaves little of what it replaces. */
const SEGMENT_BYTES_MAX = 16 * 2 ** 20
const SEGMENT_BYTES_MIN = 64 * 2 ** 10

type ControllerModule = typeof import('../controller/agent.ts')

/**
 * Broker 1 makes the metadata where nobody has any. What others have, or may have where it cannot be read, is joined; where they have replicas that nothing names any more, it throws
 * rather than have them removed as nobody's.
 */
export function metadataFiles(
  { settings, thread }: ThreadData,
  { disk, logger }: LogEnvironment,
  { lifeIn }: ControllerModule,
): MetadataFiles {
  const { brokers, dataDir } = settings
  const brokerId = asBrokerId(thread.brokerId)
  const voters = quorumOf(brokers)
  const root = brokerPath(dataDir, CELL, brokerId)
  const others = voters
    .filter((voter) => voter !== brokerId)
    .map((voter) => brokerPath(dataDir, CELL, voter))
  let unreadable: string | null = null
  const onUnreadable = (directory: string, { message }: DiskError) => {
    unreadable = directory
    const why = `This broker begins no cluster: whether another one has metadata cannot be read: ${message}`
    logger.log('warn', why, { directory })
  }
  const formsAlone = brokerId === voters[0] && metadataAmong(disk, others, onUnreadable) === null
  if (formsAlone && metadataAmong(disk, [root]) === null) {
    const holds = replicasWithoutMetadata(disk, dataDir)
    if (holds !== null) throw new StartRefusedError(lostMetadata(holds, root, others))
  }
  const { maxBytes } = snapshotSettings(brokerConfigValues(settings))
  return {
    ...{ root, voters, formsAlone, unreadable, lifeIn: (visit) => lifeIn(visit, CELL, brokerId) },
    segmentBytes: Math.min(SEGMENT_BYTES_MAX, Math.max(SEGMENT_BYTES_MIN, maxBytes / 2)),
  }
}

export function snapshotSettings(configs: ConfigValues) {
  return {
    maxBytes: brokerConfigNumber('metadata.log.max.record.bytes.between.snapshots', configs),
    maxIntervalMs: brokerConfigNumber('metadata.log.max.snapshot.interval.ms', configs),
  }
}

function lostMetadata(holds: string, root: string, others: readonly string[]): string {
  const where = [root, ...others].join(' and ')
  return (
    `there is no metadata in ${where}, but ${holds} holds replicas of topics: ` +
    'restore one of these directories, or begin with another --data-dir'
  )
}

const ownDirectory = ({ settings, thread }: ThreadData): OwnDirectory => ({
  brokerId: asBrokerId(thread.brokerId),
  rootOf: (id) => brokerPath(settings.dataDir, CELL, id),
})

/** Before anything is written there. Throws {@link StartRefusedError} for a directory that was exchanged or copied, as far as its files tell. */
export const refuseForeignDirectory = (data: ThreadData, { disk }: LogEnvironment): void =>
  refuseForeignMetadata(disk, ownDirectory(data))

/** Once the image is whole, which knows all directories. */
export const refuseKnownDirectory = (
  data: ThreadData,
  { image }: BrokerAgent,
  directoryId: string,
): void => refuseForeignId(image, CELL, directoryId, ownDirectory(data))
