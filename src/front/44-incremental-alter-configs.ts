import { ErrorCode } from '../base/error-code.ts'
import type { ConfigResource } from '../image/request.ts'
import {
  type IncrementalAlterConfigsResponseInput,
  incrementalAlterConfigs,
} from '../protocol/44-incremental-alter-configs.ts'
import type { Api } from '../protocol/api.ts'
import { handler, type RequestContext } from './context.ts'

export const incrementalAlterConfigsHandler = handler({
  api: incrementalAlterConfigs,
  scopes: ['configResource'],
  handle(request, context) {
    const resources = request.resources.map(
      ({ resourceType, resourceName, configs }): ConfigResource => ({
        type: resourceType,
        name: resourceName,
        changes: configs.map(({ name, configOperation, value }) => ({
          name,
          operation: configOperation,
          value,
        })),
      }),
    )
    alterByController(context, resources, true, request.validateOnly, (responses) =>
      context.reply({ throttleTimeMs: 0, responses }),
    )
  },
})

/** Has the controller judge and make the changes of AlterConfigs and its incremental kin. */
export function alterByController<A extends Api>(
  context: RequestContext<A>,
  resources: readonly ConfigResource[],
  incremental: boolean,
  validateOnly: boolean,
  done: (responses: IncrementalAlterConfigsResponseInput['responses']) => void,
): void {
  const { nodeId } = context.connection.listener
  const request = { kind: 'alter-configs', incremental, validateOnly, nodeId, resources } as const
  context.services.controller.request(context.session.tenantId, request, (response) => {
    const results = response?.kind === 'alter-configs' ? response.results : null
    done(
      resources.map(({ type, name }, index) => ({
        errorCode: results?.[index]?.error ?? ErrorCode.REQUEST_TIMED_OUT,
        errorMessage:
          results === null ? 'The controller does not answer.' : results[index]!.message,
        resourceType: type,
        resourceName: name,
      })),
    )
  })
}
