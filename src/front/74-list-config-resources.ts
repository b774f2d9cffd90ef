import { ErrorCode } from '../base/error-code.ts'
import { listConfigResources } from '../protocol/74-list-config-resources.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { ResourceType } from './config-resources.ts'
import { handler, type RequestContext } from './context.ts'
import { nodesOf } from './nodes.ts'

const { acls } = requiredAcls.listConfigResources

const { TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP } = ResourceType

/** What each version can be asked for; all of it when nothing is named. */
const ALL_BY_VERSION = [[CLIENT_METRICS], [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP]]

export const listConfigResourcesHandler = handler({
  api: listConfigResources,
  scopes: [],
  handle(request, context) {
    if (!context.may(acls.cluster)) {
      const errorCode = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
      context.reply({ throttleTimeMs: 0, errorCode, configResources: [] })
      return
    }
    const all: readonly number[] = ALL_BY_VERSION[context.version] ?? []
    const asked = context.version === 0 ? [] : request.resourceTypes
    const types = asked.length === 0 ? all : [...new Set(asked)]
    if (types.some((type) => !all.includes(type))) {
      const errorCode = ErrorCode.UNSUPPORTED_VERSION
      context.reply({ throttleTimeMs: 0, errorCode, configResources: [] })
      return
    }
    const configResources = types.flatMap((resourceType) =>
      namesOf(resourceType, context).map((resourceName) => ({ resourceName, resourceType })),
    )
    context.reply({ throttleTimeMs: 0, errorCode: ErrorCode.NONE, configResources })
  },
})

function namesOf(type: number, context: RequestContext): string[] {
  const { image } = context.services
  const { tenantId } = context.session
  switch (type) {
    case TOPIC:
      return Array.from(image.topics(tenantId), ({ name }) => name)
    case BROKER:
    case BROKER_LOGGER:
      return nodesOf(context).map(({ nodeId }) => String(nodeId))
    case GROUP:
      return image.tenant(tenantId)?.groupsWithConfigs() ?? []
    default:
      return []
  }
}
