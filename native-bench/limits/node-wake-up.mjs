// A thread wakes another and is woken by it, by turns; a wake-up is half a turn. The worker sleeps in Atomics.wait; this
// thread does so, too, or waits in Atomics.waitAsync, as a thread with an event loop must.
// Usage: node node-wake-up.mjs wait|waitAsync SECONDS
import { isMainThread, Worker, workerData } from 'node:worker_threads'

const words = isMainThread ? new Int32Array(new SharedArrayBuffer(128)) : workerData
const [TURN, READY, END] = [0, 16, 2]

function pass(value) {
  Atomics.store(words, TURN, value)
  Atomics.notify(words, TURN, 1)
}

/** Longest that is looked at alone; older ones make way by chance, all alike. */
const SAMPLES_MAX = 1 << 20
const samples = []
let count = 0
function sample(ms) {
  if (count++ < SAMPLES_MAX) samples.push(ms)
  else {
    const at = Math.floor(Math.random() * count)
    if (at < SAMPLES_MAX) samples[at] = ms
  }
}

async function main(mode, seconds) {
  const worker = new Worker(import.meta.filename, { workerData: words })
  // a worker that is not there yet would not be woken
  while (Atomics.load(words, READY) === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  const from = performance.now()
  let before = from
  while (before - from < seconds * 1000) {
    pass(1)
    if (mode === 'wait') {
      while (Atomics.load(words, TURN) === 1) Atomics.wait(words, TURN, 1)
    } else {
      const waiting = Atomics.waitAsync(words, TURN, 1)
      if (waiting.async) await waiting.value
    }
    const after = performance.now()
    sample((after - before) / 2)
    before = after
  }
  pass(END)
  await new Promise((resolve) => worker.once('exit', resolve))
  samples.sort((a, b) => a - b)
  const us = (share) => samples[Math.floor(samples.length * share)] * 1000
  const value = (2 * count) / ((before - from) / 1000)
  const result = { name: 'wake-up', unit: '1/s', value, p50Us: us(0.5), p99Us: us(0.99) }
  console.log(JSON.stringify({ ...result, args: { mechanism: `Atomics.${mode}`, seconds } }))
}

if (isMainThread) {
  const [mode, seconds] = process.argv.slice(2)
  if (mode !== 'wait' && mode !== 'waitAsync') throw new Error(`wait or waitAsync, not ${mode}`)
  // a pending waitAsync does not keep a process alive
  const alive = setInterval(() => {}, 1000)
  await main(mode, Number(seconds))
  clearInterval(alive)
} else {
  Atomics.store(words, READY, 1)
  for (;;) {
    while (Atomics.load(words, TURN) === 0) Atomics.wait(words, TURN, 0)
    if (Atomics.load(words, TURN) === END) break
    pass(0)
  }
}
