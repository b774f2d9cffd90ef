/** How the controller gets to know which directory a broker has. On the broker's thread. */
import { asTenantId } from '../base/ids.ts'
import type { BrokerAgent } from '../broker/broker-agent.ts'
import type { ControllerAgent } from '../controller/agent.ts'
import type { ControllerRequest } from '../link/control.ts'
import { brokerPeer, type ControlPort } from '../link/ports.ts'
import type { Agent } from './duty-cycle.ts'
import { CELL, CONTROLLER_BROKER } from './wiring.ts'

/** A controller that does not answer is asked again after this. */
const ASK_AGAIN_MS = 1_000
/** Whom the controller on this very thread answers: nobody listens, since the image tells. */
export const OWN_THREAD = ''
const NO_TENANT = asTenantId('')

export interface Registration {
  readonly brokerId: number
  readonly directoryId: string
  readonly rack: string | null
  readonly broker: BrokerAgent
  readonly control: ControlPort
  /** Where it is on this thread. */
  readonly controller: () => ControllerAgent | null
}

/** Asks until the image has it; a controller that is away is asked again. */
export function registers(options: Registration): Agent {
  const { broker, brokerId, directoryId, rack } = options
  const request = { kind: 'register-broker', cellId: CELL, brokerId, directoryId, rack } as const
  let askAtMs = Number.NEGATIVE_INFINITY
  // at every start: the rack may be another
  let hasAsked = false
  const isDone = () => !broker.isReady || (broker.isRegistered && hasAsked)
  return {
    get nextTimerAtMs() {
      return isDone() ? Number.POSITIVE_INFINITY : askAtMs
    },
    doWork(nowMs) {
      if (isDone() || nowMs < askAtMs) return 0
      hasAsked = true
      askAtMs = nowMs + ASK_AGAIN_MS
      askController(options, request)
      return 1
    },
  }
}

/** Nobody here waits for the answer: what comes of it shows in the image. */
export function askController(
  { controller, control }: Pick<Registration, 'controller' | 'control'>,
  request: ControllerRequest,
  tenantId = NO_TENANT,
): void {
  const own = controller()
  if (own !== null) {
    own.onRequest(OWN_THREAD, tenantId, 0, request)
    return
  }
  const message = { kind: 'controller-request', tenantId, correlation: 0 } as const
  control.post(brokerPeer(CELL, CONTROLLER_BROKER), { ...message, request })
}
