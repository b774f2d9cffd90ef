import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ErrorCode } from '../../src/base/error-code.ts'
import { fetch as fetchApi } from '../../src/protocol/01-fetch.ts'
import { metadata } from '../../src/protocol/03-metadata.ts'
import { joinGroup } from '../../src/protocol/11-join-group.ts'
import { apiVersions } from '../../src/protocol/18-api-versions.ts'
import { describeTopicPartitions } from '../../src/protocol/75-describe-topic-partitions.ts'
import { decodeResponse, encodeRequest, joinFrame } from '../../src/protocol/codec.ts'
import { count } from '../clients/requirements.ts'
import { fetchRequest, Wire } from '../clients/wire.ts'
import { reportOf, sleep, Target } from './target.ts'

/** Linux: RSS and descriptors are read from /proc. */
describe.skipIf(process.platform !== 'linux')('hostile sockets', () => {
  let target: Target
  const sockets: Socket[] = []

  beforeAll(async () => {
    target = await Target.start()
  })

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
    expect(target.bugs).toEqual([])
  })

  afterAll(() => target?.stop())

  async function open(port = target.port): Promise<Socket> {
    const socket = connect({ host: target.host, port, noDelay: true, allowHalfOpen: true })
    sockets.push(socket)
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }

  const hello = (correlationId: number): Buffer =>
    joinFrame(
      encodeRequest(apiVersions, 3, correlationId, 'hostile', {
        ...{ clientSoftwareName: 'hostile', clientSoftwareVersion: '1' },
      }),
    )

  it('TLS, HTTP and SSH on the port of the Kafka protocol are closed with a line that says what they look like', async () => {
    const tls = connectTls({ host: target.host, port: target.port, rejectUnauthorized: false })
    const failure = await once(tls, 'error').catch((error: unknown) => [error])
    expect(failure[0]).toBeInstanceOf(Error)
    await target.logged('looks like TLS')
    await expect(fetch(`http://${target.host}:${target.port}/health`)).rejects.toThrow()
    await target.logged('looks like HTTP')
    const ssh = await open()
    ssh.end('SSH-2.0-OpenSSH_9.6\r\n')
    await once(ssh.resume(), 'close')
    await target.logged('looks like SSH')
  })

  it('Kafka frames and TLS on the HTTP port are refused with such a line', async () => {
    for (const bytes of [hello(1), Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])]) {
      const socket = await open(target.httpPort)
      socket.write(bytes)
      const [answer] = (await once(socket, 'data')) as [Buffer]
      expect(answer.toString()).toContain('400 Bad Request')
      socket.destroy()
    }
    await target.logged('looks like the Kafka protocol')
    await target.logged('looks like TLS, and this listener speaks plain HTTP')
  })

  it('frames cut at every byte, and a thousand in one packet, are answered one by one', async () => {
    const frame = hello(7)
    for (let cut = 1; cut < frame.length; cut++) {
      const socket = await open()
      socket.write(frame.subarray(0, cut))
      await sleep(1)
      socket.end(frame.subarray(cut))
      const chunks: Buffer[] = []
      for await (const chunk of socket) chunks.push(chunk as Buffer)
      const answer = Buffer.concat(chunks)
      expect([answer.readInt32BE(0) + 4, answer.readInt32BE(4)]).toEqual([answer.length, 7])
    }
    const many = await open()
    many.end(Buffer.concat(Array.from({ length: 1_000 }, (_, i) => hello(i))))
    const chunks: Buffer[] = []
    for await (const chunk of many) chunks.push(chunk as Buffer)
    const all = Buffer.concat(chunks)
    const ids: number[] = []
    for (let at = 0; at < all.length; at += 4 + all.readInt32BE(at))
      ids.push(all.readInt32BE(at + 4))
    expect(ids).toEqual(Array.from({ length: 1_000 }, (_, i) => i))
  })

  it('who waits for other members of a group and goes is not waited for', async () => {
    const socket = await open()
    const join = {
      ...{ groupId: 'hostile-waiting', memberId: '', protocolType: 'consumer', reason: null },
      ...{ sessionTimeoutMs: 300_000, rebalanceTimeoutMs: 0x7fffffff, groupInstanceId: null },
      protocols: [{ name: 'range', metadata: Buffer.alloc(4) }],
    }
    const from = performance.now()
    socket.end(joinFrame(encodeRequest(joinGroup, 3, 5, 'hostile', join)))
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    const { response } = decodeResponse(joinGroup, 3, Buffer.concat(chunks).subarray(4))
    expect(response.errorCode).toBe(ErrorCode.REBALANCE_IN_PROGRESS)
    // Less than the first delay of a group.
    expect(performance.now() - from).toBeLessThan(2_500)
    expect((await target.whenQuiet(0)).connections).toBe(0)
  })

  it('slow lorises: requests that come a byte at a time keep nobody out', async () => {
    const size = Buffer.alloc(4)
    // As many as fill the memory for requests (24 MB) several times over: large ones, and small ones.
    const lorises = await Promise.all(Array.from({ length: 600 }, () => open()))
    lorises.forEach((socket, i) => {
      size.writeInt32BE(i % 2 === 0 ? 60_000 : 5_000_000)
      socket.write(Buffer.concat([size, hello(1).subarray(4, 12)]))
    })
    const dripping = setInterval(() => {
      for (const socket of lorises) if (!socket.destroyed) socket.write(Buffer.of(0))
    }, 200)
    await sleep(500)
    const probe = target.probe()
    await sleep(count(12_000, 40_000))
    clearInterval(dripping)
    const seen = await probe.end()
    console.log(`600 slow requests: ${reportOf(seen)}`)
    expect(seen.faults).toEqual([])
    expect(seen.rounds).toBeGreaterThan(20)
    await target.logged('sends nothing more of its request, while others wait for the room')
    for (const socket of lorises) socket.destroy()
    expect(await target.whenQuiet(0)).toMatchObject({ inFlightBytes: 0, connections: 0 })
  }, 80_000)

  it('long polls without end, pipelined: others go on, and all of it is free when they have gone', async () => {
    // At the end of the log, so that they wait.
    const wire = await Wire.open(target.engine.bootstrap)
    const { highWatermark } = await wire.fetch('probe', 0, 0)
    wire.close()
    const waiting = joinFrame(
      encodeRequest(fetchApi, 4, 1, 'hostile', {
        ...fetchRequest('probe', 0, highWatermark, 1),
        ...{ maxWaitMs: 0x7fffffff, minBytes: 0x7fffffff },
      }),
    )
    const many = Buffer.concat(Array.from({ length: 3_000 }, () => waiting))
    const clients = await Promise.all(Array.from({ length: 40 }, () => open()))
    for (const socket of clients) socket.write(many)
    await sleep(2_000)
    const probe = target.probe()
    await sleep(4_000)
    const seen = await probe.end()
    const during = await target.gauges()
    for (const socket of clients) socket.destroy()
    const gauges = await target.whenQuiet(0)
    console.log(
      `40 × 3,000 long polls, ${during.fetchesParked} of them parked, ${during.inFlightBytes} bytes: ${reportOf(seen)}`,
    )
    expect(seen.faults).toEqual([])
    expect(during.inFlightBytes).toBeLessThan(48 << 20)
    expect(gauges).toMatchObject({ inFlightBytes: 0, fetchesParked: 0, connections: 0 })
  }, 55_000)

  it('answers much larger than what asks for them, by clients that do not read: they go, nobody else', async () => {
    const wire = await Wire.open(target.engine.bootstrap)
    await wire.createTopic('wide-1', 9_000)
    await wire.createTopic('wide-2', 9_000)
    wire.close()
    const before = target.rssMb()
    const all = joinFrame(
      encodeRequest(metadata, 5, 1, 'hostile', {
        ...{ topics: null, allowAutoTopicCreation: false },
        ...{ includeClusterAuthorizedOperations: false, includeTopicAuthorizedOperations: false },
      }),
    )
    const page = joinFrame(
      encodeRequest(describeTopicPartitions, 0, 2, 'hostile', {
        ...{ topics: [], responsePartitionLimit: 2_000, cursor: null },
      }),
    )
    const clients = await Promise.all(Array.from({ length: 150 }, () => open()))
    const probe = target.probe()
    clients.forEach((socket, i) => {
      socket.pause()
      socket.write(Buffer.concat(Array.from({ length: 20 }, () => (i % 2 === 0 ? all : page))))
    })
    let peak = before
    for (let i = 0; i < 60; i++) {
      await sleep(100)
      peak = Math.max(peak, target.rssMb())
    }
    const seen = await probe.end()
    for (const socket of clients) socket.destroy()
    const gauges = await target.whenQuiet(0, 20_000)
    console.log(
      `150 × 20 large answers unread: RSS ${before.toFixed(0)} → ${peak.toFixed(0)} MB; ${reportOf(seen)}`,
    )
    expect(seen.faults).toEqual([])
    expect(peak - before).toBeLessThan(600)
    expect(gauges).toMatchObject({ inFlightBytes: 0, connections: 0 })
  }, 55_000)
})
