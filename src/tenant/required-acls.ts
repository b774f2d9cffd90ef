import { ErrorCode } from '../base/error-code.ts'
import { AclOperation, CLUSTER_NAME, ResourceType } from '../image/acl-binding.ts'
import type { Acls } from './authorizer.ts'

/** When a right is asked for; the handler knows. */
export type AclCondition =
  | 'always'
  /** Produce: a batch is transactional. Without a transactional id it is refused all the same. */
  | 'transactional-records'
  /** Fetch: the replica id is 0 or more. */
  | 'from-follower'
  | 'from-client'
  /** The request leaves open which topics: what the client may not see is left out. */
  | 'all-topics'
  /** Metadata: the topic is not there, and the request and the broker would create it. */
  | 'topic-to-be-created'
  /** The request asks for the operations of the cluster. */
  | 'cluster-operations-asked'
  | 'with-transactional-id'
  | 'without-transactional-id'
  | 'group-key'
  | 'transaction-key'
  | 'share-key'
  | 'topic-config'
  | 'group-config'
  /** Of a broker, its loggers, or client metrics. */
  | 'cluster-config'

/** What a client gets that may not. */
export type Refused =
  /** The request's own error answer: the code in its one place, or in each of its items. Nothing is done. */
  | { readonly kind: 'request'; readonly error: ErrorCode }
  /** The item has the code, and the others are done. */
  | { readonly kind: 'item'; readonly error: ErrorCode }
  /** The answer does not have the item. */
  | { readonly kind: 'left-out' }
  /** A field of the answer has this value, and all else is done. */
  | { readonly kind: 'field'; readonly field: string; readonly value: number }
  /** No right of its own: who lacks it is not told more than the name that the request has. */
  | { readonly kind: 'hidden' }

/** A right that is enough instead of the one asked for. */
export interface AlsoEnough {
  readonly operation: AclOperation
  readonly resourceType: ResourceType
  /** Of the cluster, or of at least one resource of the type (KIP-679). */
  readonly of: 'cluster' | 'any-of-type'
}

export interface RequiredAcl {
  readonly operation: AclOperation
  readonly resourceType: ResourceType
  /** Where the request names the resources, as `walkFields` writes paths; none for the cluster. */
  readonly fields: readonly string[]
  /** Where the answer names them, if the request does not. */
  readonly answerFields: readonly string[]
  readonly when: AclCondition
  readonly alsoEnough: AlsoEnough | null
  readonly refused: Refused
}

export interface ApiAcls {
  readonly key: number
  /** In the order in which Kafka asks for them, by the name that a handler takes them by. */
  readonly acls: Readonly<Record<string, RequiredAcl>>
  /** Why fields that name things of the ACLs' kinds, or the whole request, need none. */
  readonly unchecked: Readonly<Record<string, string>>
}

/** Whether `principal` has the right `required` on `name`; `name` is the cluster's where the request names nothing. */
export function isAllowed(
  acls: Acls,
  principal: string,
  host: string,
  required: RequiredAcl,
  name: string = CLUSTER_NAME,
): boolean {
  const { operation, resourceType, alsoEnough } = required
  if (acls.authorise(principal, host, operation, resourceType, name)) return true
  if (alsoEnough === null) return false
  return alsoEnough.of === 'cluster'
    ? acls.authorise(principal, host, alsoEnough.operation, alsoEnough.resourceType, CLUSTER_NAME)
    : acls.authoriseByResourceType(principal, host, alsoEnough.operation, alsoEnough.resourceType)
}

type Rest = Partial<Omit<RequiredAcl, 'operation' | 'resourceType'>>

const DENIAL = {
  [ResourceType.TOPIC]: ErrorCode.TOPIC_AUTHORIZATION_FAILED,
  [ResourceType.GROUP]: ErrorCode.GROUP_AUTHORIZATION_FAILED,
  [ResourceType.CLUSTER]: ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
  [ResourceType.TRANSACTIONAL_ID]: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
} as const

type Name = keyof typeof AclOperation
type Answer = 'request' | 'item' | Refused

function required(
  operation: Name,
  resourceType: keyof typeof DENIAL,
  answer: Answer,
  rest: Rest,
): RequiredAcl {
  const refused =
    typeof answer === 'string' ? { kind: answer, error: DENIAL[resourceType] } : answer
  return {
    ...{ operation: AclOperation[operation], resourceType, fields: [], answerFields: [] },
    ...{ when: 'always', alsoEnough: null, refused },
    ...rest,
  }
}

/** Each topic that `fields` name, alone. */
const topic = (operation: Name, fields: readonly string[], rest: Rest = {}): RequiredAcl =>
  required(operation, ResourceType.TOPIC, rest.refused ?? 'item', { fields, ...rest })

/** Topics that only the answer names. */
const shownTopics = (...answerFields: string[]): RequiredAcl =>
  topic('DESCRIBE', [], { answerFields, when: 'all-topics', refused: { kind: 'left-out' } })

