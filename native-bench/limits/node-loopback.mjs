// What Node's sockets carry over 127.0.0.1: a child process writes the same chunk again and again, this one counts.
// Usage: node node-loopback.mjs CHUNK_BYTES SECONDS
import { spawn } from 'node:child_process'
import { connect, createServer } from 'node:net'

const [chunkBytes, seconds] = process.argv.slice(2, 4).map(Number)
const port = Number(process.argv[4] ?? 0)

if (port > 0) {
  const chunk = Buffer.alloc(chunkBytes, 'x')
  const socket = connect(port, '127.0.0.1')
  const end = performance.now() + seconds * 1000
  const send = () => {
    while (performance.now() < end) if (!socket.write(chunk)) return socket.once('drain', send)
    socket.end()
  }
  socket.once('connect', send)
} else {
  const server = createServer((socket) => {
    server.close()
    let bytes = 0
    const from = performance.now()
    socket.on('data', (data) => {
      bytes += data.length
    })
    socket.on('end', () => {
      socket.end()
      const value = bytes / ((performance.now() - from) / 1000)
      const args = { chunkBytes, seconds }
      console.log(JSON.stringify({ name: 'loopback-node', unit: 'B/s', value, args }))
    })
  })
  server.listen(0, '127.0.0.1', () => {
    const args = [import.meta.filename, chunkBytes, seconds, server.address().port]
    spawn(process.execPath, args.map(String), { stdio: 'inherit' })
  })
}
