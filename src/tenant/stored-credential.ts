/** Credentials as the metadata has them, and as authentication takes them: base64 there, bytes here. Any thread. */
import type { StoredSecret } from '../image/entry.ts'
import type { ScramCredential } from './scram-credential.ts'

const bytes = (base64: string): Uint8Array => Buffer.from(base64, 'base64')
const base64 = (value: Uint8Array): string => Buffer.from(value).toString('base64')

export const storedCredential = (secret: StoredSecret): ScramCredential => ({
  mechanism: secret.mechanism,
  iterations: secret.iterations,
  salt: bytes(secret.salt),
  storedKey: bytes(secret.storedKey),
  serverKey: bytes(secret.serverKey),
})

export const secretToStore = (credential: ScramCredential): StoredSecret => ({
  mechanism: credential.mechanism,
  iterations: credential.iterations,
  salt: base64(credential.salt),
  storedKey: base64(credential.storedKey),
  serverKey: base64(credential.serverKey),
})
