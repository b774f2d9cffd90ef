// Takes the lock of argv[2] again and again for argv[3] ms; while it owns it, nobody else may be inside.
// Prints one line per ownership. Dies by SIGKILL while it owns the directory when argv[4] is "die".
import { closeSync, openSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DirectoryLock } from '../../dist/lib/server/directory-lock.js'

const [, , directory, forMs, ending] = process.argv
const inside = path.join(directory, 'inside')
const until = performance.now() + Number(forMs)
while (performance.now() < until) {
  let lock
  try {
    lock = await DirectoryLock.acquire(directory)
  } catch (error) {
    if (error.name !== 'DirectoryLockedError') throw error
    await sleep(Math.random() * 5)
    continue
  }
  try {
    closeSync(openSync(inside, 'wx'))
  } catch {
    console.log('TWO OWNERS')
    process.exit(9)
  }
  await sleep(Math.random() * 5)
  rmSync(inside)
  console.log(`owned ${lock.beat.number}`)
  if (ending === 'die') process.kill(process.pid, 'SIGKILL')
  await lock.release()
}
