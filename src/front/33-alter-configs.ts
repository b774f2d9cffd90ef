import type { ConfigResource } from '../image/request.ts'
import { alterConfigs } from '../protocol/33-alter-configs.ts'
import { alterByController } from './44-incremental-alter-configs.ts'
import { handler } from './context.ts'

const SET = 0

export const alterConfigsHandler = handler({
  api: alterConfigs,
  scopes: ['configResource'],
  handle(request, context) {
    const resources = request.resources.map(
      ({ resourceType, resourceName, configs }): ConfigResource => ({
        type: resourceType,
        name: resourceName,
        changes: configs.map(({ name, value }) => ({ name, operation: SET, value })),
      }),
    )
    alterByController(context, resources, false, request.validateOnly, (responses) =>
      context.reply({ throttleTimeMs: 0, responses }),
    )
  },
})
