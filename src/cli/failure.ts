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
  UNSUPPORTED_SASL_MECHANISM:
    '-X sasl.mechanism=… names another; a listener that offers none takes logins only over TLS, or not at all',
  ILLEGAL_SASL_STATE: 'that listener takes no login: leave out key and secret',
  NOT_ENOUGH_REPLICAS: 'too few replicas are in sync (min.insync.replicas)',
  UNKNOWN_MEMBER_ID: 'the group has members of its own: stop them first',
  REQUEST_TIMED_OUT: 'the cluster is busy or a broker is gone; try again',
  INVALID_CONFIG: '`griot topic describe -c TOPIC` lists the configs that there are',
}

const WRONG_LOGIN =
  'key or secret is wrong, or the key was revoked: `griot key list TENANT` shows the keys that there are (a user of a tenant of Griot is TENANT/USER where the listener is not its own)'

/** As brokers say it that say nothing else: Kafka's own texts, and those that are like them. */
const WRONG_CREDENTIALS =
  /invalid (user|username|password|credentials)|^(sasl )?authentication failed\.?$/i

/** What to do about a connection that was not made, or not served; a broker's own address that nobody can reach comes before. */
const CONNECTION_STEPS: Readonly<Record<string, string>> = {
  PROTOCOL: 'give a Kafka listener with -b, not an HTTP address',
  CLOSED_AT_ONCE:
    'is it a Kafka listener? One that wants a certificate of its clients is shown one by ssl.keystore.location in --command-config',
  CLOSED_WITHOUT_LOGIN:
    'it lets nobody in without a login: GRIOT_KEY and GRIOT_SECRET, --api-key and --secret, or --command-config FILE',
  IS_TLS: '--tls, and --ca FILE where no public authority has signed its certificate',
  NOT_TLS:
    'leave out --tls and --ca (security.protocol is PLAINTEXT or SASL_PLAINTEXT there), or give a listener that speaks it with -b',
  HANDSHAKE: 'does that port speak TLS?',
  CERTIFICATE: '--ca FILE names who has signed it (PEM)',
  CERTIFICATE_NAME:
    'give a name that is in it with -b; brokers name theirs themselves (--kafka-advertise; Kafka: advertised.listeners)',
  TLS: 'a certificate of this client is ssl.keystore.location, or ssl.certificate.location and ssl.key.location, in --command-config',
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
  if (codeName === 'SASL_AUTHENTICATION_FAILED') {
    return detail === null || WRONG_CREDENTIALS.test(detail) ? WRONG_LOGIN : undefined
  }
  // whatever its topic takes, the tenant may have no larger ones
  if (codeName === 'MESSAGE_TOO_LARGE' && detail?.includes('messageBytes')) return undefined
  return detail !== null && codeName.endsWith('_FAILED') ? undefined : NEXT_STEPS[codeName]
}

function explainConnection(error: ConnectionError): string {
  const { address, reason, message, isAdvertised } = error
  const step = Object.hasOwn(CONNECTION_STEPS, reason) ? CONNECTION_STEPS[reason] : undefined
  if (step !== undefined) return printable(`${message}: ${step}`)
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
    default:
      return message
  }
}
