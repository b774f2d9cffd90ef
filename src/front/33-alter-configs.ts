import { alterConfigs } from '../protocol/33-alter-configs.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { alterByController } from './44-incremental-alter-configs.ts'
import { handler } from './context.ts'

const SET = 0

export const alterConfigsHandler = handler({
  api: alterConfigs,
  scopes: ['configResource'],
  handle(request, context) {
    const { resources, validateOnly } = request
    alterByController(
      context,
      requiredAcls.alterConfigs.acls,
      resources,
      ({ name, value }) => ({ name, operation: SET, value }),
      { incremental: false, validateOnly },
      (responses) => context.reply({ throttleTimeMs: 0, responses }),
    )
  },
})
