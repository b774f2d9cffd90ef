/** What went wrong, in a line that says what to do next. */
import { ConnectionError, KafkaError, UnsupportedApiError } from '../kafka-client/errors.ts'
import { printable } from './table.ts'

/** What was asked cannot be meant: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** It was tried and did not work, the message says all there is to say: exit code 1. */
export class FailedError extends Error {
  override name = 'FailedError'
}

/** What to do about an error code, where it is not plain. */
const NEXT_STEPS: Readonly<Record<string, string>> = {
  TOPIC_ALREADY_EXISTS: '--if-not-exists lets that pass',
  INVALID_REPLICATION_FACTOR:
    'that is more replicas than there are brokers: -r says how many, without it default.replication.factor of the brokers',
  MESSAGE_TOO_LARGE:
    'a record is larger than the topic takes: `griot topic config set TOPIC max.message.bytes=…`',
  NON_EMPTY_GROUP: 'the group has members: stop them first (`griot group describe` names them)',
  GROUP_ID_NOT_FOUND: '`griot group list` shows the groups that there are',
  TOPIC_AUTHORIZATION_FAILED: 'this listener does not let you at that topic',
  GROUP_AUTHORIZATION_FAILED: 'this listener does not let you at that group',
  CLUSTER_AUTHORIZATION_FAILED: 'this listener does not let you do that',
  SASL_AUTHENTICATION_FAILED: 'the listener wants SASL, which these commands do not speak yet',
  NOT_ENOUGH_REPLICAS: 'too few replicas are in sync (min.insync.replicas)',
  UNKNOWN_MEMBER_ID: 'the group has members of its own: stop them first',
  REQUEST_TIMED_OUT: 'the cluster is busy or a broker is gone; try again',
  INVALID_CONFIG: '`griot topic describe -c TOPIC` lists the configs that there are',
}

/** One line (or two) for people. A stack only for what is our bug. */
export function explainFailure(error: unknown): string {
  if (error instanceof ConnectionError) return explainConnection(error)
  if (error instanceof UnsupportedApiError) {
    return `${error.message}, so this command cannot work there`
  }
  if (error instanceof KafkaError) {
    const next = nextStep(error)
    return printable(next === undefined ? error.message : `${error.message}; ${next}`)
  }
  if (!(error instanceof Error)) return String(error)
  const isExpected =
    error instanceof UsageError ||
    error instanceof FailedError ||
    error.name === 'RecordFormatError' ||
    error.name === 'DecompressedTooLargeError' ||
    error.name === 'WireFormatError' ||
    (error as NodeJS.ErrnoException).code !== undefined
  return isExpected ? error.message : (error.stack ?? error.message)
}

/** A broker that says itself why somebody may not do something knows better. */
function nextStep({ codeName, detail }: KafkaError): string | undefined {
  return detail !== null && codeName.endsWith('_FAILED') ? undefined : NEXT_STEPS[codeName]
}

function explainConnection({ address, reason, message, isAdvertised }: ConnectionError): string {
  if (isAdvertised && reason !== 'CLOSED') {
    return (
      `a broker of the cluster cannot be reached at ${address} (${reason}): it is down, or it ` +
      'advertises an address that is not for you (--kafka-advertise; Kafka: advertised.listeners)'
    )
  }
  switch (reason) {
    case 'ECONNREFUSED':
      return (
        `nobody listens at ${address}: is \`griot start\` running there? ` +
        'Another address goes with -b HOST:PORT or GRIOT_BOOTSTRAP'
      )
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the host of ${address} is not known (${reason}): check -b, or the name service`
    case 'PROTOCOL':
      return `${message}: give a Kafka listener with -b, not an HTTP address`
    default:
      return message
  }
}
