import { saslAuthenticate } from '../protocol/36-sasl-authenticate.ts'
import { handler } from './context.ts'

export const saslAuthenticateHandler = handler({
  api: saslAuthenticate,
  scopes: [],
  handle(request, context) {
    context.services.sasl.authenticate(request.authBytes, context)
  },
})
