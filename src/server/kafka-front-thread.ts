/** stub */
import { SERVER_PEER } from '../link/ports.ts'
import { openEventPorts, type ThreadData } from './thread.ts'

export async function runKafkaFront(data: ThreadData): Promise<void> {
  const control = openEventPorts(data.channels, () => {
    for (let e = control.poll(); e !== undefined; e = control.poll()) {
      if (e.message.kind === 'stop') {
        control.post(SERVER_PEER, { kind: 'stopped' })
        control.close()
      }
    }
  })
  control.post(SERVER_PEER, { kind: 'ready', detail: { ports: '9092,9093,9094' } })
}
