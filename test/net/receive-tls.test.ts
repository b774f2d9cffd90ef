import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo, Socket } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { connect, createServer, type Server, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { receiveTlsInto } from '../../src/net/receive.ts'
import { Authority, hasOpenssl, LOCAL_NAMES, type Signed, textOf } from '../server/certificates.ts'

let directory: string
let signed: Signed
beforeAll(() => {
  if (!hasOpenssl) return
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-receive-'))
  signed = new Authority(directory).sign('server', { names: LOCAL_NAMES })
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

let server: Server | null = null
afterEach(() => void server?.close())

/** A client, which sends at once, and the socket that its server has shaken hands over, as it is when that is over. */
async function pair(sent: Buffer, onSecure: (socket: TLSSocket) => void): Promise<Socket> {
  server = createServer({ cert: textOf(signed.cert), key: textOf(signed.key) }, onSecure)
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const client = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  client.on('error', () => {})
  client.write(sent)
  return client
}

const bytes = (count: number) => Buffer.from(Array.from({ length: count }, (_, i) => i * 7))

/** What Node 20 to 24 have inside, and what a Node that has changed might have. */
describe.skipIf(!hasOpenssl).each(['own', 'another'])(
  'receiving TLS, with an inside that is Node’s: %s',
  (kind) => {
    const prepared = (socket: TLSSocket): TLSSocket => {
      if (kind === 'another') {
        Object.assign(Reflect.get(socket, '_handle'), { useUserBuffer: undefined })
      }
      return socket
    }

    test('bytes come in the buffer that is wanted for each read, and all of them', async () => {
      const [one, two] = [new Uint8Array(1_000), new Uint8Array(50_000)]
      const sent = bytes(300_000)
      const got: Buffer[] = []
      let wanted = 0
      let inPlace = 0
      const done = new Promise<void>((resolve) => {
        void pair(sent, (socket) => {
          receiveTlsInto(prepared(socket), {
            get readInto() {
              return wanted++ % 2 === 0 ? one : two
            },
            onBytes: (piece) => {
              if (piece.buffer === one.buffer || piece.buffer === two.buffer) inPlace++
              got.push(Buffer.from(piece))
            },
          })
          socket.on('end', () => socket.end())
          socket.on('close', resolve)
        }).then((client) => client.end())
      })
      await done
      expect(Buffer.concat(got).equals(sent)).toBe(true)
      expect(inPlace).toBe(kind === 'own' ? got.length : 0)
    })

    test('a socket that is paused takes little more until it goes on', async () => {
      const sent = bytes(2_000_000)
      let read = 0
      let socket: TLSSocket | null = null
      const client = await pair(sent, (secure) => {
        socket = prepared(secure)
        receiveTlsInto(socket, {
          readInto: new Uint8Array(262_144),
          onBytes: (piece) => {
            if (read === 0) socket!.pause()
            read += piece.length
          },
        })
      })
      await expect.poll(() => read).toBeGreaterThan(0)
      await new Promise((resolve) => setTimeout(resolve, 200))
      const paused = read
      expect(paused).toBeLessThan(300_000)
      await new Promise((resolve) => setTimeout(resolve, 200))
      expect(read).toBe(paused)
      socket!.resume()
      await expect.poll(() => read).toBe(sent.length)
      client.destroy()
      socket!.destroy()
    })
  },
)
