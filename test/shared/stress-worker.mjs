// The other thread of threads.test.ts, run from compiled output: `workerData.lib` is where that is.
import { parentPort, workerData } from 'node:worker_threads'

const load = (name) => import(new URL(`${name}.js`, workerData.lib).href)
const { RingWriter } = await load('ring-writer')
const { RingReader } = await load('ring-reader')
const { RingLogWriter } = await load('ring-log-writer')
const { Arena } = await load('arena')
const { DoorbellRinger, DoorbellWaiter } = await load('doorbell')
const { SeededRandom } = await load('../base/random')

const { role, control, regions, seed } = workerData
const stopped = () => Atomics.load(control, 0) !== 0
const random = new SeededRandom(seed)
const spin = (turns) => {
  for (let i = 0; i < turns; i++) Atomics.load(control, 1)
}

/** Writes records of random sizes whose bytes say which record they belong to. */
function writeRing() {
  const writer = new RingWriter(regions[0])
  let serial = 0
  while (!stopped()) {
    const length = 4 + random.below(serial % 64 === 0 ? writer.maxRecordBytes - 4 : 200)
    const at = writer.claim(1 + (serial % 100), length)
    if (at < 0) continue
    writer.view.setInt32(at, serial, true)
    writer.bytes.fill(serial & 255, at + 4, at + length)
    if (random.chance(0.02)) writer.abort()
    else {
      writer.commit()
      serial++
    }
  }
  return { written: serial }
}

function putBatch(writer, at, base, length) {
  const { view, bytes } = writer
  view.setInt32(at, Math.floor(base / 2 ** 32))
  view.setInt32(at + 4, base | 0)
  view.setInt32(at + 8, length - 12)
  view.setInt32(at + 23, 0)
  bytes.fill((base * 7 + 3) & 255, at + 61, at + length)
  view.setInt32(at + 17, base ^ length)
}

/** Appends to one ring log as fast as it can, taking a new ring whenever a pin is in the way. */
function writeLog() {
  const coordinates = new RingWriter(regions[0])
  const arena = new Arena({ capacityBytes: 4 * 2 ** 20 })
  let generation = 0
  let retiredRings = 0
  let freed = 0
  let offset = 0
  const waiting = []
  const open = () => {
    const region = arena.allocate(workerData.ringBytes)
    if (!region) return null
    const writer = new RingLogWriter(region, {
      generation: ++generation,
      partition: 1,
      fronts: 2,
      logStartOffset: 0,
      highWatermark: offset,
      lastStableOffset: offset,
      logEndOffset: offset,
      startPosition: 0x7fff_0000 + generation * 12_345,
    })
    let at = coordinates.claim(1, 12)
    while (at < 0 && !stopped()) at = coordinates.claim(1, 12)
    if (at < 0) return null
    coordinates.view.setInt32(at, generation, true)
    coordinates.view.setInt32(at + 4, region.byteOffset, true)
    coordinates.view.setInt32(at + 8, region.byteLength, true)
    coordinates.commit()
    return writer
  }
  const free = () => {
    for (let i = waiting.length - 1; i >= 0; i--) {
      if (!waiting[i].canFree()) continue
      arena.free(waiting.splice(i, 1)[0].region)
      freed++
    }
  }
  parentPort.postMessage({ sab: arena.sab })
  let writer = open()
  while (!stopped()) {
    const staged = 1 + random.below(3)
    let end = offset
    let pinned = false
    for (let i = 0; i < staged; i++) {
      const length = 61 + random.below(random.chance(0.1) ? 8_000 : 500)
      const at = writer.reserve(length)
      if (at === RingLogWriter.PINNED) {
        pinned = true
        break
      }
      if (at < 0) break
      putBatch(writer, at, end, length)
      end++
    }
    if (random.chance(0.02)) {
      writer.rollback()
    } else if (end > offset) {
      offset = end
      writer.publish({
        logEndOffset: offset,
        highWatermark: offset,
        lastStableOffset: offset,
        logStartOffset: 0,
      })
    }
    if (pinned) {
      writer.retire()
      retiredRings++
      waiting.push(writer)
      free()
      writer = open()
      while (!writer && !stopped()) {
        free()
        writer = open()
      }
      if (!writer) break
    }
    if (random.chance(0.1)) spin(random.below(2_000))
  }
  return { written: offset, retired: retiredRings, freed }
}

/** Answers every record with one of its own, asleep in between; a sleep of seconds is a lost wake-up. */
function answer() {
  const reader = new RingReader(regions[0])
  const writer = new RingWriter(regions[1])
  const waiter = new DoorbellWaiter(regions[2])
  const ringer = new DoorbellRinger(regions[3])
  let answered = 0
  let slept = 0
  const handler = {
    onRecord: (_type, from, offset) => {
      spin(random.below(300))
      const at = writer.claim(1, 4)
      writer.view.setInt32(at, from.view.getInt32(offset, true), true)
      writer.commit()
      ringer.ring()
      answered++
    },
  }
  while (!stopped()) {
    if (reader.poll(handler, 10) > 0) continue
    const sequence = waiter.prepare()
    if (random.chance(0.3)) spin(random.below(100))
    if (!reader.isEmpty || stopped()) {
      waiter.cancel()
      continue
    }
    slept++
    if (!waiter.waitSync(sequence, 5_000)) return { answered, slept, lost: true }
  }
  return { answered, slept, lost: false }
}

const roles = { writeRing, writeLog, answer }
parentPort.postMessage({ result: roles[role]() })
