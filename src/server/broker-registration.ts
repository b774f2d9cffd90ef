/** How the controller gets to know which directory a broker has. On the broker's thread. */
import { ErrorCode } from '../base/error-code.ts'
import { NO_TENANT } from '../base/ids.ts'
import type { BrokerAgent } from '../broker/broker-agent.ts'
import type { ControllerAgent } from '../controller/agent.ts'
import type { ControllerRequest, ControllerResponse } from '../link/control.ts'
import type { ControlPort } from '../link/ports.ts'
import type { Agent } from './duty-cycle.ts'
import { CELL } from './wiring.ts'

/** A controller that does not answer is asked again after this. */
const ASK_AGAIN_MS = 1_000
/** Whom the controller on this very thread answers. */
export const OWN_THREAD = ''

export interface Registration {
  readonly brokerId: number
  readonly directoryId: string
  readonly rack: string | null
  readonly broker: BrokerAgent
  readonly control: ControlPort
  /** Where one is on this thread. */
  readonly controller: () => ControllerAgent | null
}

export interface Registering extends Agent {
  /** A controller has answered what this thread has asked it: null where it is none any more. */
  onResponse(response: ControllerResponse | null): void
}

/** Asks until a controller has said yes and the image has it; one that is away, or is none any more, is asked again. */
export function registers(options: Registration): Registering {
  const { broker, brokerId, directoryId, rack } = options
  const request = { kind: 'register-broker', cellId: CELL, brokerId, directoryId, rack } as const
  let askAtMs = Number.NEGATIVE_INFINITY
  // at every start: the rack may be another
  let isTaken = false
  const isDone = () => !broker.isReady || (broker.isRegistered && isTaken)
  return {
    get nextTimerAtMs() {
      return isDone() ? Number.POSITIVE_INFINITY : askAtMs
    },
    doWork(nowMs) {
      if (isDone() || nowMs < askAtMs) return 0
      askAtMs = nowMs + ASK_AGAIN_MS
      askController(options, request)
      return 1
    },
    onResponse(response) {
      if (response?.kind !== request.kind) return
      // asked again after a while
      if (response.error === ErrorCode.NOT_CONTROLLER) return
      isTaken = response.error === ErrorCode.NONE || broker.isRegistered
    },
  }
}

/** What comes of it shows in the image, sooner or later: who does not see it asks again. */
export function askController(
  { broker, controller, control }: Pick<Registration, 'broker' | 'controller' | 'control'>,
  request: ControllerRequest,
  tenantId = NO_TENANT,
): void {
  const to = broker.controller
  if (to === null) return
  if (to === OWN_THREAD) controller()?.onRequest(OWN_THREAD, tenantId, 0, request)
  else control.post(to, { kind: 'controller-request', tenantId, correlation: 0, request })
}
