/** What all subcommands share: CPU that is counted, what is built, what is ended and removed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { builtHash } from '../../native-bench/common/built.ts'
import { errorLine } from '../../native-bench/common/errors.ts'
import { fileToWrite } from '../../native-bench/common/options.ts'
import { OthersWindow } from '../../native-bench/common/others.ts'
import { UsageWindow } from '../../native-bench/common/process-usage.ts'
import { endChild, isAlive, Sandbox } from '../../native-bench/common/sandbox.ts'
import { endedChildrenCpuSeconds, machineCpuSeconds } from '../../native-bench/common/usage.ts'

let place: string
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'griot-common-test-'))
})
afterEach(() => rmSync(place, { recursive: true, force: true }))

/** Says that it is there; burns a second of its own CPU whenever it is told to, says so, and waits. */
const BURNER = `
process.stdout.write('ready ')
process.stdin.on('data', () => {
  const before = process.cpuUsage()
  const used = () => { const { user, system } = process.cpuUsage(before); return user + system }
  while (used() < 1e6) for (let i = 0; i < 1e6; i++);
  process.stdout.write('done ')
})`

async function burn(): Promise<{ child: ChildProcess; run: () => Promise<void> }> {
  const child = spawn(process.execPath, ['-e', BURNER], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout!, 'data')
  const run = async () => {
    child.stdin!.write('x')
    await once(child.stdout!, 'data')
  }
  return { child, run }
}

describe.skipIf(process.platform !== 'linux')('CPU', () => {
  test('of a process is what it used within the window', async () => {
    const { child, run } = await burn()
    try {
      await run()
      const window = new UsageWindow([child.pid!])
      await run()
      const { cpuSeconds } = window.end()!
      expect(cpuSeconds).toBeGreaterThan(0.9)
      expect(cpuSeconds).toBeLessThan(1.1)
    } finally {
      await endChild(child, 'SIGKILL')
    }
  })

  test('of processes that have ended is counted as theirs, and not as that of others', async () => {
    const before = endedChildrenCpuSeconds(process.pid)!
    const [machine, fromMs] = [machineCpuSeconds()!, performance.now()]
    const others = new OthersWindow()
    const { child, run } = await burn()
    await run()
    await endChild(child, 'SIGKILL')
    const found = others.end()! * ((performance.now() - fromMs) / 1000)
    const all = machineCpuSeconds()! - machine
    const burnt = endedChildrenCpuSeconds(process.pid)! - before
    expect(burnt).toBeGreaterThan(0.95)
    expect(burnt).toBeLessThan(1.5)
    // all of the machine, but for what was burnt
    expect(found).toBeLessThan(all - 0.9)
    expect(found).toBeGreaterThanOrEqual(0)
  })

  test('of a process that is none of ours is that of others', async () => {
    // its parent is gone by then, so that it is no child of ours
    const script = `(node -e "${'const t=Date.now();while(Date.now()-t<1500);'}" & )`
    const others = new OthersWindow()
    const fromMs = performance.now()
    await once(spawn('sh', ['-c', script], { stdio: 'ignore' }), 'exit')
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    expect(others.end()! * ((performance.now() - fromMs) / 1000)).toBeGreaterThan(0.3)
  })
})

test('what was built is told by names and contents, not by what starts keep there', () => {
  const write = (name: string, text: string) => writeFileSync(join(place, name), text)
  write('a.cjs', '1')
  const first = builtHash(place)
  mkdirSync(join(place, 'code-cache'))
  write('code-cache/a.bin', 'x')
  expect(builtHash(place)).toBe(first)
  write('a.cjs', '2')
  const second = builtHash(place)
  expect(second).not.toBe(first)
  mkdirSync(join(place, 'lib'))
  write('lib/b.js', '')
  expect(builtHash(place)).not.toBe(second)
  expect(builtHash(join(place, 'missing'))).toHaveLength(64)
})

test('an error is one line; one that nobody meant says so', () => {
  expect(errorLine(new Error('no room'))).toBe('error: no room')
  expect(errorLine(new Error('no room', { cause: new Error('disk') }))).toBe(
    'error: no room (disk)',
  )
  expect(errorLine(new TypeError('x is not a function'))).toMatch(
    /^error: x is not a function \(a fault of the bench: GRIOT_BENCH_STACK=1/,
  )
})

test('a file that cannot be written is refused before anything is measured', () => {
  expect(fileToWrite(join(place, 'a.json'))).toBe(join(place, 'a.json'))
  expect(() => fileToWrite(join(place, 'b/a.json'))).toThrow(/there is no directory .*\/b: make it/)
  expect(() => fileToWrite(place)).toThrow(/it is a directory/)
})

describe('what a command starts and makes', () => {
  test('is asked to end; what has to be killed instead is an error', async () => {
    const deaf =
      'process.on("SIGTERM", () => {}); process.stdout.write("x"); setTimeout(() => {}, 60_000)'
    const child = spawn(process.execPath, ['-e', deaf], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout!, 'data')
    await expect(endChild(child, 'SIGTERM', 200)).rejects.toThrow(
      /did not end within 0\.2 s of SIGTERM and was killed/,
    )
    expect(child.signalCode).toBe('SIGKILL')
    // by force is what was asked for, and once it is gone there is nothing to do
    await endChild(child, 'SIGTERM', 200)
  })

  test('that cannot be run harms nobody', async () => {
    const sandbox = new Sandbox(place)
    const child = sandbox.spawn(join(place, 'nothing'), [], { stdio: 'ignore' })
    await once(child, 'error')
    expect(child.pid).toBeUndefined()
    await sandbox.close()
  })

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'is gone after %s, whatever sandbox it is in',
    async (signal) => {
      const script = join(place, 'command.mjs')
      const from = join(import.meta.dirname, '../../native-bench/common/sandbox.ts')
      const { build } = await import('esbuild')
      await build({
        stdin: {
          contents: `
            import { Sandbox } from ${JSON.stringify(from)}
            import { writeFileSync } from 'node:fs'
            import { join } from 'node:path'
            const boxes = [new Sandbox(${JSON.stringify(place)}), new Sandbox(${JSON.stringify(place)})]
            const made = boxes.map((box) => box.directory())
            const file = join(${JSON.stringify(place)}, 'map')
            boxes[0].removeAtEnd(file)
            writeFileSync(file, '')
            const wait = ['-e', 'setTimeout(() => {}, 60000)']
            const children = boxes.map((box) => box.spawn(process.execPath, wait, { stdio: 'ignore' }))
            console.log(JSON.stringify({ made: [...made, file], pids: children.map(({ pid }) => pid) }))
          `,
          resolveDir: place,
        },
        ...{ bundle: true, platform: 'node', format: 'esm', outfile: script, logLevel: 'error' },
      })
      const command = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
      const [line] = await once(command.stdout!, 'data')
      const { made, pids } = JSON.parse(String(line)) as { made: string[]; pids: number[] }
      expect(made.every((path) => existsSync(path))).toBe(true)
      command.kill(signal)
      const [code] = await once(command, 'exit')
      expect(code).toBe({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal])
      expect(made.filter((path) => existsSync(path))).toEqual([])
      expect(pids.filter(isAlive)).toEqual([])
    },
  )
})
