import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { tenantRemains } from '../../src/server/tenant-remains.ts'

const GONE = '00112233445566ab'
const OTHER = 'aaaaaaaaaaaaaaaa'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'griot-remains-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function file(path: string, bytes: string | Uint8Array): void {
  mkdirSync(join(directory, path, '..'), { recursive: true })
  writeFileSync(join(directory, path), bytes)
}

test('are directories of the tenant and files that name it, wherever in them, but for those of others', async () => {
  file('endpoints.json', '{}')
  file(`broker-1/${GONE}/topic/0.log`, 'x')
  // half of it is removed
  file(`broker-2/${GONE}.deleted/topic/0.log`, 'x')
  file(`broker-1/${OTHER}/topic/0.log`, `a record about ${GONE}`)
  file('broker-1/metadata/0.log', `..${GONE}..`)
  file('broker-1/metadata/1.log', 'nothing')
  const large = Buffer.alloc(2_100_000, 0x20)
  // across the end of a piece that is read at once
  large.write(GONE, 2 ** 20 - 7)
  file('broker-2/metadata/0.checkpoint', large)
  large.fill(0x20)
  large.write(GONE, large.length - 16)
  mkdirSync(join(directory, 'disk'))
  writeFileSync(join(directory, 'disk', 'end'), large)
  symlinkSync(join(directory, 'disk'), join(directory, 'broker-3'))
  expect(await tenantRemains(directory, GONE)).toEqual({
    directories: [`broker-1/${GONE}`, `broker-2/${GONE}.deleted`],
    files: [
      'broker-1/metadata/0.log',
      'broker-2/metadata/0.checkpoint',
      'broker-3/end',
      'disk/end',
    ],
    looked: 6,
  })
  expect(await tenantRemains(directory, 'ffffffffffffffff')).toMatchObject({
    ...{ directories: [], files: [] },
  })
})

test('are looked for once where a link leads back', async () => {
  file('broker-1/metadata/0.log', GONE)
  symlinkSync(join(directory, 'broker-1'), join(directory, 'broker-1', 'again'))
  expect(await tenantRemains(directory, GONE)).toMatchObject({
    files: ['broker-1/metadata/0.log'],
    looked: 1,
  })
})
