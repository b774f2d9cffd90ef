import { ErrorCode } from '../base/error-code.ts'
import type { TopicView } from '../image/view.ts'
import { findCoordinator } from '../protocol/10-find-coordinator.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler, type RequestContext } from './context.ts'
import { groupPartition } from './coordinator-call.ts'
import { CLUSTER_DENIED, GROUP_DENIED, TRANSACTIONAL_ID_DENIED } from './denials.ts'
import { nodesOf } from './nodes.ts'

const { acls } = requiredAcls.findCoordinator

const KeyType = { GROUP: 0, TRANSACTION: 1, SHARE: 2 } as const

/** From this version on a request names several keys. */
const KEYS_FROM = 4
/** From this version on there are coordinators of share groups' state, which brokers ask for. */
const SHARE_FROM = 6

interface Found {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly errorCode: number
  readonly errorMessage: string | null
}

const nowhere = (errorCode: number, errorMessage: string | null): Found => ({
  nodeId: -1,
  host: '',
  port: -1,
  errorCode,
  errorMessage,
})

/**
 * Where a group's coordinator is: the leader of its partition of `__consumer_offsets`, which is made when the first group asks.
 * Any node would do, since every port serves every partition.
 */
export const findCoordinatorHandler = handler({
  api: findCoordinator,
  scopes: ['coordinatorKey'],
  handle(request, context) {
    const { keyType } = request
    const keys = context.version < KEYS_FROM ? [request.key] : request.coordinatorKeys
    if (keyType !== KeyType.GROUP) {
      const refused = refusalOf(context, keyType, keys)
      respond(context, keys, (key) =>
        keyType === KeyType.TRANSACTION && !context.may(acls.transaction, key)
          ? denied(
              context,
              ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
              TRANSACTIONAL_ID_DENIED,
            )
          : refused,
      )
      return
    }
    const allowed = new Set(keys.filter((key) => context.may(acls.group, key)))
    const find = (topic: TopicView | null) =>
      respond(context, keys, (groupId) =>
        allowed.has(groupId)
          ? coordinatorOf(context, topic, groupId)
          : denied(context, ErrorCode.GROUP_AUTHORIZATION_FAILED, GROUP_DENIED),
      )
    if (allowed.size === 0) find(null)
    else context.services.internalTopics.offsets(context.session.tenantId, find)
  },
})

type Context = RequestContext<typeof findCoordinator>

/** The versions that name several keys have no text for it in Kafka. */
const denied = ({ version }: Context, error: ErrorCode, message: string): Found =>
  nowhere(error, version < KEYS_FROM ? message : '')

function coordinatorOf(context: Context, topic: TopicView | null, groupId: string): Found {
  const message = 'The coordinator is not available.'
  if (topic === null) return nowhere(ErrorCode.COORDINATOR_NOT_AVAILABLE, message)
  const index = groupPartition(groupId, topic.partitionCount)
  const leader = context.services.dispatcher.nodeOf(topic.cellId, topic.numberOf(index))
  const node = nodesOf(context).find(({ nodeId }) => nodeId === leader)
  if (node === undefined) return nowhere(ErrorCode.COORDINATOR_NOT_AVAILABLE, message)
  return {
    ...node,
    errorCode: ErrorCode.NONE,
    errorMessage: context.version < KEYS_FROM ? 'NONE' : '',
  }
}

/**
 * Until there are transactions, with an error that makes clients give up: COORDINATOR_NOT_AVAILABLE is what they repeat for
 * ever. It is fatal to every client, and carries a text from version 1 on.
 */
function refusalOf(context: Context, keyType: number, keys: readonly string[]): Found {
  if (keyType === KeyType.SHARE && context.version >= SHARE_FROM && !context.may(acls.share)) {
    return nowhere(ErrorCode.CLUSTER_AUTHORIZATION_FAILED, CLUSTER_DENIED)
  }
  if (keyType !== KeyType.TRANSACTION) {
    return nowhere(ErrorCode.INVALID_REQUEST, `There is no coordinator type ${keyType}`)
  }
  const message = 'Transactions are not available yet'
  // not every client shows the text, and the error alone sends people looking for ACLs
  const { clientId } = context
  context.connection.logRefused(message, { clientId, transactionalId: keys[0], keys: keys.length })
  return nowhere(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, message)
}

function respond(context: Context, keys: readonly string[], find: (key: string) => Found): void {
  if (context.version < KEYS_FROM) {
    context.reply({ throttleTimeMs: 0, ...find(keys[0] ?? ''), coordinators: [] })
    return
  }
  context.reply({
    throttleTimeMs: 0,
    errorCode: ErrorCode.NONE,
    errorMessage: null,
    nodeId: 0,
    host: '',
    port: 0,
    coordinators: keys.map((key) => ({ key, ...find(key) })),
  })
}
