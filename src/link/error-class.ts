/** Whose fault an error is, coarsely: what counters tell apart. Any thread. */
import { ErrorCode } from '../base/error-code.ts'

/** Places of the classes within the slots of a counter. */
export const ErrorClass = {
  /** What was asked cannot be done, and asking again does no good. */
  CLIENT: 0,
  /** Who asks may not: authentication, ACLs, quotas, policies. */
  DENIED: 1,
  /** The client's picture is out of date, or something moves: it looks again and goes on. */
  STALE: 2,
  /** Ours: a disk, a timeout, a bug. */
  SERVER: 3,
} as const
export type ErrorClass = (typeof ErrorClass)[keyof typeof ErrorClass]

/** By place. */
export const ERROR_CLASS_NAMES = ['client', 'denied', 'stale', 'server'] as const
export const ERROR_CLASSES = ERROR_CLASS_NAMES.length

const E = ErrorCode

const DENIED: readonly number[] = [
  ...[E.TOPIC_AUTHORIZATION_FAILED, E.GROUP_AUTHORIZATION_FAILED],
  ...[E.CLUSTER_AUTHORIZATION_FAILED, E.TRANSACTIONAL_ID_AUTHORIZATION_FAILED],
  ...[E.SECURITY_DISABLED, E.UNSUPPORTED_SASL_MECHANISM, E.ILLEGAL_SASL_STATE],
  ...[E.SASL_AUTHENTICATION_FAILED, E.UNACCEPTABLE_CREDENTIAL, E.POLICY_VIOLATION],
  ...[E.THROTTLING_QUOTA_EXCEEDED],
]

const STALE: readonly number[] = [
  ...[E.OFFSET_OUT_OF_RANGE, E.UNKNOWN_TOPIC_OR_PARTITION, E.UNKNOWN_TOPIC_ID],
  ...[E.INCONSISTENT_TOPIC_ID, E.LEADER_NOT_AVAILABLE, E.NOT_LEADER_OR_FOLLOWER],
  ...[E.REPLICA_NOT_AVAILABLE, E.STALE_CONTROLLER_EPOCH, E.NOT_CONTROLLER],
  ...[E.COORDINATOR_LOAD_IN_PROGRESS, E.COORDINATOR_NOT_AVAILABLE, E.NOT_COORDINATOR],
  ...[E.ILLEGAL_GENERATION, E.UNKNOWN_MEMBER_ID, E.REBALANCE_IN_PROGRESS, E.MEMBER_ID_REQUIRED],
  ...[E.FENCED_LEADER_EPOCH, E.UNKNOWN_LEADER_EPOCH, E.OFFSET_NOT_AVAILABLE],
  ...[E.FETCH_SESSION_ID_NOT_FOUND, E.INVALID_FETCH_SESSION_EPOCH, E.FETCH_SESSION_TOPIC_ID_ERROR],
  ...[E.REASSIGNMENT_IN_PROGRESS, E.CONCURRENT_TRANSACTIONS, E.UNSTABLE_OFFSET_COMMIT],
  ...[E.NEW_LEADER_ELECTED, E.FENCED_MEMBER_EPOCH, E.STALE_MEMBER_EPOCH, E.REBOOTSTRAP_REQUIRED],
]

const SERVER: readonly number[] = [
  ...[E.UNKNOWN_SERVER_ERROR, E.REQUEST_TIMED_OUT, E.KAFKA_STORAGE_ERROR, E.LOG_DIR_NOT_FOUND],
  ...[E.BROKER_NOT_AVAILABLE, E.NETWORK_EXCEPTION, E.NOT_ENOUGH_REPLICAS],
  ...[E.NOT_ENOUGH_REPLICAS_AFTER_APPEND, E.ELIGIBLE_LEADERS_NOT_AVAILABLE, E.SNAPSHOT_NOT_FOUND],
]

/** By code + 1; what is not named is the client's. */
const classes = new Uint8Array(256)
for (const code of DENIED) classes[code + 1] = ErrorClass.DENIED
for (const code of STALE) classes[code + 1] = ErrorClass.STALE
for (const code of SERVER) classes[code + 1] = ErrorClass.SERVER

/** The class of an error code that is not NONE. */
export const errorClassOf = (code: number): ErrorClass => (classes[code + 1] ?? 0) as ErrorClass
