import { ErrorCode } from '../base/error-code.ts'
import { describeBrokerConfigs, describeDefaultBrokerConfigs } from '../image/broker-config.ts'
import type { DescribedConfig } from '../image/config-def.ts'
import { describeGroupConfigs } from '../image/group-config.ts'
import { type ConfigValues, describeTopicConfigs } from '../image/topic-config.ts'
import { refuseTopicName } from '../image/topic-name.ts'
import { formatHostPort } from '../net/address.ts'
import {
  type DescribeConfigsRequest,
  type DescribeConfigsResponseInput,
  describeConfigs,
} from '../protocol/32-describe-configs.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { ResourceType, refuseResource } from './config-resources.ts'
import { handler, type RequestContext } from './context.ts'
import { logDirOf, nodesOf, rackOf, securityProtocolOf } from './nodes.ts'

type Context = RequestContext<typeof describeConfigs>
type Resource = DescribeConfigsRequest['resources'][number]
type Result = DescribeConfigsResponseInput['results'][number]

interface Found {
  readonly error: number
  readonly message: string
  readonly configs: readonly DescribedConfig[]
}

const NONE: readonly DescribedConfig[] = []
const found = (configs: readonly DescribedConfig[]): Found => ({
  error: ErrorCode.NONE,
  // empty and not null, in Kafka
  message: '',
  configs,
})
const refused = (error: number, message: string): Found => ({
  error,
  message,
  configs: NONE,
})
const invalid = (message: string): Found => refused(ErrorCode.INVALID_REQUEST, message)

/** A few bytes of a request can ask for a hundred configs: those of some thousand topics fit into one answer. */
const CONFIGS_MAX = 250_000
/** Configs that are described and left out, as they were not asked for, count as one that is told. */
const LEFT_OUT_PER_TOLD = 4
/** So often may a request ask for what it has asked for already. */
const REPEATS_MAX = 100
const REPEATED = invalid(`A resource was given more than once, over ${REPEATS_MAX} times in all`)
const TOO_MANY = invalid(
  `Too many resources in one request: its answer takes ${CONFIGS_MAX} configs by now, ask for the rest in another`,
)

const KNOWN_TYPES: ReadonlySet<number> = new Set(Object.values(ResourceType))

const { acls } = requiredAcls.describeConfigs

export const describeConfigsHandler = handler({
  api: describeConfigs,
  scopes: ['configResource'],
  handle(request, context) {
    // one type that Kafka does not know, and it refuses them all
    const isKnown = request.resources.every(({ resourceType }) => KNOWN_TYPES.has(resourceType))
    const find = isKnown ? describe : () => invalid(MALFORMED)
    const seen = new Set<string>()
    let repeats = 0
    let configs = 0
    const results = allowedFirst(request.resources, context).map((resource) => {
      if (configs > CONFIGS_MAX) return resultOf(resource, request, TOO_MANY)
      const before = seen.size
      const isNew = seen.add(`${resource.resourceType}/${resource.resourceName}`).size > before
      // a resource takes a few bytes to name and kilobytes to describe
      if (!isNew && ++repeats > REPEATS_MAX) return resultOf(resource, request, REPEATED)
      const described = find(resource, context)
      const result = resultOf(resource, request, described)
      // to describe what is then left out takes time as well
      configs += Math.max(result.configs.length, described.configs.length / LEFT_OUT_PER_TOLD)
      return result
    })
    context.reply({ throttleTimeMs: 0, results })
  },
})

/** As Kafka answers them: those behind the others that the client may not see. */
function allowedFirst(resources: readonly Resource[], context: Context): readonly Resource[] {
  const isDenied = (resource: Resource) => refuseResource(context, acls, resource) !== null
  const denied = resources.filter(isDenied)
  if (denied.length === 0) return resources
  return [...resources.filter((resource) => !isDenied(resource)), ...denied]
}

const MALFORMED =
  'This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details.'

function describe(resource: Resource, context: Context): Found {
  const { resourceName: name } = resource
  const denial = refuseResource(context, acls, resource)
  if (denial !== null) return refused(denial.error, denial.message)
  switch (resource.resourceType) {
    case ResourceType.TOPIC:
      return describeTopic(name, context)
    case ResourceType.BROKER:
      return describeBroker(name, context)
    case ResourceType.GROUP: {
      if (name === '') return invalid('Group name must not be empty')
      const tenant = context.services.image.tenant(context.session.tenantId)
      const configs = tenant?.groupConfigs(name) ?? {}
      return found(describeGroupConfigs(configs, context.brokerConfigs))
    }
    case ResourceType.CLIENT_METRICS:
      // nothing can be set, so whatever name is asked for has nothing
      return name === ''
        ? invalid('Client metrics subscription name must not be empty')
        : found(NONE)
    default:
      return describeLoggers(name, context)
  }
}

function describeTopic(name: string, context: Context): Found {
  const badName = refuseTopicName(name)
  if (badName !== null) return refused(ErrorCode.INVALID_TOPIC_EXCEPTION, badName)
  const topic = context.services.image.topicByName(context.session.tenantId, name)
  if (topic === undefined) return refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, '')
  return found(describeTopicConfigs(topic.configs, context.brokerConfigs))
}

function describeBroker(name: string, context: Context): Found {
  const layers = context.brokerConfigs
  if (name === '') return found(describeDefaultBrokerConfigs(layers))
  const { nodeId } = context.connection.listener
  const refusal = refuseNode(name, nodeId, ' or empty string,')
  if (refusal !== null) return refusal
  const rack = rackOf(context, nodeId)
  const own = {
    ...{ 'broker.id': String(nodeId), 'node.id': String(nodeId), 'log.dirs': logDirOf(nodeId) },
    ...(rack !== null && { 'broker.rack': rack }),
    ...ownListener(context, nodeId),
  }
  // what others are told, at listeners that they share with nobody
  const { 'advertised.listeners': _, listeners: _all, ...fixed } = layers.fixed
  return found(describeBrokerConfigs({ ...layers, fixed: { ...fixed, ...own } }))
}

/** Where the client finds this node: of other listeners, and of who may come in there, it knows nothing. */
function ownListener(context: Context, nodeId: number): ConfigValues {
  const node = nodesOf(context).find((one) => one.nodeId === nodeId)
  return node === undefined
    ? {}
    : { listeners: `${securityProtocolOf(context)}://${formatHostPort(node)}` }
}

/** There are no loggers that could be told one by one. */
function describeLoggers(name: string, context: Context): Found {
  if (name === '') return invalid('Broker id must not be empty')
  return refuseNode(name, context.connection.listener.nodeId, '') ?? found(NONE)
}

/** A node tells its own configs only, as the client sees it: every node has a port of its own. */
function refuseNode(name: string, nodeId: number, or: string): Found | null {
  if (!/^[+-]?\d{1,10}$/.test(name) || Math.abs(Number(name)) >= 2 ** 31) {
    return invalid(`Broker id must be an integer, but it is: ${name}`)
  }
  if (Number(name) === nodeId) return null
  return invalid(`Unexpected broker id, expected ${nodeId}${or} but received ${name}`)
}

function resultOf(resource: Resource, request: DescribeConfigsRequest, found: Found): Result {
  const { error, message, configs } = found
  // An empty list counts as all: librdkafka sends one.
  const keys = resource.configurationKeys?.length ? new Set(resource.configurationKeys) : null
  const asked = keys === null ? configs : configs.filter(({ name }) => keys.has(name))
  return {
    errorCode: error,
    // Kafka has no null here.
    errorMessage: message ?? '',
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
