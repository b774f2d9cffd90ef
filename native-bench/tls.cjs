/**
 * griot-bench over TLS, which it does not speak itself: loaded before it, this makes its connections to ports of BENCH_TLS_PORTS those of TLS, whatever the certificate.
 *
 *   BENCH_TLS_PORTS=9093 NODE_OPTIONS="--require $PWD/native-bench/tls.cjs" npx griot-bench run large-batches -b 127.0.0.1:9093 --pid PID
 */
const net = require('node:net')
const tls = require('node:tls')

const ports = new Set((process.env.BENCH_TLS_PORTS ?? '').split(',').map(Number))
const connect = net.connect

net.connect = (options, ...rest) => {
  if (!ports.has(options.port)) return connect(options, ...rest)
  const { onread, noDelay, ...where } = options
  const socket = tls.connect({ ...where, rejectUnauthorized: false })
  if (noDelay) socket.setNoDelay(true)
  // Node's own `onread` gives its buffer anew for each read, too
  if (onread !== undefined) {
    socket.on('data', (bytes) => {
      for (let at = 0; at < bytes.length; ) {
        const buffer = onread.buffer()
        const length = bytes.copy(buffer, 0, at)
        onread.callback(length, buffer)
        at += length
      }
    })
  }
  return socket
}
