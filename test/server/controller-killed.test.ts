/** The metadata of an engine whose process dies while a real client changes it. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EngineProcess } from '../clients/engine-process.ts'
import { adminAt, changeMetadata, isWhole, missingOf } from './quorum.ts'

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(path.join(os.tmpdir(), 'griot-killed-'))
})
afterEach(() => {
  rmSync(dataDir, { recursive: true, force: true })
})

test('a process that is killed in the midst of changes, again and again, has all that it acknowledged', async () => {
  const engine = await EngineProcess.create(dataDir)
  try {
    for (let round = 0; round < 3; round++) {
      await engine.start()
      const brokers = [engine.bootstrap]
      const before = await adminAt(brokers)
      let isOver = false
      const changing = changeMetadata(before, `round-${round}`, () => isOver)
      await new Promise((resolve) => setTimeout(resolve, 600 + 400 * round))
      await engine.end('SIGKILL')
      isOver = true
      await engine.start()
      const changes = await changing
      const after = await adminAt(brokers)
      // a connection that breaks is an error to kafkajs: whether that was done is not known
      expect(changes.made.size).toBeGreaterThan(0)
      expect(await missingOf(after, changes)).toEqual([])
      await isWhole(brokers)
      await Promise.all([before.disconnect(), after.disconnect()])
      await engine.end('SIGTERM')
    }
  } finally {
    await engine.end('SIGKILL')
  }
}, 120_000)
