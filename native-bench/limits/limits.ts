/** What this machine can do, from small native programs that are compiled at first use. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface LoopbackLimit {
  readonly program: 'c' | 'node'
  readonly chunkBytes: number
  readonly bytesPerSecond: number
  readonly roundTripUsP50: number | null
}

/**
 * One TCP connection over 127.0.0.1: a C program where there is a compiler, else Node's own sockets (slower, and a line
 * says so). Takes `seconds` and a little.
 */
export async function loopbackLimit(
  source: string,
  chunkBytes: number,
  seconds: number,
): Promise<LoopbackLimit> {
  const program = compile(source)
  if (program === null) {
    console.error(
      'no C compiler (cc) found: the loopback limit is measured with Node’s sockets instead',
    )
    return nodeLoopback(chunkBytes, seconds)
  }
  const run = spawnSync(program, [String(chunkBytes), String(seconds)], { encoding: 'utf8' })
  if (run.status !== 0) throw new Error(`${program} failed: ${run.stderr}`)
  return JSON.parse(run.stdout) as LoopbackLimit
}

function compile(source: string): string | null {
  const directory = join(tmpdir(), `griot-bench-${process.getuid?.() ?? 0}`)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const program = join(directory, 'loopback')
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) return program
  const built = spawnSync('cc', ['-O2', '-o', program, source], { encoding: 'utf8' })
  if (built.error !== undefined) return null
  if (built.status !== 0) throw new Error(`cc could not compile ${source}: ${built.stderr}`)
  return program
}

function nodeLoopback(chunkBytes: number, seconds: number): Promise<LoopbackLimit> {
  return new Promise((resolve, reject) => {
    const chunk = Buffer.alloc(chunkBytes, 'x')
    const server = createServer((socket) => {
      const end = performance.now() + seconds * 1000
      const send = () => {
        while (performance.now() < end) {
          if (!socket.write(chunk)) {
            socket.once('drain', send)
            return
          }
        }
        socket.end()
      }
      send()
    })
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      let bytes = 0
      const start = performance.now()
      const socket = connect(port, '127.0.0.1')
      socket.on('data', (data) => (bytes += data.length))
      socket.on('error', reject)
      socket.on('end', () => {
        server.close()
        const bytesPerSecond = bytes / ((performance.now() - start) / 1000)
        resolve({ program: 'node', chunkBytes, bytesPerSecond, roundTripUsP50: null })
      })
    })
  })
}