/** The one group that the request is about. */
const group = (operation: Name): RequiredAcl =>
  required(operation, ResourceType.GROUP, 'request', { fields: ['groupId'] })

const eachGroup = (operation: Name, fields: readonly string[], rest: Rest = {}): RequiredAcl =>
  required(operation, ResourceType.GROUP, rest.refused ?? 'item', { fields, ...rest })

const transaction = (operation: Name, when: AclCondition, rest: Rest = {}): RequiredAcl =>
  required(operation, ResourceType.TRANSACTIONAL_ID, 'request', {
    ...{ fields: ['transactionalId'], when },
    ...rest,
  })

const cluster = (operation: Name, answer: Answer = 'request', rest: Rest = {}): RequiredAcl =>
  required(operation, ResourceType.CLUSTER, answer, rest)

const orOfCluster = (operation: Name): AlsoEnough => ({
  ...{ operation: AclOperation[operation], resourceType: ResourceType.CLUSTER, of: 'cluster' },
})

const clusterOperations = (): RequiredAcl =>
  cluster(
    'DESCRIBE',
    { kind: 'field', field: 'clusterAuthorizedOperations', value: 0 },
    { when: 'cluster-operations-asked' },
  )

/** Of configs: by the type of the resource. */
const configs = (operation: Name) => {
  const fields = ['resources[].resourceName']
  return {
    topic: topic(operation, fields, { when: 'topic-config' }),
    group: eachGroup(operation, fields, { when: 'group-config' }),
    cluster: cluster(operation, 'item', { when: 'cluster-config' }),
  }
}

const api = <const A extends Readonly<Record<string, RequiredAcl>>>(
  key: number,
  acls: A,
  unchecked: Readonly<Record<string, string>> = {},
) => ({ key, acls, unchecked })

const WHOLE_CLUSTER = 'a right of the cluster is asked for'
const NO_CLIENT_YET = 'it is how a client comes to be somebody'

/**
 * What each API asks for, as KafkaApis, ControllerApis and AclApis of Kafka 4.3. Rights are asked for before anything
 * is looked up: who lacks them gets the same whether the thing exists or not. Ids are looked up first, as the ACLs are
 * about names: an unknown one is UNKNOWN_TOPIC_ID to everybody.
 */
