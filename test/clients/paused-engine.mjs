// An engine in a process of its own whose brokers can be made to stand still: { brokerId, forMs } by IPC.
import { Griot } from '../../dist/index.js'

const griot = await Griot.start({ brokers: 3, memory: '128M', logLevel: 'warn' })
process.send(griot.brokers)
process.on('message', ({ brokerId, forMs }) =>
  griot[Symbol.for('griot.engine')].pauseBroker(brokerId, forMs),
)
process.on('disconnect', () => griot.close())
