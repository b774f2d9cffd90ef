/** Secrets of a key or user as one string of bytes: there are many, several threads have them all, and most are never asked for. */
import type { ScramMechanism, StoredSecret } from './entry.ts'

const MECHANISMS: readonly ScramMechanism[] = ['SCRAM-SHA-256', 'SCRAM-SHA-512']

/** Place of the mechanism (u8), iterations (u32), bytes of salt, stored key and server key (u8 each). */
const HEAD_BYTES = 8

/** Of each the head, salt, stored key and server key; as characters up to 255, of which V8 keeps a byte each. */
export function packSecrets(secrets: readonly StoredSecret[]): string {
  const parts = secrets.flatMap(({ mechanism, iterations, salt, storedKey, serverKey }) => {
    const head = Buffer.alloc(HEAD_BYTES)
    const [saltBytes, stored, server] = [salt, storedKey, serverKey].map(bytesOf) as [
      Buffer,
      Buffer,
      Buffer,
    ]
    head.writeUInt8(MECHANISMS.indexOf(mechanism), 0)
    head.writeUInt32BE(iterations, 1)
    head.writeUInt8(saltBytes.length, 5)
    head.writeUInt8(stored.length, 6)
    head.writeUInt8(server.length, 7)
    return [head, saltBytes, stored, server]
  })
  return Buffer.concat(parts).toString('latin1')
}

export function unpackSecrets(packed: string): readonly StoredSecret[] {
  const bytes = Buffer.from(packed, 'latin1')
  const secrets: StoredSecret[] = []
  for (let at = 0; at < bytes.length; ) {
    const take = (length: number) => {
      at += length
      return bytes.subarray(at - length, at).toString('base64')
    }
    const mechanism = MECHANISMS[bytes.readUInt8(at)]!
    const iterations = bytes.readUInt32BE(at + 1)
    const [salt, stored, server] = [5, 6, 7].map((place) => bytes.readUInt8(at + place))
    at += HEAD_BYTES
    const secret = { mechanism, iterations, salt: take(salt!), storedKey: take(stored!) }
    secrets.push({ ...secret, serverKey: take(server!) })
  }
  return secrets
}

const bytesOf = (base64: string): Buffer => Buffer.from(base64, 'base64')
