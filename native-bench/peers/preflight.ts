/** Whether there is room for a row, looked at before anything is started. */
import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { freemem } from 'node:os'

export interface Needs {
  readonly diskBytes: number
  readonly memoryBytes: number
}

export interface Room {
  readonly diskBytes: number
  readonly memoryBytes: number
}

const GB = 1e9

/** What is free where data goes; memory that the page cache would give back counts as free. */
export function roomAt(directory: string): Room {
  const { bavail, bsize } = statfsSync(directory)
  return { diskBytes: bavail * bsize, memoryBytes: availableMemory() }
}

function availableMemory(): number {
  if (!existsSync('/proc/meminfo')) return freemem()
  const found = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))
  return found === null ? freemem() : Number(found[1]) * 1024
}

/** A file system in memory, on Linux. */
const MEMORY = '/dev/shm'

/** Where a row's directories go that must not measure a file system; null where there is no such place with room enough. */
export function memoryPlace({ diskBytes, memoryBytes }: Needs): string | null {
  if (!existsSync(MEMORY)) return null
  const room = roomAt(MEMORY)
  const isRoomy = room.diskBytes >= diskBytes && room.memoryBytes >= diskBytes + memoryBytes
  return isRoomy ? MEMORY : null
}

/** Throws saying what is short and what would help. */
export function assertRoom(row: string, needs: Needs, room: Room, directory: string): void {
  const gb = (bytes: number) => `${(bytes / GB).toFixed(1)} GB`
  if (room.diskBytes < needs.diskBytes)
    throw new Error(
      `row ${row} needs ${gb(needs.diskBytes)} of disk, and ${directory} has ${gb(room.diskBytes)} free: ` +
        'make room, or name a directory on another disk with --data-dir',
    )
  if (room.memoryBytes < needs.memoryBytes)
    throw new Error(
      `row ${row} needs ${gb(needs.memoryBytes)} of memory for both brokers, clients and page cache, and ${gb(room.memoryBytes)} ` +
        'are available: end what else runs here, or use a larger machine',
    )
}
