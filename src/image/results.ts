/** Answers of the controller: small helpers, so that every refusal looks the same, also where a front says it in the place of a controller that is gone. */
import { ErrorCode } from '../base/error-code.ts'
import { ZERO_TOPIC_ID } from '../base/ids.ts'
import type { ControllerRequest, ControllerResponse, Outcome, TopicResult } from './request.ts'

export interface Refusal {
  readonly error: ErrorCode
  /** null where Kafka says nothing. */
  readonly message: string | null
}

export const refuse = (error: ErrorCode, message: string | null): Refusal => ({ error, message })

export const refusedTopic = (
  name: string | null,
  refusal: Refusal,
  topicId: string = ZERO_TOPIC_ID,
): TopicResult => ({
  name,
  topicId,
  error: refusal.error,
  message: refusal.message,
  partitions: -1,
  replicationFactor: -1,
  configs: {},
})

export const refusedOne = (name: string, { error, message }: Refusal): Outcome => ({
  name,
  error,
  message,
})

export const accepted = (name: string): Outcome => ({ name, error: ErrorCode.NONE, message: null })

/** The same refusal for all that was asked: the term was lost, the disk failed, the tenant is gone. */
export function refuseAll(request: ControllerRequest, refusal: Refusal): ControllerResponse {
  switch (request.kind) {
    case 'create-topics':
      return {
        kind: request.kind,
        results: request.topics.map(({ name }) => refusedTopic(name, refusal)),
      }
    case 'delete-topics':
      return {
        kind: request.kind,
        results: request.topics.map((topic) =>
          'name' in topic
            ? refusedTopic(topic.name, refusal)
            : refusedTopic(null, refusal, topic.topicId),
        ),
      }
    case 'create-partitions':
      return {
        kind: request.kind,
        results: request.topics.map(({ name }) => refusedOne(name, refusal)),
      }
    case 'alter-configs':
      return {
        kind: request.kind,
        results: request.resources.map(({ name }) => refusedOne(name, refusal)),
      }
    case 'create-acls':
      return { kind: request.kind, results: request.acls.map(() => refusedOne('', refusal)) }
    case 'delete-acls':
      return { kind: request.kind, results: request.filters.map(() => ({ ...refusal, acls: [] })) }
    case 'alter-users':
      return {
        kind: request.kind,
        results: request.users.map(({ user }) => refusedOne(user, refusal)),
      }
    case 'alter-reassignments':
      return {
        kind: request.kind,
        topics: request.topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ index }) => ({ index, ...refusal })),
        })),
      }
    case 'list-reassignments':
      return { kind: request.kind, ...refusal, topics: [] }
    case 'allocate-producer-ids':
      return { kind: request.kind, error: refusal.error, first: -1, count: 0 }
    case 'register-broker':
    case 'directory-filled':
    case 'replicas-settled':
    case 'create-tenant':
    case 'alter-tenant':
    case 'delete-tenant':
    case 'create-plan':
    case 'alter-plan':
    case 'delete-plan':
    case 'purge-metadata':
    case 'create-key':
    case 'revoke-key':
      return { kind: request.kind, error: refusal.error, message: refusal.message }
    default:
      request satisfies never
      throw new TypeError('unreachable')
  }
}

export const NOT_CONTROLLER = refuse(ErrorCode.NOT_CONTROLLER, 'The controller has changed.')

export const STORAGE_FAILED = refuse(
  ErrorCode.KAFKA_STORAGE_ERROR,
  'The metadata log cannot be written.',
)
