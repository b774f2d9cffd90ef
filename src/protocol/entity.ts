/**
 * What a field names. Tenant scoping and the isolation tests are derived from these tags, so every field that
 * holds a name or an id carries one (a test walks all schemas).
 *
 * The first group belongs to one tenant and must be scoped or checked. The second means the same to every tenant
 * and is listed only so that "this name needs no scoping" is said and not forgotten.
 */
export type Entity =
  | 'topicName'
  | 'topicId'
  | 'groupId'
  | 'memberId'
  /** The name that a static member keeps; unique within its group. */
  | 'groupInstanceId'
  /** What a tenant's client calls itself, and the address it comes from. */
  | 'clientId'
  | 'clientHost'
  | 'transactionalId'
  | 'producerId'
  | 'brokerId'
  /** A host name that a client is told to connect to. */
  | 'brokerHost'
  | 'clusterId'
  | 'directoryId'
  | 'fetchSessionId'
  /** A group id, a transactional id or `groupId:topicId:partition`, as the key type beside it says. */
  | 'coordinatorKey'
  /** A topic, broker, group or client-metrics name, as the resource type beside it says. */
  | 'configResource'
  /** A resource name or pattern of an ACL, as the resource and pattern types beside it say. */
  | 'aclResource'
  | 'principal'
  | 'userName'
  /** The name part of a quota entity, as the entity type beside it says. */
  | 'quotaEntity'
  /** A regular expression or prefix over names. */
  | 'namePattern'
  /** Free text for people: it must name nothing of another tenant. */
  | 'errorMessage'
  // The same for every tenant:
  | 'configName'
  | 'featureName'
  | 'clientSoftware'
  | 'protocolName'
  | 'saslMechanism'
