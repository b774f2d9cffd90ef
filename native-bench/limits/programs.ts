/** Every limit by its name: what is run for it, and with what arguments. */

export interface Context {
  readonly seconds: number
  /** Where files are written: a file system that is a disk, or the disk is not what is measured. */
  readonly directory: string
}

/** `c` is a program of this folder, `node` a script of it; `args` are those of its usage line. */
export interface Limit {
  readonly kind: 'c' | 'node'
  readonly program: string
  readonly what: string
  readonly args: (context: Context) => readonly (string | number)[]
}

const MB = 1 << 20
const c = (program: string, what: string, args: Limit['args']): Limit => ({
  ...{ kind: 'c', program, what, args },
})
const node = (program: string, what: string, args: Limit['args']): Limit => ({
  ...{ kind: 'node', program, what, args },
})
const file = ({ directory }: Context) => `${directory}/griot-bench-limit.${process.pid}`

export const LIMITS = {
  'loopback-16K': c('loopback', 'TCP over 127.0.0.1, chunks of 16 KB', (on) => [
    16 << 10,
    on.seconds,
  ]),
  'loopback-64K': c('loopback', 'the same, 64 KB', (on) => [64 << 10, on.seconds]),
  'loopback-1M': c('loopback', 'the same, 1 MB', (on) => [MB, on.seconds]),
  'loopback-1M-node': node('node-loopback', 'the same between two Node processes', (on) => [
    MB,
    on.seconds,
  ]),
  'round-trip-1': c('round-trip', '1 byte there and back over TCP', (on) => [1, on.seconds]),
  'round-trip-100': c('round-trip', '100 bytes there and back', (on) => [100, on.seconds]),
  memcpy: c('memcpy', 'copies of 1 MB, beyond the caches', (on) => [MB, 256 * MB, on.seconds]),
  'memcpy-cached': c('memcpy', 'copies of 16 KB, in the caches', (on) => [
    16 << 10,
    64 << 10,
    on.seconds,
  ]),
  crc32c: c('crc32c', 'CRC-32C by instruction, 1 MB', (on) => [
    'hardware',
    MB,
    256 * MB,
    on.seconds,
  ]),
  'crc32c-cached': c('crc32c', 'the same, 16 KB in the caches', (on) => [
    'hardware',
    16 << 10,
    64 << 10,
    on.seconds,
  ]),
  'crc32c-table': c('crc32c', 'CRC-32C by tables, 16 KB in the caches', (on) => [
    'table',
    16 << 10,
    64 << 10,
    on.seconds,
  ]),
  write: c('write', 'writes of 1 MB into a file of 256 MB, over and over', (on) => [
    file(on),
    MB,
    256 * MB,
    on.seconds,
  ]),
  'fdatasync-1': c('fdatasync', 'fdatasync after an append of 100 bytes', (on) => [
    ...[file(on), 1, 100, on.seconds],
  ]),
  'fdatasync-64': c('fdatasync', 'fdatasync after 64 appends of 100 bytes', (on) => [
    ...[file(on), 64, 100, on.seconds],
  ]),
  'wake-up': c('wake-up', 'one thread wakes another (futex)', (on) => [on.seconds]),
  'wake-up-node-wait': node('node-wake-up', 'the same by Atomics.wait and notify', (on) => [
    'wait',
    on.seconds,
  ]),
  'wake-up-node-async': node('node-wake-up', 'the same, one side in Atomics.waitAsync', (on) => [
    'waitAsync',
    on.seconds,
  ]),
  'node-start': node('node-start', 'a Node process that does nothing, from spawn to exit', (on) => [
    on.seconds,
  ]),
} as const satisfies Readonly<Record<string, Limit>>

export type LimitName = keyof typeof LIMITS
export const limitNames = Object.keys(LIMITS) as readonly LimitName[]
