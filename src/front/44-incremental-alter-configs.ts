import { ErrorCode } from '../base/error-code.ts'
import type { ConfigChange, ConfigResource, Outcome } from '../image/request.ts'
import {
  type IncrementalAlterConfigsResponseInput,
  incrementalAlterConfigs,
} from '../protocol/44-incremental-alter-configs.ts'
import type { Api } from '../protocol/api.ts'
import { requiredAcls } from '../tenant/required-acls.ts'
import { type ConfigAcls, refuseResource } from './config-resources.ts'
import { handler, type RequestContext } from './context.ts'
import { refuseExcess } from './limits.ts'

export const incrementalAlterConfigsHandler = handler({
  api: incrementalAlterConfigs,
  scopes: ['configResource'],
  handle(request, context) {
    const { resources, validateOnly } = request
    alterByController(
      context,
      requiredAcls.incrementalAlterConfigs.acls,
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
  acls: ConfigAcls,
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
  const denials = denialsOf(context, acls, asked)
  const allowed = asked.filter((_, index) => denials[index] === null)
  if (allowed.length === 0 && asked.length > 0) {
    answer((index) => denials[index]!)
    return
  }
  const resources = allowed.map(
    ({ resourceType, resourceName, configs }): ConfigResource => ({
      ...{ type: resourceType, name: resourceName, changes: configs.map(change) },
    }),
  )
  const request = { kind: 'alter-configs', ...flags, nodeId, resources } as const
  context.services.controller.request(context.session.tenantId, request, ({ results }) => {
    let next = 0
    answer((index) => denials[index] ?? results[next++]!)
  })
}

/** Of each resource, why not, or null. What is named twice is refused for that, whoever asks. */
function denialsOf(context: RequestContext, acls: ConfigAcls, asked: readonly Asked<unknown>[]) {
  const times = new Map<string, number>()
  const keyOf = ({ resourceType, resourceName }: Asked<unknown>) =>
    `${resourceType}/${resourceName}`
  for (const one of asked) times.set(keyOf(one), (times.get(keyOf(one)) ?? 0) + 1)
  return asked.map((one) =>
    times.get(keyOf(one)) === 1 ? refuseResource(context, acls, one) : null,
  )
}
