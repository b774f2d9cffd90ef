/** The workload files of the rows, and the same again with compressed batches or small records. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../common/root.ts'
import { type ProduceGroup, parseWorkload, type Workload } from '../load/workload.ts'

export const VARIANTS = ['plain', 'lz4', 'zstd', '100b'] as const
export type Variant = (typeof VARIANTS)[number]

/** Payload of a batch of small records: with what each record adds to its value it stays below Kafka's 1 MiB. */
const SMALL_RECORD_BYTES = 100

/** The file `NAME.json` of `native-bench/workloads`. Throws naming the field that is wrong. */
export function workloadFile(name: string): Workload {
  const path = join(root, 'native-bench/workloads', `${name}.json`)
  return parseWorkload(JSON.parse(readFileSync(path, 'utf8')), path)
}

/** What the rows of three nodes have: replicas, how many must have a record, and what Kafka's producers do unless told otherwise. */
export const REPLICAS = 3
const IN_SYNC_MIN = 2
export type Replicas = 1 | typeof REPLICAS

/**
 * `workload` with so many replicas of each topic, of which two must be in sync where there are three, and with idempotent producers.
 */
export function replicated(workload: Workload, replicationFactor: Replicas): Workload {
  const asked = replicationFactor === 1 ? {} : { 'min.insync.replicas': String(IN_SYNC_MIN) }
  return {
    ...workload,
    topics: workload.topics.map((set) => ({
      ...{ ...set, replicationFactor },
      configs: { ...set.configs, ...asked },
    })),
    produce: workload.produce.map((group) => ({ ...group, idempotence: true })),
  }
}

/** `workload` with every producer changed. */
export function varied(workload: Workload, variant: Variant): Workload {
  const change = (group: ProduceGroup): ProduceGroup => {
    switch (variant) {
      case 'plain':
        return group
      case 'lz4':
      case 'zstd':
        return { ...group, compression: variant }
      case '100b': {
        const batchBytes = group.recordBytes * group.recordsPerBatch
        const recordsPerBatch = Math.max(1, Math.floor(batchBytes / SMALL_RECORD_BYTES))
        return { ...group, recordBytes: SMALL_RECORD_BYTES, recordsPerBatch }
      }
      default:
        return variant satisfies never
    }
  }
  return { ...workload, produce: workload.produce.map(change) }
}
