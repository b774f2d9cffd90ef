#!/usr/bin/env node
// The pages of README.md on test frameworks, as they stand: the packed package in empty folders, the files and commands of the page,
// on each Node.js; beside them the tests of frameworks/checks.js, a test that forgets close(), and one that is interrupted.
// Arguments: tarball, then versions of the npm package "node" or "installed" (default: installed 22 24).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { FRAMEWORKS } from './frameworks/frameworks.mjs'
import { readPage } from './frameworks/pages.mjs'

const [given, ...asked] = process.argv.slice(2)
// commands run in folders of their own
const tarball = path.resolve(given)
const versions = asked.length > 0 ? asked : ['installed', '22', '24']
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname)
const root = mkdtempSync(path.join(os.tmpdir(), 'frameworks-'))
const RUN_MS_MAX = 90_000
/** Frameworks tried at a time. */
const AT_ONCE = 2

/** Runs a shell command in a process group of its own; `until` and `signal`: what is sent to all of it once it has printed that. */
async function run(command, { cwd, bin, until, signal }) {
  const child = spawn('bash', ['-c', command], {
    ...{ cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
    env: {
      ...process.env,
      ...{ CI: '1', NO_COLOR: '1', KAFKAJS_NO_PARTITIONER_WARNING: '1', NODE_NO_WARNINGS: '1' },
      PATH: bin === null ? process.env.PATH : `${bin}${path.delimiter}${process.env.PATH}`,
    },
  })
  let output = ''
  let isSent = false
  const take = (chunk) => {
    output += chunk
    if (until === undefined || isSent || !until.test(output)) return
    isSent = true
    process.kill(-child.pid, signal)
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  let isOver = false
  const timer = setTimeout(() => {
    isOver = true
    process.kill(-child.pid, 'SIGKILL')
  }, RUN_MS_MAX)
  const [code] = await once(child, 'close')
  clearTimeout(timer)
  if (isOver) throw new Error(`${command}: still running after ${RUN_MS_MAX} ms\n${output}`)
  return { code, output, isSent }
}

async function must(command, where) {
  const { code, output } = await run(command, where)
  if (code !== 0) throw new Error(`${command} ended with ${code}\n${output}`)
  return output
}

/** Directories of engines that tests have told of are gone, or going. */
async function checkGone(output, at_least) {
  const directories = [...output.matchAll(/DATA_DIR (\/\S*griot-tmp-[0-9a-f]{12})/g)].map(
    ([, d]) => d,
  )
  const found = new Set(directories)
  if (found.size < at_least) throw new Error(`${found.size} directories were told of\n${output}`)
  for (let tries = 0; tries < 50; tries++) {
    if (![...found].some((directory) => existsSync(directory))) return
    await sleep(100)
  }
  throw new Error(`left: ${[...found].filter((directory) => existsSync(directory))}\n${output}`)
}

/** The folder of each Node.js' executable; null for the one in PATH. */
async function installNodes() {
  const bins = new Map([['installed', null]])
  const wanted = versions.filter((version) => version !== 'installed')
  if (wanted.length === 0) return bins
  const folder = path.join(root, 'nodes')
  mkdirSync(folder)
  writeFileSync(path.join(folder, 'package.json'), '{"private": true}')
  const packages = wanted.map((version) => `node${version}@npm:node@${version}`)
  await must(`npm install --silent --no-audit --no-fund ${packages.join(' ')}`, {
    ...{ cwd: folder, bin: null },
  })
  for (const version of wanted) {
    bins.set(version, path.join(folder, `node_modules/node${version}/bin`))
  }
  return bins
}

async function tryFramework(framework, bins) {
  const { name, heading, extra, pin } = framework
  const cwd = path.join(root, name.replaceAll(/\W+/g, '-'))
  mkdirSync(cwd)
  const page = readPage(readFileSync(path.join(here, '../README.md'), 'utf8'), heading)
  await must('npm init -y', { cwd, bin: null })
  const write = (files) => {
    for (const [file, text] of Object.entries(files)) writeFileSync(path.join(cwd, file), text)
  }
  write(page.files)
  const commands = page.commands.map((command) => pin(command.replace(' griot ', ` ${tarball} `)))
  const runs = commands.filter((command) => !command.startsWith('npm '))
  for (const command of commands)
    if (!runs.includes(command)) await must(command, { cwd, bin: null })
  const [test] = runs
  if (runs.length !== 1) throw new Error(`${heading}: one command that runs the tests, please`)
  const checks = readFileSync(path.join(here, 'frameworks/checks.js'), 'utf8')
  for (const version of versions) {
    const where = { cwd, bin: bins.get(version) }
    const from = performance.now()
    write(extra(checks))
    const output = await must(test, where)
    framework.mustHavePassed(output, page.tests)
    await checkGone(output, 9)
    if (version === versions[0]) {
      // nothing is left open that the framework would find, and Ctrl-C in a terminal leaves nothing either
      if (framework.openHandles)
        await framework.openHandles(test, (command) => must(command, where))
      for (const file of Object.keys(extra(checks))) rmSync(path.join(cwd, file))
      write(framework.hanging)
      const ended = await run(test, { ...where, until: /DATA_DIR \S+\s/, signal: 'SIGINT' })
      if (!ended.isSent) throw new Error(`nothing to interrupt\n${ended.output}`)
      await checkGone(ended.output, 1)
      for (const file of Object.keys(framework.hanging)) rmSync(path.join(cwd, file))
    }
    const node = (await must('node --version', where)).trim()
    const seconds = ((performance.now() - from) / 1_000).toFixed(1)
    console.log(`${name} on ${node}: its page, checks, a forgotten close(): ${seconds} s`)
  }
}

async function main() {
  const bins = await installNodes()
  const waiting = [...FRAMEWORKS]
  let failed = 0
  const work = async () => {
    for (let framework = waiting.shift(); framework; framework = waiting.shift()) {
      try {
        await tryFramework(framework, bins)
      } catch (error) {
        failed++
        console.error(`FAILED: ${framework.name}: ${error.message}`)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return failed
}

try {
  process.exitCode = (await main()) === 0 ? 0 : 1
} finally {
  rmSync(root, { recursive: true, force: true })
}
