/** Ports of loopback that are free now. */
import { createServer } from 'node:net'

/** First of `count` consecutive free ports, below the ephemeral range so that no client takes them meanwhile. */
export async function freePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const first = 12_000 + Math.floor(Math.random() * 18_000)
    const taken = await Promise.all(Array.from({ length: count }, (_, i) => isTaken(first + i)))
    if (!taken.includes(true)) return first
  }
  throw new Error(`no ${count} consecutive free ports found`)
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(true))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(false)))
  })
}
