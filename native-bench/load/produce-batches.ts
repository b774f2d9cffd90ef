/** Frames of Produce requests around batches that were built beforehand. */
import { ZERO_TOPIC_ID } from '../../src/base/ids.ts'
import { produce } from '../../src/protocol/00-produce.ts'
import { encodeRequest } from '../../src/protocol/codec.ts'
import { Codec } from '../../src/record/batch.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { prepareCompression } from '../../src/record/compression.ts'
import { HeaderPatcher } from './batch-header.ts'
import type { TopicPartition } from './messages.ts'
import { textValue } from './values.ts'
import type { ProduceGroup } from './workload.ts'

/** The newest before flexible versions: the batch is then the end of the frame, and there are no topic ids. */
export const PRODUCE_VERSION_MAX = 8
export const CLIENT_ID = 'griot-bench'
const ANSWER_WITHIN_MS = 30_000

export interface Template {
  readonly batch: Buffer
  readonly patcher: HeaderPatcher | null
}

/** `isPatched`: times or sequences will be written into their headers. */
export async function buildTemplates(group: ProduceGroup, isPatched: boolean): Promise<Template[]> {
  await prepareCompression()
  // all records have it, so that a batch may be given another
  const timestampMs = isPatched ? 0 : Date.now()
  const patchers = new Map<number, HeaderPatcher>()
  return Array.from({ length: group.distinctBatches }, (_, batchAt) => {
    const records = Array.from({ length: group.recordsPerBatch }, (_, at) => ({
      ...{ timestampMs, key: null },
      value: textValue(group.recordBytes, batchAt * group.recordsPerBatch + at),
    }))
    const batch = Buffer.from(buildBatch(records, { codec: Codec[group.compression] }))
    if (!isPatched) return { batch, patcher: null }
    const patcher = patchers.get(batch.length) ?? new HeaderPatcher(batch.length)
    patchers.set(batch.length, patcher)
    return { batch, patcher }
  })
}

/** What comes before the batch, for one partition. */
export class ProducePrefix {
  readonly #bytes: Buffer
  /** Of the error code, in an answer without its size. */
  readonly errorAt: number

  constructor(version: number, acks: number, { topic, partition }: TopicPartition) {
    const records = Buffer.alloc(1)
    const { chunks } = encodeRequest(produce, version, 0, CLIENT_ID, {
      transactionalId: null,
      acks,
      timeoutMs: ANSWER_WITHIN_MS,
      topicData: [
        { name: topic, topicId: ZERO_TOPIC_ID, partitionData: [{ index: partition, records }] },
      ],
    })
    const frame = Buffer.concat(chunks)
    this.#bytes = frame.subarray(0, frame.length - records.length)
    // correlation id, topics, name, partitions, index
    this.errorAt = 4 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4
  }

  get length(): number {
    return this.#bytes.length
  }

  /** Into memory of its own, since an earlier one may still be on its way. */
  writeTo(frame: Buffer, batchBytes: number): void {
    this.#bytes.copy(frame)
    frame.writeInt32BE(this.#bytes.length + batchBytes - 4, 0)
    frame.writeInt32BE(batchBytes, this.#bytes.length - 4)
  }
}
