/** What `/metrics` tells of the file systems that brokers live on, looked up at each scrape. HTTP front's thread. */
import { statfs } from 'node:fs/promises'
import type { MetricSample, MetricSource } from '../admin/metrics-route.ts'
import { asBrokerId } from '../base/ids.ts'
import { brokerPath } from '../base/paths.ts'
import type { ThreadData } from './thread.ts'
import { brokerIds, CELL } from './wiring.ts'

/** A disk that has not answered by then is left out: a scrape waits for no disk that hangs. */
const ANSWER_MS_MAX = 1_000
/** One look serves both metrics of a scrape. */
const FRESH_MS = 500

interface Space {
  readonly freeBytes: number
  readonly sizeBytes: number
}

/** The file system of one directory; one look at a time, however long it takes. */
class SpaceReader {
  readonly #directory: string
  #look: Promise<Space | null> | null = null
  #known: { readonly atMs: number; readonly space: Space | null } | null = null

  constructor(directory: string) {
    this.#directory = directory
  }

  /** null when it cannot be told, or not in time. */
  async read(): Promise<Space | null> {
    if (this.#known !== null && performance.now() - this.#known.atMs < FRESH_MS) {
      return this.#known.space
    }
    this.#look ??= this.#lookUp()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, ANSWER_MS_MAX, null)
    })
    const space = await Promise.race([this.#look, late])
    clearTimeout(timer)
    return space
  }

  async #lookUp(): Promise<Space | null> {
    let space: Space | null = null
    try {
      const { bavail, blocks, bsize } = await statfs(this.#directory)
      space = { freeBytes: bavail * bsize, sizeBytes: blocks * bsize }
    } catch {
      // gone, or forbidden: no sample says so
    }
    this.#known = { atMs: performance.now(), space }
    this.#look = null
    return space
  }
}

export function diskSources({ settings }: ThreadData): MetricSource[] {
  const readers = brokerIds(settings.brokers).map((id) => ({
    broker: String(id),
    reader: new SpaceReader(brokerPath(settings.dataDir, CELL, asBrokerId(id))),
  }))
  const gauge = (name: string, help: string, pick: (space: Space) => number): MetricSource => ({
    ...{ kind: 'gauge', name, help },
    read: async () => {
      const spaces = await Promise.all(readers.map(({ reader }) => reader.read()))
      return spaces.flatMap((space, at): MetricSample[] =>
        space === null ? [] : [{ labels: { broker: readers[at]!.broker }, value: pick(space) }],
      )
    },
  })
  return [
    gauge(
      'griot_broker_disk_free_bytes',
      'Free bytes of the file system that the broker is on',
      ({ freeBytes }) => freeBytes,
    ),
    gauge('griot_broker_disk_size_bytes', 'Its size', ({ sizeBytes }) => sizeBytes),
  ]
}
