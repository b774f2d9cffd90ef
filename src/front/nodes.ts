import type { BrokerId, PartitionNumber } from '../base/ids.ts'
import { ResourceType } from '../image/acl-binding.ts'
import type { MetadataView } from '../image/view.ts'
import type { RequiredAcl } from '../tenant/required-acls.ts'
import type { RequestContext } from './context.ts'

/** A node as a client is told of it. */
export interface Node {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  /** null where none was given. */
  readonly rack: string | null
}

/** The nodes of the tenant's cell, ids 1 … N, at the listener that the connection came in on. */
export function nodesOf(context: RequestContext): Node[] {
  const { listener, localAddress } = context.connection
  const host = listener.advertisedHost ?? localAddress
  const nodes: Node[] = []
  const count = Math.min(context.services.image.brokersPerCell, listener.advertisedPorts.length)
  for (let nodeId = 1; nodeId <= count; nodeId++) {
    const rack = rackOf(context, nodeId)
    nodes.push({ nodeId, host, port: listener.advertisedPorts[nodeId - 1]!, rack })
  }
  return nodes
}

/** Kafka's name of what the client speaks. */
export function securityProtocolOf({ connection, session }: RequestContext): string {
  const hasLoggedIn = session.login !== null && session.login.kind !== 'certificate'
  return `${hasLoggedIn ? 'SASL_' : ''}${connection.listener.isTls === true ? 'SSL' : 'PLAINTEXT'}`
}

/** `broker.rack` of a node of the tenant's cell, as its broker has said. */
export const rackOf = ({ services, cellId }: RequestContext, nodeId: number): string | null =>
  services.image.brokerDirectory(cellId, nodeId as BrokerId)?.rack ?? null

/** What a node's directory is called: where it is, is the machine's affair. */
export const logDirOf = (nodeId: number): string => `/broker-${nodeId}`

/** What clients take for an epoch that is not known. */
export const EPOCH_UNKNOWN = -1

/**
 * The leader epoch as clients are told: unknown while nobody has said who leads one of several replicas. 0 would be before what a client has seen in
 * an earlier life of the engine, and Java's goes by nothing that is older.
 */
export function epochToTell(image: MetadataView, partition: PartitionNumber): number {
  const epoch = image.leaderEpochOf(partition)
  return epoch === 0 && image.isReplicated(partition) ? EPOCH_UNKNOWN : epoch
}

/** Who leads, as an error that says who does not names it (KIP-951). */
export interface NamedLeader {
  readonly leaderId: number
  readonly leaderEpoch: number
}

/** Null where nobody is known to lead who lives. */
export function leaderToName(
  { services, cellId }: RequestContext,
  partition: PartitionNumber,
): NamedLeader | null {
  const { image, dispatcher } = services
  const leaderEpoch = epochToTell(image, partition)
  if (leaderEpoch === EPOCH_UNKNOWN || !dispatcher.isLed(cellId, partition)) return null
  return { leaderId: image.leaderOf(partition), leaderEpoch }
}

/** Where the leaders are that an answer names. */
export function endpointsOf(context: RequestContext, leaders: Iterable<NamedLeader>): Node[] {
  const ids = new Set<number>()
  for (const { leaderId } of leaders) ids.add(leaderId)
  return ids.size === 0 ? [] : nodesOf(context).filter(({ nodeId }) => ids.has(nodeId))
}

/** Which node clients take for the controller: any node can be asked, wherever it is. */
export const CONTROLLER_NODE = 1

/** Authorized operations when they were not asked for. */
export const OPERATIONS_UNKNOWN = -2_147_483_648

/** What the client may do with the cluster, as bits; 0 for whom may not see it (KIP-430). */
export const clusterOperations = (context: RequestContext, right: RequiredAcl): number =>
  context.may(right) ? context.rights.operationsOn(ResourceType.CLUSTER) : 0
