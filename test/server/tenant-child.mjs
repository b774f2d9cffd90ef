// Starts an engine, makes a tenant and a key, and closes it, with nothing else that keeps the process alive.
import { Griot } from '../../dist/index.js'

const griot = await Griot.start({ logLevel: 'silent' })
const tenant = await griot.createTenant({ name: 'acme' })
await tenant.createKey()
await tenant.delete()
await griot.close()
console.log('closed')
