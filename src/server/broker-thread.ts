/** A broker's worker: its agents in a blocking duty cycle. */
import { SERVER_PEER } from '../link/ports.ts'
import { ThreadState } from '../shared/thread-status.ts'
import { runDutyCycle } from './duty-cycle.ts'
import { openPolledPorts, type ThreadData, threadContext, waitForGate } from './thread.ts'

export function runBroker(data: ThreadData): void {
  if (waitForGate(data) === null) return
  const context = threadContext(data)
  const control = openPolledPorts(data.channels)
  let stopping = false
  const agent = {
    nextTimerAtMs: Number.POSITIVE_INFINITY,
    doWork: () => {
      let n = 0
      for (let e = control.poll(); e !== undefined; e = control.poll()) {
        n++
        if (e.message.kind === 'stop') stopping = true
      }
      return n
    },
  }
  context.status.setState(ThreadState.RUNNING)
  control.post(SERVER_PEER, { kind: 'ready', detail: {} })
  runDutyCycle({ ...context, agents: [agent], isStopping: () => stopping })
  context.status.setState(ThreadState.STOPPED)
  control.post(SERVER_PEER, { kind: 'stopped' })
  control.close()
}
