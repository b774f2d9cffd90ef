import { ErrorCode } from '../base/error-code.ts'
import type { BrokerId } from '../base/ids.ts'
import { describeCluster } from '../protocol/60-describe-cluster.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { CONTROLLER_NODE, clusterOperations, nodesOf, OPERATIONS_UNKNOWN } from './nodes.ts'

const { acls } = requiredAcls.describeCluster

const EndpointType = { BROKERS: 1, CONTROLLERS: 2 } as const

export const describeClusterHandler = handler({
  api: describeCluster,
  scopes: [],
  handle(request, context) {
    const tenant = context.services.image.tenant(context.session.tenantId)
    const refusal = refusalOf(request.endpointType)
    context.reply({
      throttleTimeMs: 0,
      errorCode: refusal?.error ?? ErrorCode.NONE,
      errorMessage: refusal?.message ?? null,
      endpointType: refusal === null ? request.endpointType : EndpointType.BROKERS,
      clusterId: refusal === null ? (tenant?.clusterId ?? '') : '',
      controllerId: refusal === null ? CONTROLLER_NODE : -1,
      brokers:
        refusal === null
          ? nodesOf(context)
              .map(({ nodeId, host, port, rack }) => ({
                ...{ brokerId: nodeId, host, port, rack },
                isFenced: isGone(context, nodeId),
              }))
              .filter(({ isFenced }) => request.includeFencedBrokers || !isFenced)
          : [],
      clusterAuthorizedOperations:
        refusal === null && request.includeClusterAuthorizedOperations
          ? clusterOperations(context, acls.clusterOperations)
          : OPERATIONS_UNKNOWN,
    })
  },
})

/** Its thread has died: nobody leads or follows there. */
const isGone = (context: RequestContext, nodeId: number): boolean =>
  context.services.dispatcher.proxy(context.cellId, nodeId as BrokerId)?.alive !== true

function refusalOf(
  endpointType: number,
): { readonly error: number; readonly message: string } | null {
  switch (endpointType) {
    case EndpointType.BROKERS:
      return null
    case EndpointType.CONTROLLERS:
      return {
        error: ErrorCode.MISMATCHED_ENDPOINT_TYPE,
        message:
          'The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER',
      }
    default:
      return {
        error: ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
        message: `Unsupported endpoint type ${endpointType}`,
      }
  }
}
