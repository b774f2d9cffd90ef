import { ErrorCode } from '../base/error-code.ts'
import type { RequiredAcl } from '../tenant/required-acls.ts'
import type { RequestContext } from './context.ts'
import { CLUSTER_DENIED, GROUP_DENIED, TOPIC_DENIED } from './denials.ts'

/** Kafka's ConfigResource.Type: what configs may belong to. */
export const ResourceType = {
  TOPIC: 2,
  BROKER: 4,
  BROKER_LOGGER: 8,
  CLIENT_METRICS: 16,
  GROUP: 32,
} as const

/** Of an API about configs, by what they belong to. */
export interface ConfigAcls {
  readonly topic: RequiredAcl
  readonly group: RequiredAcl
  readonly cluster: RequiredAcl
}

export interface Denial {
  readonly error: number
  readonly message: string
}

/** Why the client may not have to do with the configs of a resource, or null; of a type that is none, null. */
export function refuseResource(
  context: RequestContext,
  acls: ConfigAcls,
  { resourceType, resourceName }: { readonly resourceType: number; readonly resourceName: string },
): Denial | null {
  switch (resourceType) {
    case ResourceType.TOPIC:
      if (context.may(acls.topic, resourceName)) return null
      return { error: ErrorCode.TOPIC_AUTHORIZATION_FAILED, message: TOPIC_DENIED }
    case ResourceType.GROUP:
      if (context.may(acls.group, resourceName)) return null
      return { error: ErrorCode.GROUP_AUTHORIZATION_FAILED, message: GROUP_DENIED }
    case ResourceType.BROKER:
    case ResourceType.BROKER_LOGGER:
    case ResourceType.CLIENT_METRICS:
      if (context.may(acls.cluster)) return null
      return { error: ErrorCode.CLUSTER_AUTHORIZATION_FAILED, message: CLUSTER_DENIED }
    default:
      return null
  }
}