export const requiredAcls = {
  produce: api(0, {
    transaction: transaction('WRITE', 'transactional-records'),
    topic: topic('WRITE', ['topicData[].name', 'topicData[].topicId']),
  }),
  /** Of a fetch session, also of partitions that this request does not name again. */
  fetch: api(
    1,
    {
      follower: cluster(
        'CLUSTER_ACTION',
        { kind: 'request', error: ErrorCode.TOPIC_AUTHORIZATION_FAILED },
        { when: 'from-follower' },
      ),
      topic: topic('READ', ['topics[].topic', 'topics[].topicId'], { when: 'from-client' }),
    },
    {
      'forgottenTopicsData[].topic': 'it only leaves the session of the connection',
      'forgottenTopicsData[].topicId': 'it only leaves the session of the connection',
    },
  ),
  listOffsets: api(2, { topic: topic('DESCRIBE', ['topics[].name']) }),
  /** Refused by name, the answer has no id; by id, no name. */
  metadata: api(3, {
    topic: topic('DESCRIBE', ['topics[].name', 'topics[].topicId']),
    shownTopics: shownTopics('topics[].name'),
    create: topic('CREATE', ['topics[].name'], {
      ...{ when: 'topic-to-be-created', alsoEnough: orOfCluster('CREATE') },
    }),
    clusterOperations: clusterOperations(),
  }),
  offsetCommit: api(8, {
    group: group('READ'),
    topic: topic('READ', ['topics[].name', 'topics[].topicId']),
  }),
  /** Up to version 7 with one group: the code is the answer's. */
  offsetFetch: api(9, {
    group: eachGroup('DESCRIBE', ['groupId', 'groups[].groupId']),
    topic: topic('DESCRIBE', [
      ...['topics[].name', 'groups[].topics[].name', 'groups[].topics[].topicId'],
    ]),
    shownTopics: shownTopics('topics[].name', 'groups[].topics[].name'),
  }),
  /** Up to version 3 with one key: the code is the answer's. */
  findCoordinator: api(10, {
    group: eachGroup('DESCRIBE', ['key', 'coordinatorKeys[]'], { when: 'group-key' }),
    transaction: transaction('DESCRIBE', 'transaction-key', {
      fields: ['key', 'coordinatorKeys[]'],
      refused: { kind: 'item', error: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED },
    }),
    share: cluster('CLUSTER_ACTION', 'request', { when: 'share-key' }),
  }),
  joinGroup: api(11, { group: group('READ') }),
  heartbeat: api(12, { group: group('READ') }),
  leaveGroup: api(13, { group: group('READ') }),
  syncGroup: api(14, { group: group('READ') }),
  describeGroups: api(15, { group: eachGroup('DESCRIBE', ['groups[]']) }),
  listGroups: api(16, {
    group: eachGroup('DESCRIBE', [], {
      ...{ answerFields: ['groups[].groupId'], alsoEnough: orOfCluster('DESCRIBE') },
      refused: { kind: 'left-out' },
    }),
  }),
  saslHandshake: api(17, {}, { '': NO_CLIENT_YET }),
  apiVersions: api(18, {}, { '': 'it says what this broker speaks, before anybody is known' }),
  createTopics: api(19, {
    topic: topic('CREATE', ['topics[].name'], { alsoEnough: orOfCluster('CREATE') }),
    /** With it the answer has no configs, and none of the numbers that they decide. */
    configs: topic('DESCRIBE_CONFIGS', ['topics[].name'], {
      refused: {
        ...{ kind: 'field', field: 'topics[].topicConfigErrorCode' },
        value: ErrorCode.TOPIC_AUTHORIZATION_FAILED,
      },
    }),
  }),
  /**
   * By name: without `see` TOPIC_AUTHORIZATION_FAILED, with it UNKNOWN_TOPIC_OR_PARTITION of what is not there. By id: the
   * answer has the name only with `see`. Kafka mixes the answers, so that their order tells nothing.
   */
  deleteTopics: api(20, {
    see: topic('DESCRIBE', ['topics[].name', 'topics[].topicId', 'topicNames[]'], {
      ...{ alsoEnough: orOfCluster('DELETE'), refused: { kind: 'hidden' } },
    }),
    topic: topic('DELETE', ['topics[].name', 'topics[].topicId', 'topicNames[]'], {
      alsoEnough: orOfCluster('DELETE'),
    }),
  }),
  deleteRecords: api(21, { topic: topic('DELETE', ['topics[].name']) }),
  initProducerId: api(22, {
    transaction: transaction('WRITE', 'with-transactional-id'),
    idempotent: cluster('IDEMPOTENT_WRITE', 'request', {
      when: 'without-transactional-id',
      alsoEnough: {
        ...{ operation: AclOperation.WRITE, resourceType: ResourceType.TOPIC, of: 'any-of-type' },
      },
    }),
  }),
  offsetForLeaderEpoch: api(23, {
    topic: topic('DESCRIBE', ['topics[].topic'], { alsoEnough: orOfCluster('CLUSTER_ACTION') }),
  }),
  describeAcls: api(29, { cluster: cluster('DESCRIBE') }),
  createAcls: api(30, { cluster: cluster('ALTER') }),
  deleteAcls: api(31, { cluster: cluster('ALTER') }),
  describeConfigs: api(32, configs('DESCRIBE_CONFIGS')),
  alterConfigs: api(33, configs('ALTER_CONFIGS')),
  describeLogDirs: api(35, { cluster: cluster('DESCRIBE') }, { 'topics[].topic': WHOLE_CLUSTER }),
  saslAuthenticate: api(36, {}, { '': NO_CLIENT_YET }),
  createPartitions: api(37, { topic: topic('ALTER', ['topics[].name']) }),
  deleteGroups: api(42, { group: eachGroup('DELETE', ['groupsNames[]']) }),
  electLeaders: api(
    43,
    { cluster: cluster('ALTER') },
    { 'topicPartitions[].topic': WHOLE_CLUSTER },
  ),
  incrementalAlterConfigs: api(44, configs('ALTER_CONFIGS')),
  alterPartitionReassignments: api(
    45,
    { cluster: cluster('ALTER') },
    { 'topics[].name': WHOLE_CLUSTER },
  ),
  listPartitionReassignments: api(
    46,
    { cluster: cluster('DESCRIBE') },
    { 'topics[].name': WHOLE_CLUSTER },
  ),
  offsetDelete: api(47, { group: group('DELETE'), topic: topic('READ', ['topics[].name']) }),
  describeClientQuotas: api(48, { cluster: cluster('DESCRIBE_CONFIGS') }),
  describeUserScramCredentials: api(50, { cluster: cluster('DESCRIBE') }),
  alterUserScramCredentials: api(51, { cluster: cluster('ALTER') }),
  describeQuorum: api(
    55,
    { cluster: cluster('DESCRIBE') },
    { 'topics[].topicName': WHOLE_CLUSTER },
  ),
  describeCluster: api(
    60,
    { clusterOperations: clusterOperations() },
    { '': 'every client may know the brokers that it can connect to' },
  ),
  describeProducers: api(61, { topic: topic('READ', ['topics[].name']) }),
  listConfigResources: api(74, { cluster: cluster('DESCRIBE_CONFIGS') }),
  describeTopicPartitions: api(
    75,
    { topic: topic('DESCRIBE', ['topics[].name']), shownTopics: shownTopics('topics[].name') },
    { 'cursor.topicName': 'it is where the answer goes on, and must be among the topics' },
  ),
} as const satisfies Readonly<Record<string, ApiAcls>>

const byKey = new Map<number, ApiAcls>(Object.values(requiredAcls).map((acls) => [acls.key, acls]))

export const aclsOfApi = (key: number): ApiAcls | undefined => byKey.get(key)
