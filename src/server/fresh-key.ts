/** Makes API keys, for the admin API and for embedded engines. Any thread with an event loop; hashing is done on libuv's. */
import type { FreshKey } from '../admin/tenant-access.ts'
import { makeApiKey } from '../tenant/api-key.ts'
import { secretToStore } from '../tenant/stored-credential.ts'
import { nodeSaslCrypto } from './node-sasl-crypto.ts'

export const freshKey = (): Promise<FreshKey> =>
  new Promise((resolve, reject) => {
    makeApiKey(nodeSaslCrypto, (made) => {
      if (made instanceof Error) {
        reject(made)
        return
      }
      const { keyId, secret, credentials } = made
      resolve({ keyId, secret, secrets: credentials.map(secretToStore) })
    })
  })
