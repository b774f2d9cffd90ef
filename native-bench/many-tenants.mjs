// Many tenants in one engine: time to make them with a key and two topics of three partitions each (admin API, SASL, Kafka protocol), memory of each step,
// time and memory of a restart after a clean stop and after kill -9. Linux. Usage: node native-bench/many-tenants.mjs [TENANTS] [BROKERS]
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const TOPICS = ['one', 'two']
const PARTITIONS = 3
const AT_ONCE = 16
const tenants = Number(process.argv[2] ?? 10_000)
const brokers = Number(process.argv[3] ?? 1)

const directory = mkdtempSync(join(tmpdir(), 'griot-tenants-'))
const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
let griot
let ended
let where

/** Resolves with the milliseconds until clients are served. */
async function start() {
  const from = performance.now()
  griot = spawn(
    process.execPath,
    [
      join(import.meta.dirname, '../dist/griot.cjs'),
      ...['start', '--brokers', String(brokers), '--data-dir', directory, '--log-level', 'warn'],
      ...['--kafka-listen', '127.0.0.1:0', '--http-listen', '127.0.0.1:0'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  ended = new Promise((resolve) => griot.once('exit', resolve))
  await new Promise((resolve) => griot.stdout.once('data', resolve))
  const tookMs = performance.now() - from
  where = JSON.parse(readFileSync(join(directory, 'endpoints.json'), 'utf8'))
  return tookMs
}

async function stop(signal) {
  const from = performance.now()
  griot.kill(signal)
  await ended
  return performance.now() - from
}

const rssMb = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${griot.pid}/status`, 'utf8'))[1]) / 1024
const descriptors = () => readdirSync(`/proc/${griot.pid}/fd`).length

/** What memory is once the engine has trimmed its heaps, as it does 2 and 8 s after much metadata has come (src/server/heap-trim.ts). */
async function settled(what) {
  await sleep(12_000)
  const mb = rssMb()
  console.log(`${what}: RSS ${mb.toFixed(0)} MB, ${descriptors()} descriptors`)
  return mb
}

const token = () => readFileSync(join(directory, 'operator-token'), 'utf8').trim()

function post(path, body) {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token()}`, 'content-type': 'application/json' }
    const url = new URL(path, where.adminUrl ?? where.httpUrl)
    const asked = request(url, { method: 'POST', agent, headers }, (answer) => {
      let text = ''
      answer.on('data', (chunk) => {
        text += chunk
      })
      answer.on('end', () => {
        if (answer.statusCode < 300) resolve(JSON.parse(text))
        else reject(new Error(`${path}: ${answer.statusCode} ${text}`))
      })
    })
    asked.on('error', reject)
    asked.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

const int16 = (n) => Buffer.from([n >> 8, n & 255])
const int32 = (n) => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(n)
  return bytes
}
const string = (text) => Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)])
const sized = (...parts) => {
  const bytes = Buffer.concat(parts)
  return Buffer.concat([int32(bytes.length), bytes])
}
const framed = (key, version, ...body) =>
  sized(int16(key), int16(version), int32(1), string('many'), ...body)

/** One connection that logs in and makes the topics: SaslHandshake v1, SaslAuthenticate v0, CreateTopics v4. */
function makeTopics({ key, secret }) {
  const topics = TOPICS.map((name) =>
    Buffer.concat([string(name), int32(PARTITIONS), int16(-1), int32(0), int32(0)]),
  )
  const frames = [
    framed(17, 1, string('PLAIN')),
    framed(36, 0, sized(Buffer.from(`\0${key}\0${secret}`))),
    framed(19, 4, int32(topics.length), ...topics, int32(30_000), Buffer.from([0])),
  ]
  // where each answer has its first error
  const errorAt = [8, 8, 8 + 4 + 4 + 2 + TOPICS[0].length]
  return new Promise((resolve, reject) => {
    const [host, port] = where.kafka[0].split(':')
    const socket = connect({ host, port: Number(port), noDelay: true })
    let bytes = Buffer.alloc(0)
    let step = 0
    socket.on('connect', () => socket.write(frames[0]))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`closed at step ${step}`)))
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      if (bytes.length < 4 || bytes.length < 4 + bytes.readInt32BE(0)) return
      const error = bytes.readInt16BE(errorAt[step])
      if (error !== 0) {
        reject(new Error(`step ${step}: error ${error}`))
        socket.destroy()
        return
      }
      bytes = Buffer.alloc(0)
      step++
      if (step < frames.length) socket.write(frames[step])
      else {
        resolve()
        socket.destroy()
      }
    })
  })
}

async function each(count, run) {
  let next = 0
  const from = performance.now()
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let n = next++; n < count; n = next++) await run(n)
    }),
  )
  return (performance.now() - from) / 1_000
}

const kb = (mb, of) => ((mb * 1024) / of).toFixed(2)

/** Stops it in that way and starts it again: what it takes then is what stays, without what making it all has left behind. */
async function restarted(signal, what) {
  const stoppedMs = await stop(signal)
  const readyMs = await start()
  const took = `stopped in ${stoppedMs.toFixed(0)} ms, ready again in ${readyMs.toFixed(0)} ms`
  return settled(`  ${what}, ${signal}, ${took}`)
}

try {
  console.log(`empty: ready in ${(await start()).toFixed(0)} ms`)
  const empty = { made: await settled('empty'), again: await restarted('SIGTERM', 'empty') }
  const keys = []
  const madeS = await each(tenants, (n) => post('/admin/v1/tenants', { name: `t${n}` }))
  await settled(`${tenants} tenants made in ${madeS.toFixed(1)} s`)
  const keysS = await each(tenants, async (n) => {
    keys[n] = await post(`/admin/v1/tenants/t${n}/keys`)
  })
  const keyed = {
    made: await settled(`a key of each made in ${keysS.toFixed(1)} s`),
    again: await restarted('SIGTERM', 'tenants'),
  }
  const topicsS = await each(tenants, (n) => makeTopics(keys[n]))
  const partitions = tenants * TOPICS.length * PARTITIONS
  const all = {
    made: await settled(`logged in, and topics made, in ${topicsS.toFixed(1)} s`),
    again: await restarted('SIGTERM', 'topics'),
    killed: await restarted('SIGKILL', 'topics'),
  }
  console.log(`made in ${(madeS + keysS + topicsS).toFixed(1)} s in all`)
  // topics were made after a restart
  for (const [when, tenantsMb, partitionsMb] of [
    ['as made', keyed.made - empty.made, all.made - keyed.again],
    ['after a restart', keyed.again - empty.again, all.again - keyed.again],
    ['after kill -9', keyed.again - empty.again, all.killed - keyed.again],
  ]) {
    console.log(
      `${when}: a tenant with a key ${kb(tenantsMb, tenants)} KB, a partition ${kb(partitionsMb, partitions)} KB`,
    )
  }
} finally {
  if (griot?.exitCode === null) await stop('SIGTERM')
  rmSync(directory, { recursive: true, force: true })
}
