/** The metadata has three copies: brokers die, hang, are cut off, lose their disks and directories, while a real client goes on changing it. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Admin } from 'kafkajs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Griot } from '../../dist/index.js'
import { adminAt, changeMetadata, isWhole, missingOf, quorumOf } from './quorum.ts'

let dataDir: string
let griot: Griot | null = null
let admin: Admin | null = null
beforeEach(() => {
  dataDir = mkdtempSync(path.join(os.tmpdir(), 'griot-quorum-'))
})
afterEach(async () => {
  await stop()
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(brokers = 3): Promise<{ griot: Griot; admin: Admin }> {
  griot = await Griot.start({ dataDir, brokers, chaos: true, logLevel: 'silent' })
  admin = await adminAt(griot.brokers)
  return { griot, admin }
}

async function stop(): Promise<void> {
  await admin?.disconnect()
  await griot?.close()
  admin = griot = null
}

const REST_MS = 3_000

/** Nobody is elected any more. After {@link isWhole}. */
async function isAtRest(brokers: readonly string[]): Promise<void> {
  const { leader, epoch } = await quorumOf(brokers)
  await new Promise((resolve) => setTimeout(resolve, REST_MS))
  expect(await quorumOf(brokers)).toMatchObject({ leader, epoch })
}

describe('the controller', () => {
  test('has three voters soon after the first start, and one where there are fewer brokers', async () => {
    const { griot } = await start()
    await isWhole(griot.brokers)
    expect((await quorumOf(griot.brokers)).observers).toEqual([])
    for (const broker of [1, 2, 3]) {
      const files = readdirSync(path.join(dataDir, `broker-${broker}`, 'metadata'))
      expect(files.some((name) => name.endsWith('.control-entries'))).toBe(true)
    }
    await stop()
    dataDir = mkdtempSync(path.join(os.tmpdir(), 'griot-quorum-'))
    const two = await start(2)
    expect(await quorumOf(two.griot.brokers)).toMatchObject({
      ...{ leader: 1, voters: [1], observers: [2], lagging: [] },
    })
    expect(existsSync(path.join(dataDir, 'broker-2', 'metadata'))).toBe(false)
  }, 60_000)

  test('goes on while brokers 1, 2 and 3 are killed in turn: nothing acknowledged is lost, and no error comes through', async () => {
    const { griot, admin } = await start()
    await isWhole(griot.brokers)
    const gaps: string[] = []
    const epochs: number[] = []
    for (const broker of [1, 2, 3]) {
      let isOver = false
      const changing = changeMetadata(admin, `killed-${broker}`, () => isOver)
      await new Promise((resolve) => setTimeout(resolve, 300))
      await griot.chaos.killBroker(broker)
      await new Promise((resolve) => setTimeout(resolve, 1_500))
      isOver = true
      const changes = await changing
      gaps.push(`${broker}: ${changes.made.size} topics, longest ${changes.gapMs.toFixed(0)} ms`)
      expect(changes.errors).toEqual([])
      expect(changes.made.size).toBeGreaterThan(3)
      expect(await missingOf(admin, changes)).toEqual([])
      await isWhole(griot.brokers)
      epochs.push((await quorumOf(griot.brokers)).epoch)
    }
    console.log(`the controller's brokers killed: ${gaps.join('; ')}`)
    // elected away from broker 1 and back
    expect(epochs[0]).toBeGreaterThan(2)
    await isAtRest(griot.brokers)
  }, 120_000)

  test('goes on while broker 1 hangs, is cut off from one, and while its disk fails', async () => {
    const { griot, admin } = await start()
    await isWhole(griot.brokers)
    const faults: Record<string, () => Promise<void>> = {
      hangs: () => griot.chaos.pauseBroker(1, 3_000),
      'is cut off': () => griot.chaos.partition(1, 2, 2_000),
      'disk fails': () => griot.chaos.failDisk(1, 'EIO', 2_000),
      'disk is full': () => griot.chaos.failDisk(1, 'ENOSPC', 2_000),
    }
    const gaps: string[] = []
    for (const [name, fault] of Object.entries(faults)) {
      let isOver = false
      const changing = changeMetadata(admin, name.replaceAll(' ', '-'), () => isOver)
      await new Promise((resolve) => setTimeout(resolve, 200))
      await fault()
      await new Promise((resolve) => setTimeout(resolve, 3_500))
      isOver = true
      const changes = await changing
      gaps.push(`${name}: longest ${changes.gapMs.toFixed(0)} ms`)
      expect(changes.errors, name).toEqual([])
      expect(await missingOf(admin, changes), name).toEqual([])
    }
    console.log(`broker 1 ${gaps.join('; ')}`)
    await isWhole(griot.brokers)
    await isAtRest(griot.brokers)
  }, 120_000)

  test('is filled again where a directory was lost, each in turn, and forgets nothing', async () => {
    let { admin } = await start()
    await isWhole(griot!.brokers)
    await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 2 }] })
    for (const broker of [1, 2, 3]) {
      await stop()
      rmSync(path.join(dataDir, `broker-${broker}`), { recursive: true })
      admin = (await start()).admin
      expect(await admin.listTopics()).toContain('kept')
      await admin.createTopics({ topics: [{ topic: `without-${broker}` }] })
      await isWhole(griot!.brokers)
    }
    expect((await admin.listTopics()).sort()).toEqual([
      ...['kept', 'without-1', 'without-2', 'without-3'],
    ])
  }, 120_000)
})
