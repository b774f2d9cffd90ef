// How long a Node process takes that does nothing (`node -e 0`), from spawn to exit: the median of as many as fit.
// Usage: node node-start.mjs SECONDS
import { spawnSync } from 'node:child_process'

const seconds = Number(process.argv[2])
const end = performance.now() + seconds * 1000
const all = []
do {
  const from = performance.now()
  const run = spawnSync(process.execPath, ['-e', '0'])
  if (run.status !== 0) throw new Error(`node -e 0 ended with ${run.status}`)
  all.push(performance.now() - from)
} while (performance.now() < end)
all.sort((a, b) => a - b)
const at = (share) => all[Math.floor(all.length * share)]
const result = { name: 'node-start', unit: 'ms', value: at(0.5), p50Us: at(0.5) * 1000 }
const args = { seconds, runs: all.length }
console.log(JSON.stringify({ ...result, p99Us: at(0.99) * 1000, args }))
