import { ErrorCode } from '../base/error-code.ts'
import type { ConfigChange, ConfigResource, Outcome } from '../image/request.ts'
import {
  type IncrementalAlterConfigsResponseInput,
  incrementalAlterConfigs,
} from '../protocol/44-incremental-alter-configs.ts'
import type { Api } from '../protocol/api.ts'
import { handler, type RequestContext } from './context.ts'
import { refuseExcess } from './limits.ts'

export const incrementalAlterConfigsHandler = handler({
  api: incrementalAlterConfigs,
  scopes: ['configResource'],
  handle(request, context) {
    const { resources, validateOnly } = request
    alterByController(
      context,
      resources,
      ({ name, configOperation, value }) => ({ name, operation: configOperation, value }),
      { incremental: true, validateOnly },
      (responses) => context.reply({ throttleTimeMs: 0, responses }),
    )
  },
})

type Responses = IncrementalAlterConfigsResponseInput['responses']

interface Asked<Config> {
  readonly resourceType: number
  readonly resourceName: string
  readonly configs: readonly Config[]
}

/** Has the controller judge and make the changes of AlterConfigs and its incremental kin. */
export function alterByController<A extends Api, Config>(
  context: RequestContext<A>,
  asked: readonly Asked<Config>[],
  change: (config: Config) => ConfigChange,
  flags: { readonly incremental: boolean; readonly validateOnly: boolean },
  done: (responses: Responses) => void,
): void {
  const answer = (outcomeOf: (index: number) => Pick<Outcome, 'error' | 'message'>) =>
    done(
      asked.map(({ resourceType, resourceName }, index) => {
        const { error, message } = outcomeOf(index)
        return { errorCode: error, errorMessage: message, resourceType, resourceName }
      }),
    )
  const excess = refuseExcess('resources', asked)
  if (excess !== null) {
    const refusal = { error: ErrorCode.POLICY_VIOLATION, message: excess }
    answer(() => refusal)
    return
  }
  const { nodeId } = context.connection.listener
  const resources = asked.map(
    ({ resourceType, resourceName, configs }): ConfigResource => ({
      ...{ type: resourceType, name: resourceName, changes: configs.map(change) },
    }),
  )
  const request = { kind: 'alter-configs', ...flags, nodeId, resources } as const
  context.services.controller.request(context.session.tenantId, request, ({ results }) => {
    answer((index) => results[index]!)
  })
}
