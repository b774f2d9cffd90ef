// A TCP relay, as a NAT, a container's port forwarding or a load balancer is one: clients that are told its addresses get
// through, those that are told the engine's own do not come this way.
// Usage: node relay.mjs LISTEN_HOST:PORT TARGET_HOST:PORT COUNT
// Relays COUNT consecutive ports from LISTEN to as many from TARGET (IPv6 in brackets). Prints "relaying …" once all listen.
// Ends at SIGTERM, or when a pipe on standard input closes (whoever started it is gone); then prints how many connections came
// in at each port, as JSON.
import { once } from 'node:events'
import { fstatSync } from 'node:fs'
import { connect, createServer } from 'node:net'

const addressOf = (text) => {
  const found = /^\[?([^[\]]+?)\]?:(\d+)$/.exec(text ?? '')
  if (found === null) throw new Error(`wants HOST:PORT, not ${text}`)
  return { host: found[1], port: Number(found[2]) }
}
const [listenText, targetText, countText = '1'] = process.argv.slice(2)
const listen = addressOf(listenText)
const target = addressOf(targetText)
const counts = new Array(Number(countText)).fill(0)
const sockets = new Set()

function relay(index, client) {
  counts[index]++
  const server = connect({ host: target.host, port: target.port + index, noDelay: true })
  client.setNoDelay()
  for (const [from, to] of [
    [client, server],
    [server, client],
  ]) {
    sockets.add(from)
    // a half that ends is passed on; a half that breaks takes the other along
    from.pipe(to)
    from.on('error', () => to.destroy())
    from.on('close', () => {
      sockets.delete(from)
      if (!from.readableEnded) to.destroy()
    })
  }
}

const servers = counts.map((_, index) =>
  createServer({ allowHalfOpen: true }, (client) => relay(index, client)).listen({
    host: listen.host,
    port: listen.port + index,
  }),
)
await Promise.all(servers.map((server) => once(server, 'listening')))
console.log(`relaying ${listenText} to ${targetText}, ${counts.length} ports`)

let isEnding = false
function end() {
  if (isEnding) return
  isEnding = true
  console.log(JSON.stringify({ connections: counts }))
  for (const server of servers) server.close()
  for (const socket of sockets) socket.destroy()
  if (isPiped) process.stdin.destroy()
}
process.on('SIGTERM', end)
const input = fstatSync(0)
const isPiped = input.isFIFO() || input.isSocket()
if (isPiped) process.stdin.on('end', end).resume()
