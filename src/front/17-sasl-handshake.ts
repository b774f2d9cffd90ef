import { saslHandshake } from '../protocol/17-sasl-handshake.ts'
import { handler } from './context.ts'

export const saslHandshakeHandler = handler({
  api: saslHandshake,
  scopes: [],
  handle(request, context) {
    context.services.sasl.handshake(request.mechanism, context)
  },
})
