import { ErrorCode } from '../base/error-code.ts'
import { describeBrokerConfigs } from '../image/broker-config.ts'
import type { DescribedConfig } from '../image/config-def.ts'
import { describeTopicConfigs } from '../image/topic-config.ts'
import { refuseTopicName } from '../image/topic-names.ts'
import {
  type DescribeConfigsRequest,
  type DescribeConfigsResponseInput,
  describeConfigs,
} from '../protocol/32-describe-configs.ts'
import { handler, type RequestContext } from './context.ts'
import { nodesOf } from './nodes.ts'

type Context = RequestContext<typeof describeConfigs>
type Resource = DescribeConfigsRequest['resources'][number]
type Result = DescribeConfigsResponseInput['results'][number]

const ResourceType = { TOPIC: 2, BROKER: 4 } as const

interface Found {
  readonly error: number
  readonly message: string | null
  readonly configs: readonly DescribedConfig[]
}

const notFound = (error: number, message: string): Found => ({ error, message, configs: [] })

export const describeConfigsHandler = handler({
  api: describeConfigs,
  scopes: ['configResource'],
  handle(request, context) {
    context.reply({
      throttleTimeMs: 0,
      results: request.resources.map((resource) => resultOf(resource, request, context)),
    })
  },
})

function find(resource: Resource, context: Context): Found {
  const { image, settings } = context.services
  const { resourceName: name } = resource
  switch (resource.resourceType) {
    case ResourceType.TOPIC: {
      const invalid = refuseTopicName(name)
      if (invalid !== null) return notFound(ErrorCode.INVALID_TOPIC_EXCEPTION, invalid)
      const topic = image.topicByName(context.session.tenantId, name)
      if (topic === undefined) {
        return notFound(
          ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
          'This server does not host this topic-partition.',
        )
      }
      const configs = describeTopicConfigs(topic.configs, settings.brokerConfigs)
      return { error: ErrorCode.NONE, message: '', configs }
    }
    case ResourceType.BROKER: {
      // The empty name stands for the defaults of all brokers, of which none can be set yet.
      if (name === '') return { error: ErrorCode.NONE, message: '', configs: [] }
      const node = nodesOf(context).find(({ nodeId }) => String(nodeId) === name)
      if (node === undefined) {
        return notFound(ErrorCode.INVALID_REQUEST, `There is no broker with id ${name}`)
      }
      const own = { 'broker.id': name, 'node.id': name }
      const configs = describeBrokerConfigs({ ...settings.brokerConfigs, ...own })
      return { error: ErrorCode.NONE, message: '', configs }
    }
    default:
      return notFound(
        ErrorCode.INVALID_REQUEST,
        `Configs of resource type ${resource.resourceType} are not available`,
      )
  }
}

function resultOf(resource: Resource, request: DescribeConfigsRequest, context: Context): Result {
  const { error, message, configs } = find(resource, context)
  // An empty list counts as all: librdkafka sends one.
  const keys = resource.configurationKeys?.length ? new Set(resource.configurationKeys) : null
  const asked = keys === null ? configs : configs.filter(({ name }) => keys.has(name))
  return {
    errorCode: error,
    errorMessage: message,
    resourceType: resource.resourceType,
    resourceName: resource.resourceName,
    configs: asked.map((config) => ({
      name: config.name,
      value: config.value,
      readOnly: config.readOnly,
      configSource: config.source,
      isSensitive: config.sensitive,
      synonyms: request.includeSynonyms ? config.synonyms : [],
      configType: config.type,
      documentation: request.includeDocumentation ? config.documentation : null,
    })),
  }
}
