import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DirectoryLock, LEASE_MS, ownerOf } from '../../src/server/directory-lock.ts'
import { beat } from '../../src/server/lock-beat.ts'
import { SOCKET_PATH_BYTES_MAX, socketAddress } from '../../src/server/lock-socket.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'griot-lock-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function contender(forMs: number, ending = 'release') {
  const script = path.join(import.meta.dirname, 'lock-contender.mjs')
  const child = spawn(process.execPath, [script, directory, String(forMs), ending])
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    output += chunk
  })
  return { child, exited: once(child, 'exit'), output: () => output }
}

/** A claim as another machine would have left it. */
function foreignClaim(number: number, nonce: string, fields: object = {}): void {
  const claim = { format: 1, nonce, pid: 77, host: 'elsewhere', bootId: 'other', socket: true }
  mkdirSync(path.join(directory, 'lock'), { recursive: true })
  writeFileSync(
    path.join(directory, 'lock', `${number}.claim`),
    JSON.stringify({ ...claim, ...fields }),
  )
}

describe('the directory lock', () => {
  test('has one owner, named to whoever comes second, until it is released', async () => {
    const first = await DirectoryLock.acquire(directory)
    await expect(DirectoryLock.acquire(directory)).rejects.toThrow(
      `data directory ${directory} is in use by process ${process.pid} on host ${os.hostname()}`,
    )
    expect((await ownerOf(directory))?.pid).toBe(process.pid)
    await first.release()
    expect(await ownerOf(directory)).toBeNull()
    await (await DirectoryLock.acquire(directory)).release()
  })

  test('is free at once after kill -9', async () => {
    const { child, output, exited } = contender(20_000, 'die')
    await exited
    expect(child.signalCode).toBe('SIGKILL')
    expect(output()).toBe('owned 1\n')
    const before = performance.now()
    const lock = await DirectoryLock.acquire(directory)
    expect(performance.now() - before).toBeLessThan(1_000)
    await lock.release()
  })

  test('has one winner among many processes that start, release and die at random', async () => {
    const children = [
      ...Array.from({ length: 6 }, () => contender(2_500)),
      ...Array.from({ length: 8 }, () => contender(2_500, 'die')),
    ]
    await Promise.all(children.map(({ exited }) => exited))
    for (const { child, output } of children) {
      expect(output()).toMatch(/^(owned \d+\n)*$/)
      expect([child.exitCode, child.signalCode]).toContainEqual(child.signalCode ? 'SIGKILL' : 0)
    }
    const owned = children.flatMap(({ output }) => output().match(/\d+/g) ?? [])
    expect(owned.length).toBeGreaterThan(20)
    expect(new Set(owned).size).toBe(owned.length)
  })

  test('does not pile up files', async () => {
    for (let i = 0; i < 20; i++) await (await DirectoryLock.acquire(directory)).release()
    expect(readdirSync(path.join(directory, 'lock')).length).toBeLessThan(20)
  })

  test('of another kernel holds while its beat moves', async () => {
    foreignClaim(3, 'f00d')
    const other = { directory: path.join(directory, 'lock'), nonce: 'f00d', number: 3 }
    let count = 0
    expect(beat(other, ++count)).toBe(true)
    const beating = setInterval(() => beat(other, ++count), 300)
    await expect(DirectoryLock.acquire(directory)).rejects.toThrow('process 77 on host elsewhere')
    clearInterval(beating)
  })

  test('of another kernel is taken over after the lease, and its late beat says so', async () => {
    foreignClaim(3, 'f00d')
    const other = { directory: path.join(directory, 'lock'), nonce: 'f00d', number: 3 }
    beat(other, 1)
    const before = performance.now()
    const lock = await DirectoryLock.acquire(directory)
    expect(performance.now() - before).toBeGreaterThan(LEASE_MS - 200)
    expect(lock.beat.number).toBe(4)
    expect(beat(other, 2)).toBe(false)
    expect(beat(lock.beat, 1)).toBe(true)
    await lock.release()
  })

  test('does not wait for a foreign owner that let go', async () => {
    foreignClaim(1, 'f00d')
    writeFileSync(path.join(directory, 'lock', 'f00d.free'), '')
    const before = performance.now()
    await (await DirectoryLock.acquire(directory)).release()
    expect(performance.now() - before).toBeLessThan(1_000)
  })

  test('refuses claims that are damaged or of a newer format, rather than take over', async () => {
    foreignClaim(1, 'f00d', { format: 2 })
    await expect(DirectoryLock.acquire(directory)).rejects.toThrow('use a newer griot')
    writeFileSync(path.join(directory, 'lock', '1.claim'), '{')
    await expect(DirectoryLock.acquire(directory)).rejects.toThrow(
      '1.claim is being written or damaged',
    )
  })

  test('works where the path is too long for a socket address', async () => {
    const long = path.join(directory, 'x'.repeat(120), 'y'.repeat(120))
    mkdirSync(long, { recursive: true })
    const lock = await DirectoryLock.acquire(long)
    await expect(DirectoryLock.acquire(long)).rejects.toThrow('is in use')
    await lock.release()
    expect(readdirSync(path.join(long, 'lock')).filter((name) => name.endsWith('.sock'))).toEqual(
      [],
    )
  })
})

describe('the lock’s socket', () => {
  test('is a pipe on Windows, a file elsewhere, and named shorter where it must be', () => {
    expect(socketAddress('C:\\data\\lock', 'ab', 'win32').path).toBe('\\\\.\\pipe\\griot-ab')
    expect(socketAddress('/data/lock', 'ab', 'darwin').path).toBe('/data/lock/ab.sock')
    const deep = `/${'d'.repeat(200)}/lock`
    expect(socketAddress(deep, 'ab', 'darwin', `/${'d'.repeat(200)}`).path).toBe('lock/ab.sock')
    expect(() => socketAddress(deep, 'ab', 'darwin', '/elsewhere')).toThrow('too long for its lock')
    expect(SOCKET_PATH_BYTES_MAX).toBeLessThan(104)
    expect(existsSync(deep)).toBe(false)
  })
})
