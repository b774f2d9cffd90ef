import type { BrokerId } from '../base/ids.ts'
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

/** `broker.rack` of a node of the tenant's cell, as its broker has said. */
export const rackOf = ({ services, cellId }: RequestContext, nodeId: number): string | null =>
  services.image.brokerDirectory(cellId, nodeId as BrokerId)?.rack ?? null

/** Which node clients take for the controller: any node can be asked, wherever it is. */
export const CONTROLLER_NODE = 1

/**
 * The bits of all operations that Kafka's ACLs know of a topic and of the cluster: everybody may do all of them as long as there are
 * no ACLs.
 */
export const TOPIC_OPERATIONS = 3_576
export const CLUSTER_OPERATIONS = 8_096

/** Authorized operations when they were not asked for. */
export const OPERATIONS_UNKNOWN = -2_147_483_648
