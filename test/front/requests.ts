/** Requests of tests in a few words. */
import { expect } from 'vitest'
import { type ProduceResponse, produce } from '../../src/protocol/00-produce.ts'
import { type FetchResponse, fetch } from '../../src/protocol/01-fetch.ts'
import { sizeInBytesOf } from '../../src/record/batch.ts'
import { buildBatch } from '../../src/record/builder.ts'
import { readRecords } from '../../src/record/records.ts'
import type { FakeClient } from './fake-client.ts'

/** A batch with one record per text, of `bytes` at least. */
export const batchOf = (...texts: string[]): Uint8Array =>
  buildBatch(texts.map((text) => ({ timestampMs: 1_000_000, key: null, value: Buffer.from(text) })))

export const bigBatch = (text: string, bytes: number): Uint8Array =>
  batchOf(text.repeat(Math.ceil(bytes / text.length)).slice(0, bytes))

export interface ProduceOptions {
  readonly index?: number
  readonly acks?: number
  readonly version?: number
  readonly timeoutMs?: number
}

export const produceRequest = (
  topic: string,
  records: Uint8Array,
  { index = 0, acks = -1, timeoutMs = 30_000 }: ProduceOptions = {},
) => ({
  acks,
  timeoutMs,
  topicData: [{ name: topic, partitionData: [{ index, records }] }],
})

export const sendProduce = (
  client: FakeClient,
  topic: string,
  records: Uint8Array,
  options: ProduceOptions = {},
): number => client.send(produce, options.version ?? 9, produceRequest(topic, records, options))

export type Produced = ProduceResponse['responses'][number]['partitionResponses'][number]

export const produced = (client: FakeClient, correlation: number): Produced | undefined =>
  client.answer(produce, correlation)?.responses[0]?.partitionResponses[0]

export interface FetchOptions {
  readonly version?: number
  readonly maxWaitMs?: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly partitionMaxBytes?: number
  readonly sessionId?: number
  readonly sessionEpoch?: number
  readonly currentLeaderEpoch?: number
  readonly forgotten?: readonly { readonly topic: string; readonly partitions: readonly number[] }[]
}

/** Of each topic, offsets by partition index: `{ lines: { 0: 5 } }`. */
export type FetchWhat = Readonly<Record<string, Readonly<Record<number, number>>>>

export const fetchRequest = (what: FetchWhat, options: FetchOptions = {}) => ({
  maxWaitMs: options.maxWaitMs ?? 500,
  minBytes: options.minBytes ?? 1,
  maxBytes: options.maxBytes ?? 50 * 2 ** 20,
  isolationLevel: 0,
  sessionId: options.sessionId ?? 0,
  sessionEpoch: options.sessionEpoch ?? -1,
  topics: Object.entries(what).map(([topic, partitions]) => ({
    topic,
    partitions: Object.entries(partitions).map(([index, fetchOffset]) => ({
      partition: Number(index),
      currentLeaderEpoch: options.currentLeaderEpoch ?? -1,
      fetchOffset,
      partitionMaxBytes: options.partitionMaxBytes ?? 2 ** 20,
    })),
  })),
  forgottenTopicsData: (options.forgotten ?? []).map(({ topic, partitions }) => ({
    topic,
    partitions: [...partitions],
  })),
})

export const sendFetch = (
  client: FakeClient,
  what: FetchWhat,
  options: FetchOptions = {},
): number => client.send(fetch, options.version ?? 11, fetchRequest(what, options))

export const fetched = (client: FakeClient, correlation: number): FetchResponse | undefined =>
  client.answer(fetch, correlation)

export type FetchedPartition = FetchResponse['responses'][number]['partitions'][number]

/** All partitions of a fetch's answer, as `topic/index` → answer. */
export function partitionsOf(
  response: FetchResponse | undefined,
): Record<string, FetchedPartition> {
  const found: Record<string, FetchedPartition> = {}
  for (const { topic, partitions } of response?.responses ?? []) {
    for (const partition of partitions) found[`${topic}/${partition.partitionIndex}`] = partition
  }
  return found
}

/** Of batches with one record each, whose value is one letter over and over: the letters. */
export function lettersIn(records: Uint8Array): string {
  let letters = ''
  for (let at = 0; at < records.length; at += sizeInBytesOf(records, at)) {
    const value = Buffer.from(readRecords(records, at)[0]!.value!).toString()
    expect(value).toBe(value[0]!.repeat(value.length))
    letters += value[0]
  }
  return letters
}
