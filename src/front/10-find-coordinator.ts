import { ErrorCode } from '../base/error-code.ts'
import { findCoordinator } from '../protocol/10-find-coordinator.ts'
import { handler } from './context.ts'

const KeyType = { GROUP: 0, TRANSACTION: 1, SHARE: 2 } as const

interface Refusal {
  readonly error: number
  readonly message: string
}

/**
 * Until there are coordinators, with errors that make clients give up: COORDINATOR_NOT_AVAILABLE is what they repeat
 * for ever. Both authorization errors are fatal to every client and carry a text from version 1 on.
 */
function refusalOf(keyType: number): Refusal {
  switch (keyType) {
    case KeyType.GROUP:
      return {
        error: ErrorCode.GROUP_AUTHORIZATION_FAILED,
        message: 'Consumer groups are not available yet: assign partitions instead',
      }
    case KeyType.TRANSACTION:
      return {
        error: ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        message: 'Transactions are not available yet',
      }
    default:
      return {
        error: ErrorCode.INVALID_REQUEST,
        message: `There is no coordinator type ${keyType}`,
      }
  }
}

export const findCoordinatorHandler = handler({
  api: findCoordinator,
  scopes: ['coordinatorKey'],
  handle(request, context) {
    const { error, message } = refusalOf(request.keyType)
    // not every client shows the text, and the error alone sends people looking for ACLs
    const keys = context.version < 4 ? [request.key] : request.coordinatorKeys
    const asked = { clientId: context.clientId, coordinatorKey: keys[0] ?? null, keys: keys.length }
    context.connection.logRefused(message, asked)
    const nowhere = { nodeId: -1, host: '', port: -1, errorCode: error, errorMessage: message }
    if (context.version < 4) {
      context.reply({ throttleTimeMs: 0, ...nowhere, coordinators: [] })
      return
    }
    context.reply({
      throttleTimeMs: 0,
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      nodeId: 0,
      host: '',
      port: 0,
      coordinators: request.coordinatorKeys.map((key) => ({ key, ...nowhere })),
    })
  },
})
