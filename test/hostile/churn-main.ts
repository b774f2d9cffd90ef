/**
 * Connections in a process of its own: its descriptors and ports are not the test's. `idle COUNT`: opens so many and holds
 * them until its standard input ends. `churn RATE SECONDS`: opens and drops so many a second: half say nothing, a quarter
 * ask something, a quarter leave in the middle; every other one by a reset. From several addresses of the loopback
 * network, since one has no more than 28,000 ports. Prints what it did as JSON.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { encodeRequest, joinFrame } from '../../src/protocol/codec.ts'

const [host, port, mode, ...numbers] = process.argv.slice(2) as [
  string,
  string,
  string,
  ...string[],
]
const ADDRESSES = 20
const hello = joinFrame(
  encodeRequest(apiVersions, 3, 1, 'churn', {
    ...{ clientSoftwareName: 'churn', clientSoftwareVersion: '1' },
  }),
)

let opened = 0
let failed = 0
const reasons = new Map<string, number>()

function open(): Promise<Socket | null> {
  return new Promise((resolve) => {
    const localAddress = `127.0.1.${1 + (opened++ % ADDRESSES)}`
    const socket = connect({ host, port: Number(port), localAddress })
    socket.once('connect', () => resolve(socket))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (socket.connecting || socket.pending) {
        failed++
        reasons.set(error.code ?? '?', (reasons.get(error.code ?? '?') ?? 0) + 1)
      }
      resolve(null)
    })
  })
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function idle(count: number): Promise<void> {
  const held: Socket[] = []
  while (held.length + failed < count) {
    const batch = Math.min(200, count - held.length - failed)
    for (const socket of await Promise.all(Array.from({ length: batch }, open))) {
      if (socket !== null) held.push(socket)
    }
  }
  process.stdout.write(`${JSON.stringify({ opened: held.length, failed })}\n`)
  process.stdin.resume()
  await once(process.stdin, 'end')
  for (const socket of held) socket.destroy()
}

async function one(i: number): Promise<void> {
  const socket = await open()
  if (socket === null) return
  const kind = i % 4
  if (kind === 1) {
    socket.write(hello)
    await once(socket, 'data').catch(() => null)
  } else if (kind === 3) socket.write(hello.subarray(0, 1 + (i % (hello.length - 1))))
  if (i % 8 < 4) socket.resetAndDestroy()
  else socket.destroy()
}

async function churn(rate: number, seconds: number): Promise<void> {
  const from = performance.now()
  let running = 0
  for (let i = 0; i < rate * seconds; i++) {
    const due = from + (i / rate) * 1000
    if (performance.now() < due - 2) await sleep(due - performance.now())
    running++
    void one(i).finally(() => running--)
    // What is slower than that is waited for, or the two processes would measure the queue.
    while (running > 1_000) await sleep(1)
  }
  while (running > 0) await sleep(1)
  const tookMs = performance.now() - from
  console.log(JSON.stringify({ opened, failed, reasons: Object.fromEntries(reasons), tookMs }))
}

if (mode === 'idle') await idle(Number(numbers[0]))
else await churn(Number(numbers[0]), Number(numbers[1]))
process.exit()
