/** What can go wrong between this client and a cluster, as errors that callers tell apart by class. */
import { ErrorCode, errorName } from '../base/error-code.ts'

/** Errors that pass: the metadata is looked up again, or the same is asked a little later. Kafka's RetriableException. */
const RETRIABLE: ReadonlySet<number> = new Set([
  ErrorCode.CORRUPT_MESSAGE,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.REQUEST_TIMED_OUT,
  ErrorCode.BROKER_NOT_AVAILABLE,
  ErrorCode.REPLICA_NOT_AVAILABLE,
  ErrorCode.NETWORK_EXCEPTION,
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.COORDINATOR_NOT_AVAILABLE,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.NOT_ENOUGH_REPLICAS,
  ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  ErrorCode.NOT_CONTROLLER,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.OFFSET_NOT_AVAILABLE,
  ErrorCode.UNSTABLE_OFFSET_COMMIT,
  ErrorCode.THROTTLING_QUOTA_EXCEEDED,
  ErrorCode.UNKNOWN_TOPIC_ID,
])

/** After these the leader, or the topic itself, is to be looked up again. */
const STALE_METADATA: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.LEADER_NOT_AVAILABLE,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.REPLICA_NOT_AVAILABLE,
  ErrorCode.KAFKA_STORAGE_ERROR,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.UNKNOWN_TOPIC_ID,
])

export const isRetriableCode = (code: number): boolean => RETRIABLE.has(code)
export const meansStaleMetadata = (code: number): boolean => STALE_METADATA.has(code)

/** A broker answered with an error code. */
export class KafkaError extends Error {
  override name = 'KafkaError'
  readonly code: number
  /** What the broker says about it, or null. */
  readonly detail: string | null

  /** `what` says what was asked for, `detail` is the broker's own text where the version carries one. */
  constructor(code: number, what: string, detail?: string | null) {
    super(`${what}: ${errorName(code)}${detail ? ` (${detail})` : ''}`)
    this.code = code
    this.detail = detail || null
  }

  get codeName(): string {
    return errorName(this.code)
  }
}

/** No connection could be made, or it was lost; `address` is `HOST:PORT`. */
export class ConnectionError extends Error {
  override name = 'ConnectionError'
  readonly address: string
  /**
   * `ECONNREFUSED` and the like, `TIMEOUT`, `PROTOCOL`; `CLOSED` where the other side closed it, `CLOSED_AT_ONCE` before it answered anything,
   * `CLOSED_WITHOUT_LOGIN` where it said no more than what it speaks. Of TLS: `HANDSHAKE` where that
   * did not come to an end, `NOT_TLS` and `IS_TLS` where one side speaks it alone, `CERTIFICATE`, `CERTIFICATE_NAME`, and `TLS` for all else.
   */
  readonly reason: string
  /** The broker named this address in its metadata: it is not one that the caller gave. */
  readonly isAdvertised: boolean

  constructor(address: string, reason: string, message: string, isAdvertised = false) {
    super(message)
    this.address = address
    this.reason = reason
    this.isAdvertised = isAdvertised
  }
}

/** The broker does not speak the API, or no version that we do. */
export class UnsupportedApiError extends Error {
  override name = 'UnsupportedApiError'
  readonly apiName: string

  constructor(apiName: string, address: string) {
    super(`the broker at ${address} does not offer ${apiName}`)
    this.apiName = apiName
  }
}

/** Whether asking once more may help. */
export function isRetriable(error: unknown): boolean {
  if (error instanceof KafkaError) return isRetriableCode(error.code)
  return isPassingConnection(error)
}

/** How both sides are set up does not change by waiting. */
const LASTING: ReadonlySet<string> = new Set([
  ...['NOT_TLS', 'IS_TLS', 'CERTIFICATE', 'CERTIFICATE_NAME', 'TLS'],
])

/** No connection, and another try may have one. */
export const isPassingConnection = (error: unknown): boolean =>
  error instanceof ConnectionError && !LASTING.has(error.reason)

/** Throws where `code` is an error. */
export function throwOnError(code: number, what: string, detail?: string | null): void {
  if (code !== ErrorCode.NONE) throw new KafkaError(code, what, detail)
}
