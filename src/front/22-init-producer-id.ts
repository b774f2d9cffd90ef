import { ErrorCode } from '../base/error-code.ts'
import { initProducerId } from '../protocol/22-init-producer-id.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { handler } from './context.ts'

const { acls } = requiredAcls.initProducerId

export const initProducerIdHandler = handler({
  api: initProducerId,
  // The producer id that a client brings belongs to a transactional id, and there are none yet.
  scopes: ['transactionalId', 'producerId'],
  handle(request, context) {
    const { transactionalId } = request
    if (transactionalId !== null) {
      const isValid = transactionalId !== '' || !context.may(acls.transaction, '')
      // Clients give up at once on this one; anything retriable they would repeat for ever.
      context.reply({
        throttleTimeMs: 0,
        errorCode: isValid
          ? ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
          : ErrorCode.INVALID_REQUEST,
        producerId: -1,
        producerEpoch: -1,
      })
      return
    }
    if (!context.may(acls.idempotent)) {
      const errorCode = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
      context.reply({ throttleTimeMs: 0, errorCode, producerId: -1, producerEpoch: -1 })
      return
    }
    // One without the other names no producer.
    if ((request.producerId === -1) !== (request.producerEpoch === -1)) {
      const errorCode = ErrorCode.INVALID_REQUEST
      context.reply({ throttleTimeMs: 0, errorCode, producerId: -1, producerEpoch: -1 })
      return
    }
    context.services.producerIds.next(context.session.tenantId, (errorCode, producerId) => {
      const producerEpoch = errorCode === ErrorCode.NONE ? 0 : -1
      context.reply({ throttleTimeMs: 0, errorCode, producerId, producerEpoch })
    })
  },
})
